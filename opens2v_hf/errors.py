"""The hierarchy of errors of this package.

Every message says what is wrong, with which file, sample or argument, and what to do about it, so that the command
line can print it unchanged and no user needs to read a traceback.
"""

import reprlib
from typing import Any

_SHORT = reprlib.Repr()
_SHORT.maxlevel = 3  # `repr` of deeply nested values fails
_SHORT.maxstring = _SHORT.maxother = 60


def short_repr(value: Any) -> str:
    """Any value from a file for a message, in at most 80 characters.

    >>> short_repr([0, "x" * 100])[:10], short_repr(10**5_000)
    ("[0, 'xxxxx", 'a value of type int')
    """
    try:
        return _SHORT.repr(value)[:80]
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return f"a value of type {type(value).__name__}"


class OpenS2VError(Exception):
    """Base of every error that this package raises on purpose."""


class ArgumentError(OpenS2VError, ValueError):
    """An argument has a value that cannot be used."""


class VideoError(OpenS2VError):
    """A video is missing, broken, empty or not a video; the message names the file."""


class ImageError(OpenS2VError):
    """A picture is missing, broken or unusable; the message names the file."""


class SampleError(OpenS2VError):
    """A record of a benchmark or dataset is missing or malformed; the message names its file and id."""


class SourceError(OpenS2VError):
    """A file of a dataset is missing, cannot be reached, or is damaged as a whole; the message names it."""


class MaskError(OpenS2VError, ValueError):
    """A run-length encoded mask is malformed or does not fit its picture."""


class ModelError(OpenS2VError):
    """A model or its weights cannot be loaded: a missing file, key or shape, or an architecture that does not fit."""


class GenerationError(OpenS2VError):
    """A video of one sample cannot be made; those of others may.

    Args:
        message: what was wrong.
        transient: whether the same request may succeed later.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class JudgeError(OpenS2VError):
    """A judge could not rate a video: no answer, or an answer that is no score."""


class EndpointError(OpenS2VError):
    """A model behind an endpoint or in an engine gave no usable answer to a request; other requests may succeed."""


class CaptionError(OpenS2VError):
    """A captioner gave no text for a clip."""


class ServiceUnavailableError(OpenS2VError):
    """A remote service gave no answer several times in a row; calls to it have stopped for this run."""


class ResultError(OpenS2VError):
    """A result file is missing, malformed or does not fit the request."""


class MissingDependencyError(OpenS2VError, ImportError):
    """An optional package is needed and not installed; the message gives the command that installs it."""


class ProcessError(OpenS2VError):
    """A run over several processes failed: one of them failed, died, or has other arguments."""


class HubError(OpenS2VError):
    """The Hub cannot be reached, has no such repo, or refuses the request."""
