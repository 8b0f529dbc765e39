"""Opening Parquet files that may be damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import fsspec.core
import pyarrow as pa

from opens2v_hf.data.opens2v5m.released.byte_source import shown_url
from opens2v_hf.errors import OpenS2VError, SourceError


@dataclass(frozen=True)
class OpenParquet:
    """An open Parquet file.

    Attributes:
        file: for pyarrow.
        check_unchanged: to be called before each read; raises SourceError where a local file was written to since.
    """

    file: Any
    check_unchanged: Callable[[], object]


@contextmanager
def parquet_errors(name: str) -> Iterator[None]:
    """Turn every exception that is raised while a Parquet file is read into a SourceError that names the file.

    Arrow raises more than its own exceptions for a damaged file: UnicodeDecodeError for a footer, MemoryError for a
    size that no file has, OSError for a page. Errors of this package pass.
    """
    try:
        yield
    except OpenS2VError:
        raise
    except Exception as error:
        reason = (str(error).partition("\n")[0] or type(error).__name__).replace(name, shown_url(name))
        raise SourceError(f"cannot read {shown_url(name)}: {reason}; it may be damaged: get it again") from error


@contextmanager
def open_parquet(
    url: str, storage_options: dict[str, Any] | None = None, *, mapped: bool = False
) -> Iterator[OpenParquet]:
    """Open a Parquet file by path or URL; errors within the block are those of `parquet_errors`.

    Args:
        url: path or URL of the file.
        storage_options: for fsspec.
        mapped: map a local file into memory. That saves a copy of its bytes, which is a quarter of the processor time
            of reading rows with videos; but a file that is cut off, or a disk that fails, during a read ends the
            process, where it is an error otherwise.
    """
    with parquet_errors(url):
        if "://" not in url:
            with open(url, "rb") as local, pa.memory_map(url) if mapped else pa.OSFile(url, "rb") as file:
                yield OpenParquet(file, _check_of(local.fileno(), url))
            return
        filesystem, path = fsspec.core.url_to_fs(url, **(storage_options or {}))
        with filesystem.open(path, "rb") as file:
            yield OpenParquet(file, lambda: None)


def _check_of(descriptor: int, url: str) -> Callable[[], None]:
    def identity() -> tuple[int, int]:
        stat = os.fstat(descriptor)
        return stat.st_size, stat.st_mtime_ns

    opened = identity()

    def check() -> None:
        # The system ends a process that reads a mapped file behind its end.
        if identity() != opened:
            raise SourceError(f"{url} changed while it was read: load the dataset again")

    return check
