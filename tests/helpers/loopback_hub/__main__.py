"""The server: `python -m helpers.loopback_hub [--lfs] [PORT]`.

It listens on 127.0.0.1 alone, on a free port by default, prints its address and serves until it is ended.
"""

from __future__ import annotations

import argparse
import socket

import uvicorn
from helpers.loopback_hub.routes import make_app
from helpers.loopback_hub.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(prog="loopback_hub", description=__doc__)
    parser.add_argument("port", nargs="?", type=int, default=0)
    parser.add_argument("--lfs", action="store_true", help="tell clients to upload Parquet and videos through LFS")
    arguments = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", arguments.port))
    # asyncio sets it only where the protocol was named; else each answer waits 40 ms for the client to acknowledge
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server = uvicorn.Server(uvicorn.Config(make_app(Store(use_lfs=arguments.lfs)), log_level="error"))
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
