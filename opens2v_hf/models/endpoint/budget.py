"""Caps on the calls and tokens of an endpoint."""

from __future__ import annotations

import threading

from opens2v_hf._util import processes
from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.endpoint.breaker import JudgeStoppedError


class Budget:
    """A cap on calls and tokens, shared by all threads that use a model.

    Every request that is sent counts as a call, retries as well. Tokens are counted when a reply says how many it took,
    so calls under way at that moment can pass the cap by their own tokens, and no further call is made.

    Args:
        max_calls: requests that may be sent; None for no cap.
        max_tokens: tokens, of prompts and replies together, after which no request is sent; None for no cap.

    Raises:
        ArgumentError: a cap is no whole number from 1.
    """

    def __init__(self, max_calls: int | None = None, max_tokens: int | None = None) -> None:
        for name, cap in (("max_calls", max_calls), ("max_tokens", max_tokens)):
            if cap is not None and not is_whole(cap, 1):
                raise ArgumentError(f"{name} must be a whole number from 1, or None for no cap (got {cap!r})")
        self.max_calls = max_calls
        self.max_tokens = max_tokens
        self._tokens = 0
        self._usage = {"calls": 0, "input_tokens": 0, "output_tokens": 0}
        self._lock = threading.Lock()

    @classmethod
    def of_this_process(cls, max_calls: int | None = None, max_tokens: int | None = None) -> Budget:
        """The part of a budget that falls to this one of the processes that were launched together.

        Raises:
            ArgumentError: a cap is no whole number from 1, or too low for each process to have a part.
        """
        whole = cls(max_calls, max_tokens)
        count, index = processes.num_processes(), processes.process_index()
        caps = {"max_calls": whole.max_calls, "max_tokens": whole.max_tokens}
        for name, cap in caps.items():
            if cap is not None and cap < count:
                raise ArgumentError(f"{name} is divided among {count} processes (got {cap}); raise it, or launch fewer")
        return cls(*(None if cap is None else processes.share_of(cap, count, index) for cap in caps.values()))

    @property
    def calls(self) -> int:
        """Requests sent so far."""
        return self._usage["calls"]

    @property
    def tokens(self) -> int:
        """Tokens that replies have reported so far."""
        return self._tokens

    @property
    def usage(self) -> dict[str, int]:
        """Requests sent, and tokens that replies have reported: "calls", "input_tokens" and "output_tokens"."""
        return dict(self._usage)

    def take_call(self) -> None:
        """Count a request that is about to be sent.

        Raises:
            JudgeStoppedError: the budget is spent; nothing is counted.
        """
        with self._lock:
            if self.max_calls is not None and self.calls >= self.max_calls:
                raise JudgeStoppedError(
                    f"the budget of {self.max_calls} calls is spent; raise `max_calls=` to continue"
                )
            if self.max_tokens is not None and self._tokens >= self.max_tokens:
                raise JudgeStoppedError(
                    f"the budget of {self.max_tokens} tokens is spent ({self._tokens} used); "
                    "raise `max_tokens=` to continue"
                )
            self._usage["calls"] += 1

    def add_tokens(self, tokens: int | None) -> None:
        """Count the tokens of a reply.

        Args:
            tokens: of request and reply, as the reply reports them; None where it reports none.

        Raises:
            JudgeStoppedError: there is a cap on tokens, and the endpoint does not report them.
        """
        if tokens is None and self.max_tokens is not None:
            raise JudgeStoppedError(
                "the endpoint does not report how many tokens a reply took, so `max_tokens=` cannot be observed; "
                "use `max_calls=` instead"
            )
        with self._lock:
            self._tokens += tokens or 0

    def add_usage(self, input_tokens: int | None, output_tokens: int | None) -> None:
        """Count the tokens of a request and of its reply in `usage`; they have no cap of their own."""
        with self._lock:
            self._usage["input_tokens"] += input_tokens or 0
            self._usage["output_tokens"] += output_tokens or 0
