"""Asking for pictures: once each, with an intent before and a result after."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf._util.files import whole_file
from opens2v_hf.errors import ServiceUnavailableError
from opens2v_hf.jobs.outcome import Outcome
from opens2v_hf.models.endpoint.breaker import Breaker, JudgeStoppedError
from opens2v_hf.pipeline.views.editor import (
    Edited,
    EditLostError,
    Editor,
    EditRefusedError,
    EditRequest,
    EditUnpaidError,
)
from opens2v_hf.pipeline.views.ledger import MOST_TRIES, BudgetSpentError, Ledger
from opens2v_hf.pipeline.views.options import ViewOptions

_MOST_PROBLEMS = 200


@dataclass(frozen=True)
class Task:
    """One picture to make.

    Attributes:
        key: a digest of all that the picture follows from.
        name: for people.
        subject: of the row.
        crop: uint8 [h, w, 3], the first picture that the model is given.
        cut_out: uint8 [h, w, 3], the subject on black.
        request: for the editor.
    """

    key: str
    name: str
    subject: Mapping[str, Any]
    crop: np.ndarray
    cut_out: np.ndarray
    request: EditRequest

    @property
    def about(self) -> dict[str, Any]:
        """For people who read the ledger."""
        return {"name": self.name}


class Asking:
    """Gets pictures from the folder of those that were made, else from the editor; used by several threads.

    Args:
        folder: of the pictures.
        options: the budget.
        editor: that makes them.
        ledger: of the folder.

    Attributes:
        calls: pictures that were requested.
        not_made: subjects without a picture, by reason.
        problems: for people.
        stopped: why no further picture is requested; "" where they are.
        failure: the error behind it, if it is one.
        ledger: as given.
    """

    def __init__(self, folder: Path, options: ViewOptions, editor: Editor, ledger: Ledger) -> None:
        self._folder = folder
        self._options = options
        self._editor = editor
        self.ledger = ledger
        self._breaker = Breaker(getattr(editor, "url", editor.name))
        self._lock = threading.Lock()
        self.calls = 0
        self.not_made: Counter[str] = Counter()
        self.problems: list[str] = []
        self.stopped = ""
        self.failure: ServiceUnavailableError | None = None

    def picture(self, task: Task) -> Path | None:
        """The file of a picture; None where there is none, which is then counted."""
        known = self.ledger.known(task.key)
        if known is not None:
            return self._kept(task, known)
        tries = self.ledger.tries(task.key)
        if len(tries) >= MOST_TRIES:
            self.problem("perhaps paid", f"{task.name}: requested {len(tries)} times; the last time {tries[-1]}")
            return None
        if self.stopped:
            self._not_requested()
            return None
        try:
            self._breaker.check()
            self.ledger.begin(task.key, task.name)
        except (BudgetSpentError, ServiceUnavailableError) as stop:
            self._stop(stop)
            self._not_requested()
            return None
        return self._ask(task)

    def _ask(self, task: Task) -> Path | None:
        with self._lock:
            self.calls += 1
        try:
            edited = self._editor.edit(task.request)
        except EditRefusedError as error:
            self.ledger.refused(task.key, str(error), task.about)
            self.problem("refused by the model", f"{task.name}: {error}")
            with self._stopping():
                self._breaker.refused(task.key.encode(), str(error), for_all=False)
        except EditUnpaidError as error:
            self.ledger.unpaid(task.key)
            self.problem("no connection", f"{task.name}: {error}")
            with self._stopping():
                self._breaker.unanswered(str(error))
        except EditLostError as error:
            self.ledger.lost(task.key, str(error))
            self.problem("perhaps paid", f"{task.name}: {error}")
            with self._stopping():
                self._breaker.unanswered(str(error))
        except ServiceUnavailableError as error:
            self.ledger.unpaid(task.key)
            self._not_requested()
            self._stop(error)
        except BaseException:
            self.ledger.lost(task.key, "the process failed before the picture was kept")
            raise
        else:
            self._breaker.completed()
            return self._keep(task, edited)
        return None

    def _keep(self, task: Task, edited: Edited) -> Path:
        path = self._path(task.key)
        try:
            with whole_file(path) as temporary:
                edited.image.save(temporary, format="PNG")
            value = {
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "usage": json.loads(json.dumps(dict(edited.usage), default=str)),
                "cost": edited.cost,
            }
            self.ledger.made(task.key, value, task.about)
        except BaseException:
            self.ledger.lost(task.key, "it was made, and could not be kept")
            raise
        if edited.cost is None and self._editor.is_paid and self._options.max_cost is not None:
            self._stop(
                BudgetSpentError(
                    "the reply does not say what it took, so max_cost cannot be kept; give a price of an image "
                    "(prices=), or a cap in pictures (max_calls=)"
                )
            )
        return path

    def _kept(self, task: Task, known: Outcome) -> Path | None:
        if known.failed:
            self.problem("refused by the model", f"{task.name}: {known.reason}")
            return None
        path = self._path(task.key)
        if not path.is_file():
            self.problem("file is gone", f"{task.name}: {path} was paid for and is not there any more")
            return None
        return path

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        try:
            yield
        except ServiceUnavailableError as error:
            self._stop(error)

    def _stop(self, reason: Exception) -> None:
        if self.stopped:
            return
        self.stopped = str(reason)
        if isinstance(reason, ServiceUnavailableError):
            self.failure = reason
            self._breaker.stop(JudgeStoppedError(str(reason)))

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.png"

    def _not_requested(self) -> None:
        with self._lock:
            self.not_made["not requested"] += 1

    def problem(self, kind: str, text: str) -> None:
        """Count something that went wrong with a clip or a picture."""
        with self._lock:
            self.not_made[kind] += 1
            if len(self.problems) < _MOST_PROBLEMS:
                self.problems.append(text)
