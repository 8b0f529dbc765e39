"""Until when hosted models answer, as far as their makers have said so."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta

from opens2v_hf.errors import ModelError

SHUTDOWN_DATES = {"gpt-4o-2024-11-20": date(2027, 1, 14)}
"""Hosted model, as its maker's own endpoint names it, to the first day on which it is no longer served."""

WARNING_DAYS = 30
"""Days before the shutdown from which on a warning is given."""

OTHER_JUDGES = (
    "name the open judge, which has an edition of its own (`judge=naturalscore-open-1`), another one "
    "(`judge=openai:<model>`, or `judge=Qwen/Qwen2.5-VL-7B-Instruct` to run it here), or a server that still has the "
    "model (`base_url=`); scores of another judge are not comparable with the leaderboard"
)
"""Alternatives to the model, for messages."""


class ShutdownWarning(UserWarning):
    """A hosted model will soon answer no more."""


def utc_date(seconds: float) -> date:
    """The day in UTC of a time in seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).date()


def days_left(model: str, today: date) -> int | None:
    """Days until the maker shuts a model down, 0 and below from that day on; None where no date is known.

    Example:
        >>> days_left("gpt-4o-2024-11-20", date(2027, 1, 4)), days_left("my-model", date(2027, 1, 4))
        (10, None)
    """
    shutdown = SHUTDOWN_DATES.get(model)
    return None if shutdown is None else (shutdown - today) // timedelta(days=1)


def check_lifetime(model: str, today: date) -> None:
    """Warn from 30 days before a model's maker shuts it down, and refuse from that day on.

    Args:
        model: as the maker's own endpoint names it.
        today: the day in UTC.

    Raises:
        ModelError: the model is shut down; the message says what can be used instead.
    """
    left = days_left(model, today)
    if left is None or left > WARNING_DAYS:
        return
    shutdown = SHUTDOWN_DATES[model].isoformat()
    if left <= 0:
        raise ModelError(f"the judge {model!r} was shut down by its maker on {shutdown}; {OTHER_JUDGES}")
    warnings.warn(
        f"the judge {model!r} is shut down by its maker on {shutdown}, in {left} days; from then on {OTHER_JUDGES}",
        ShutdownWarning,
        stacklevel=2,
    )
