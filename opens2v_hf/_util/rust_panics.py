"""Panics of libraries that are written in Rust, such as tokenizers, safetensors and hf_xet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_NAME = "PanicException"  # each such library has a class of its own, which cannot be imported


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Turn a panic into a RuntimeError: its class is no `Exception`, and one item would end the work on all.

    Raises:
        RuntimeError: for a panic within the block; everything else passes.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ != _NAME:
            raise
        raise RuntimeError(f"a library panicked: {error}") from error
