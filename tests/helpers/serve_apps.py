"""Runs the scripts of some Spaces in one process: `python -m helpers.serve_apps 7861=metrics/gmescore/app.py ...`.

Each runs as `python app.py` does, but on a port of its own, and without the wait at its end that would keep the next
one from starting.
"""

from __future__ import annotations

import runpy
import signal
import sys
from functools import partialmethod

import gradio as gr

if __name__ == "__main__":
    given = [argument.partition("=") for argument in sys.argv[1:]]
    launch = gr.Blocks.launch
    for port, _, path in given:
        gr.Blocks.launch = partialmethod(launch, server_port=int(port), prevent_thread_lock=True)
        runpy.run_path(path, run_name="__main__")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
