"""Opening Parquet files that may be damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import fsspec.core

from opens2v_hf.data.opens2v5m.released.byte_source import shown_url
from opens2v_hf.errors import OpenS2VError, SourceError


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
def open_parquet(url: str, storage_options: dict[str, Any] | None = None) -> Iterator[BinaryIO]:
    """Open a Parquet file by path or URL; errors within the block are those of `parquet_errors`."""
    with parquet_errors(url):
        filesystem, path = fsspec.core.url_to_fs(url, **(storage_options or {}))
        with filesystem.open(path, "rb") as file:
            yield file
