"""One place where what the decoding libraries raise becomes a VideoError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opens2v_hf.errors import OpenS2VError, VideoError


@contextmanager
def errors_as_video_errors(name: str) -> Iterator[None]:
    """Turn any exception inside the `with` block into a VideoError that names the file.

    Damaged files make the libraries raise almost anything (OSError, OverflowError, ValueError, MemoryError ...), so all
    exceptions are meant; the original one is the cause. Put only work on the file's content into the block.

    Raises:
        VideoError: if anything but an error of this package was raised.
    """
    try:
        yield
    except OpenS2VError:
        raise
    except MemoryError as error:
        raise VideoError(
            f"{name}: needs more memory than there is; make it smaller or shorter, or use a machine with more memory"
        ) from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise VideoError(
            f"{name}: cannot be read as a video ({printable(reason)}); "
            "it is no video file, or is damaged or cut off: generate or copy it again"
        ) from error


def printable(text: str) -> str:
    r"""The text with half surrogates escaped, so that every terminal and file can hold it.

    Example:
        >>> printable("café \ud800")
        'café \\ud800'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
