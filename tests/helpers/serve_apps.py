"""Runs the scripts of some Spaces in one process: `python -m helpers.serve_apps 7861=metrics/gmescore/app.py ...`.

Each runs as `python app.py` does, but on a port of its own, and without the wait at its end that would keep the next
one from starting.
"""

from __future__ import annotations

import runpy
import signal
import sys
from typing import Any
from unittest.mock import patch

# As it is imported, gradio writes stubs for editors, which takes a second; it writes none where it finds no source.
with patch("inspect.getfile", side_effect=OSError):
    import gradio as gr
from gradio.routes import App

make_server, launch = App.create_app, gr.Blocks.launch
make_no_server = patch("gradio.blocks.App.create_app")
"""A page makes its server three times before it is launched, each time in a sixth of a second, and once as it is."""
POLL_QUEUE_S = 0.05
"""How often a page's queue is polled for requests, as gradio does on Windows. Elsewhere it polls it each millisecond,
which costs 4 % of a processor for each page, also for one that nobody uses."""


def launched_at(port: int) -> Any:
    def launch_at_port(blocks: gr.Blocks, **options: Any) -> Any:
        blocks._queue.sleep_when_free = blocks._queue.progress_update_sleep_when_free = POLL_QUEUE_S
        with patch("gradio.blocks.App.create_app", make_server):
            return launch(blocks, **options, server_port=port, prevent_thread_lock=True)

    return launch_at_port


if __name__ == "__main__":
    given = [argument.partition("=") for argument in sys.argv[1:]]
    for port, _, path in given:
        gr.Blocks.launch = launched_at(int(port))
        with make_no_server:
            runpy.run_path(path, run_name="__main__")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
