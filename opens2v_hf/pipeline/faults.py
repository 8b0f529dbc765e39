"""What costs one clip, and what ends a build."""

from __future__ import annotations

import errno

from opens2v_hf.errors import MissingDependencyError, ModelError, ResultError, ServiceUnavailableError

ERROR = "error"
"""The rule under which clips are dropped with which something went wrong."""

_CONCERNS_ALL = (MissingDependencyError, ModelError, ServiceUnavailableError, ResultError)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)


def raise_what_concerns_all(error: Exception) -> None:
    """Raise an error that every other clip would meet as well; nothing is done about others.

    Raises:
        OpenS2VError: a model or package is missing, a service is gone, or the disk is full.
    """
    if isinstance(error, _CONCERNS_ALL):
        raise error
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NO_SPACE:
            raise ResultError(
                f"the system refuses more: {cause.strerror}; free some, and run the same command again"
            ) from error
        cause = cause.__cause__ or cause.__context__
