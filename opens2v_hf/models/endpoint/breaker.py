"""Circuit breaker for a service that does not answer, or that refuses every request."""

from __future__ import annotations

import threading

from opens2v_hf.errors import ServiceUnavailableError

_MOST = 3
"""Failures in a row after which calls stop."""


class JudgeStoppedError(ServiceUnavailableError):
    """A judge answers no further call, for whichever video: a refused key, an unknown model, a spent budget."""


class Breaker:
    """Counts failures in a row over all threads, and stops every later call after a few of them.

    A call without any answer counts once, however often it was retried. Refused requests count once for each different
    request, since the same one is refused again for the same reason.

    Args:
        url: of the service, for messages.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._unanswered = 0
        self._refused: set[int] = set()
        self._ever_completed = False
        self._error: ServiceUnavailableError | None = None
        self._lock = threading.Lock()

    @property
    def in_doubt(self) -> bool:
        """Whether the last call got no answer although it was retried; the next ones need not be retried as well."""
        return self._unanswered > 0

    def check(self) -> None:
        """Let a call pass.

        Raises:
            ServiceUnavailableError: calls have stopped.
        """
        if self._error is not None:
            raise type(self._error)(str(self._error))

    def completed(self) -> None:
        """Count a call that was answered."""
        with self._lock:
            self._ever_completed = True
            self._unanswered = 0
            self._refused.clear()

    def unanswered(self, reason: str) -> None:
        """Count a call that got no answer.

        Raises:
            ServiceUnavailableError: it was one too many.
        """
        with self._lock:
            self._unanswered += 1
            if self._unanswered >= _MOST:
                self._error = self._error or ServiceUnavailableError(
                    f"{self._url} gave no answer to {self._unanswered} calls in a row and is not called again in this "
                    f"run; the last: {reason}"
                )
        self.check()

    def refused(self, request: bytes, reason: str, *, for_all: bool) -> None:
        """Count a request that was answered with a refusal.

        Args:
            request: what was sent.
            reason: in the service's words.
            for_all: whether the status speaks about the key, the model or the address, and not about the request.

        Raises:
            JudgeStoppedError: nothing but refusals can be expected.
        """
        with self._lock:
            self._unanswered = 0
            self._refused.add(hash(request))
            in_a_row = len(self._refused) >= _MOST
            if (for_all or in_a_row) if not self._ever_completed else (for_all and in_a_row):
                self._error = self._error or JudgeStoppedError(reason)
        self.check()

    def stop(self, error: JudgeStoppedError) -> None:
        """Let no further call pass."""
        self._error = self._error or error
