"""Errors that drop one clip, and errors that end a build."""

from __future__ import annotations

import errno

from opens2v_hf.errors import MissingDependencyError, ModelError, ResultError, ServiceUnavailableError, VideoError

ERROR = "error"
"""The rule under which clips are dropped by an error."""

CHANGED = "changed"
"""The rule under which clips are dropped whose file was changed while it was read."""

MISSING = "missing"
"""The rule under which files are dropped that were listed, and are gone when they are read."""

MAY_PASS = (ERROR, CHANGED, MISSING)
"""Rules under which the same file may be dropped in one run and not in the next."""

_CONCERNS_ALL = (MissingDependencyError, ModelError, ServiceUnavailableError, ResultError)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)


class SourceChangedError(VideoError):
    """A file of the input is not the one that was listed any more."""


def rule_of(error: Exception) -> str:
    """The rule under which a clip is dropped by an error."""
    return CHANGED if isinstance(error, SourceChangedError) else ERROR


def raise_what_concerns_all(error: Exception) -> None:
    """Raise an error again that every other clip would raise as well; return on any other.

    Raises:
        OpenS2VError: a model or package is missing, a service is gone, or the disk is full.
    """
    if isinstance(error, _CONCERNS_ALL):
        raise error
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NO_SPACE:
            raise ResultError(
                f"the system is out of resources: {cause.strerror}; free some, and run the same command again"
            ) from error
        cause = cause.__cause__ or cause.__context__
