"""Requests for pictures and their results, written to the disk before and after each payment.

An intent is written before a picture is requested, and the result after. A process that is killed in between leaves an
intent without a result: that picture is perhaps paid. It is requested once more and then never again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ArgumentError
from opens2v_hf.jobs.endings import Ending
from opens2v_hf.jobs.journal import open_journal
from opens2v_hf.jobs.outcome import Outcome
from opens2v_hf.pipeline.prices import Price
from opens2v_hf.pipeline.views.options import ViewOptions

MOST_TRIES = 2
"""Of a picture that is perhaps paid."""


class BudgetSpentError(Exception):
    """The budget allows no further picture."""


class Ledger:
    """The intents and results of a folder; used by several threads.

    Args:
        folder: of the files.
        options: the budget.
        price: of the model; None where it is not known.
        is_paid: whether pictures cost money.

    Raises:
        ArgumentError: there is a cap on the cost, and no price.
        ResultError: a file cannot be read.
    """

    def __init__(self, folder: Path, options: ViewOptions, price: Price | None, *, is_paid: bool) -> None:
        if options.max_cost is not None and is_paid and price is None:
            raise ArgumentError(
                f"max_cost needs the price of {options.model!r}, and the table has none; give one of your own "
                "(prices=, a JSON file), or a cap in pictures (max_calls=)"
            )
        self._journal = open_journal(folder)
        self._options = options
        self._is_paid = is_paid
        self._fixed = None if price is None else price.of_image(options.quality)
        self._under_way = 0
        self._turn = threading.Condition()
        self._calls = len(self._journal.outcomes) + sum(map(len, self._journal.all_endings.values()))
        self._costs = [
            outcome.value["cost"]
            for outcome in self._journal.outcomes.values()
            if isinstance(outcome.value, Mapping) and outcome.value.get("cost") is not None
        ]

    def known(self, key: str) -> Outcome | None:
        """The result for a picture: a value, or a refusal; None where it is not known."""
        return self._journal.get(key)

    def tries(self, key: str) -> list[str]:
        """Why each try of a picture that is perhaps paid failed."""
        reasons = [ending.reason for ending in self._journal.endings(key)]
        return [reason or "the process ended before there was an answer" for reason in reasons]

    @property
    def perhaps_paid(self) -> dict[str, list[str]]:
        """Pictures that were requested and never came, by key, with the reason of each try."""
        keys = [key for key in self._journal.all_endings if self.known(key) is None]
        return {key: self.tries(key) for key in keys}

    @property
    def spent(self) -> float:
        """Known cost of all pictures of this folder."""
        return sum(self._costs)

    @property
    def perhaps_spent(self) -> float:
        """Upper bound of the cost of pictures that never arrived, from the price of a picture."""
        lost = sum(len(endings) for endings in self._journal.all_endings.values())
        return lost * (self._estimate() or 0.0)

    def begin(self, key: str, name: str) -> None:
        """Write the intent to request a picture; when this returns, it is on the disk.

        Raises:
            BudgetSpentError: the budget allows no further picture; nothing is written.
            ResultError: it cannot be written.
        """
        with self._turn:
            # Until one reply shows what a picture costs, one request is sent at a time.
            while self._is_cost_unknown() and self._under_way:
                self._turn.wait()
            self._check_budget()
            self._journal.begin(key, name)
            self._calls += 1
            self._under_way += 1

    def made(self, key: str, value: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        """Write down a picture, which is on the disk already."""
        self._journal.add(key, Outcome(dict(value)), about)
        self._end(key, None, value.get("cost"))

    def refused(self, key: str, reason: str, about: Mapping[str, Any]) -> None:
        """Write down a refusal."""
        self._journal.add(key, Outcome(reason=reason), about)
        self._end(key, None)

    def lost(self, key: str, reason: str) -> None:
        """Write down that a picture did not come, and may have been paid."""
        self._end(key, Ending(reason))

    def unpaid(self, key: str) -> None:
        """Take an intent back: nothing was made."""
        self._end(key, None)
        with self._turn:
            self._calls -= 1

    def close(self) -> None:
        """Let go of the files."""
        self._journal.close()

    def _end(self, key: str, ending: Ending | None, cost: float | None = None) -> None:
        with self._turn:
            if cost is not None:
                self._costs.append(cost)
            self._under_way -= 1
            self._turn.notify_all()
            self._journal.end(key, ending)

    def _estimate(self) -> float | None:
        """Upper bound of the cost of a picture, from the table, else from the pictures that arrived."""
        return self._fixed if self._fixed is not None else max(self._costs, default=None)

    def _is_cost_unknown(self) -> bool:
        return self._is_paid and self._options.max_cost is not None and self._estimate() is None

    def _check_budget(self) -> None:
        calls, cost = self._options.max_calls, self._options.max_cost
        if calls is not None and self._calls >= calls:
            raise BudgetSpentError(f"the budget of {calls} pictures is spent; raise max_calls to continue")
        if cost is None or not self._is_paid:
            return
        estimate = self._estimate() or 0.0
        expected = self.spent + self.perhaps_spent + (self._under_way + 1) * estimate
        if expected > cost + 1e-9:
            raise BudgetSpentError(
                f"the budget of {cost:g} is spent: {self.spent:.3f} paid, {self.perhaps_spent:.3f} perhaps paid, and "
                f"the next picture costs about {estimate:.3f}; raise max_cost to continue"
            )
