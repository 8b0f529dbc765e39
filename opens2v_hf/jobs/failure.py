"""From an exception to the outcome of the unit that raised it: which errors fail a unit, and which end the run."""

from __future__ import annotations

from opens2v_hf._util.retries import free_memory, is_out_of_memory, may_pass
from opens2v_hf.errors import (
    ArgumentError,
    EndpointError,
    ImageError,
    JudgeError,
    MaskError,
    MissingDependencyError,
    ModelError,
    OpenS2VError,
    ProcessError,
    ResultError,
    SampleError,
    ServiceUnavailableError,
    SourceError,
    VideoError,
)
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.outcome import Outcome, Retry, plain

_ENDS_THE_RUN = (ArgumentError, MissingDependencyError, ModelError, ProcessError, ResultError)
"""Every other unit would raise them, or nothing more can be written."""
_IN_THE_INPUT = (ImageError, MaskError, SourceError, VideoError)
"""The same input fails again."""
_IN_A_SERVICE = (EndpointError, JudgeError, SampleError)


def failure(error: Exception, what: str, *, otherwise: Retry = Retry.NEVER, errors: ErrorLog | None = None) -> Outcome:
    """The outcome of a unit that raised; an error that ends the run is raised again.

    Args:
        error: that was raised.
        what: the unit, for the reason.
        otherwise: when to retry a fault of the input.
        errors: gets the traceback of an unexpected error; by default it is logged at level DEBUG.

    Raises:
        OpenS2VError: the error itself, if every other unit would raise it as well.
    """
    if isinstance(error, _ENDS_THE_RUN):
        raise error
    if isinstance(error, ServiceUnavailableError):
        return Outcome(reason=plain(str(error)), retry=Retry.NEXT_RUN)
    text = _text_of(error)
    if is_out_of_memory(error):
        free_memory()
        kind = type(error).__name__ + (f": {text}" if text else "")
        reason = f"{what}: there is not enough memory ({kind}); lower `batch_tokens=`, or use `memory=low`"
        return Outcome(reason=plain(reason), retry=Retry.NEXT_RUN)
    is_expected = isinstance(error, OpenS2VError) or (isinstance(error, OSError) and otherwise is not Retry.NEVER)
    if is_expected or may_pass(error):
        if may_pass(error) or (isinstance(error, _IN_A_SERVICE) and otherwise is Retry.NEVER):
            otherwise = Retry.THIS_RUN
        elif not isinstance(error, _IN_THE_INPUT):
            otherwise = Retry.NEXT_RUN
        reason = str(error) if is_expected and text else f"{what}: {type(error).__name__}: {text}"
        return Outcome(reason=plain(reason), retry=otherwise)
    log = errors or ErrorLog()
    log.write(what, error)
    reason = f"{what}: an unexpected error ({type(error).__name__}: {text}); {log.advice}"
    return Outcome(reason=plain(reason), retry=Retry.NEXT_RUN)


def _text_of(error: Exception) -> str:
    try:
        return " ".join(str(error).split())
    except Exception:  # the error class is broken
        return "its message cannot be read"
