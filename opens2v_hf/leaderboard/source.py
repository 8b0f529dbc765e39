"""The source of the leaderboard's numbers: the Hub, or a copy in the package if the Hub cannot be reached."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Thread
from time import monotonic
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from opens2v_hf._util.numbers import is_number
from opens2v_hf.errors import HubError, OpenS2VError
from opens2v_hf.hub.client import hub_errors
from opens2v_hf.hub.eval_results import task_ids
from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.leaderboard.boards import Boards
from opens2v_hf.leaderboard.rows import HubScores
from opens2v_hf.leaderboard.sanitize import plain
from opens2v_hf.leaderboard.submissions.record import Submission, load_submissions
from opens2v_hf.leaderboard.submissions.remote import DATA_FOLDER
from opens2v_hf.models.info import EMBEDDED_NOTE

RESULTS_NAME, BENCHMARK_NAME = "opens2v-results", "opens2v-eval"
MAX_AGE_S = 600.0
_TIMEOUT_S = 15.0
_MOST_PROBLEMS = 3


@dataclass(frozen=True)
class Origin:
    """The origin of the displayed numbers."""

    live: bool  # whether the last attempt read them from the Hub
    words: str  # a sentence
    short: str  # two or three words
    problems: tuple[str, ...] = ()  # why files were skipped, a sentence each


@dataclass(frozen=True)
class Repos:
    """The repos on the Hub to read; None for none."""

    results: str | None = None  # the results dataset
    benchmark: str | None = None  # the dataset whose leaderboard on the Hub is read


def repos_of_the_space() -> Repos:
    """The results dataset and the benchmark of this Space's owner; environment variables name others.

    They are `OPENS2V_RESULTS` and `OPENS2V_BENCHMARK`.
    """
    owner = os.environ.get("SPACE_ID", "").partition("/")[0]
    default = Repos(f"{owner}/{RESULTS_NAME}", f"{owner}/{BENCHMARK_NAME}") if owner else Repos()
    return Repos(
        os.environ.get("OPENS2V_RESULTS") or default.results, os.environ.get("OPENS2V_BENCHMARK") or default.benchmark
    )


class Source:
    """The boards, read from the Hub and refreshed when they are old.

    The last boards are displayed during a refresh, and if the Hub does not answer.

    Args:
        repos: on the Hub.
        snapshot: folder or file of records if the Hub cannot be reached; the package's own by default.
        max_age_s: seconds after which they are refreshed.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        repos: Repos,
        snapshot: Path | None = None,
        *,
        max_age_s: float = MAX_AGE_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.repos = repos
        self._max_age_s, self._clock = max_age_s, clock
        self._lock = Lock()
        self._reading: Thread | None = None
        self._boards, self._origin = _shipped(snapshot or hub_folder("dataset_scripts", RESULTS_NAME))
        self._copy = self._origin.words
        self._read_at = clock()
        if repos.results is not None:
            self.read()

    def current(self) -> tuple[Boards, Origin]:
        """The boards to display; old ones are refreshed in the background."""
        with self._lock:
            old = self._clock() - self._read_at > self._max_age_s
            idle = self._reading is None or not self._reading.is_alive()
            if old and idle and self.repos.results is not None:
                self._reading = Thread(target=self.read, daemon=True)
                self._reading.start()
            return self._boards, self._origin

    def read(self) -> None:
        """Read from the Hub now."""
        try:
            boards, origin = self._from_hub()
        except OpenS2VError as error:
            words = f"{self._copy} The Hub does not answer: {plain(str(error), longest=200)}"
            with self._lock:
                self._origin, self._read_at = Origin(False, words, "Hub not reached"), self._clock()
            return
        with self._lock:
            if (boards.submissions, boards.hub) != (self._boards.submissions, self._boards.hub):
                self._boards = boards
            self._origin, self._read_at = origin, self._clock()
            self._copy = f"These are the results of {_now()}."

    def _from_hub(self) -> tuple[Boards, Origin]:
        assert self.repos.results is not None  # noqa: S101 - for the type checker; `read` is not called without
        api, problems = HfApi(), list[str]()
        with hub_errors(api):
            # first, because a failed download silently falls back on the cache
            info = api.dataset_info(self.repos.results, timeout=_TIMEOUT_S)
        submissions = load_submissions(self.repos.results, revision=info.sha, on_error=problems.append)
        names = [file.rfilename for file in info.siblings or ()]
        expected = sum(name.startswith(f"{DATA_FOLDER}/") and name.endswith(".json") for name in names)
        if len(submissions) + len(problems) != expected:
            raise HubError(f"only {len(submissions) + len(problems)} of {expected} records could be downloaded")
        shown_problems = [plain(problem, longest=200) for problem in problems[:_MOST_PROBLEMS]]
        if len(problems) > _MOST_PROBLEMS:
            shown_problems.append(f"{len(problems) - _MOST_PROBLEMS} more files of the results dataset cannot be read.")
        hub: Sequence[HubScores] = ()
        if self.repos.benchmark is not None:
            try:
                hub = read_hub_scores(self.repos.benchmark)
            except HubError as error:
                shown_problems.append(f"The Hub's own leaderboard of {self.repos.benchmark} is left out: {error}")
        words = f"Read from {self.repos.results} on the Hub on {_now()}."
        return Boards(submissions, hub), Origin(True, words, "live from the Hub", tuple(shown_problems))


def read_hub_scores(benchmark: str, *, token: str | bool | None = None) -> list[HubScores]:
    """The scores in model repos, from the Hub's own leaderboards of the benchmark, one a task.

    A value outside of 0..100, or of the embedded models, is skipped.

    Raises:
        HubError: the Hub cannot be reached, or the dataset has no leaderboard.
    """
    api = HfApi(token=token)
    found = []
    for task, split in task_ids().items():
        for entry in _leaderboard(api, benchmark, task):
            model_id, total, number = entry.get("modelId"), _fraction(entry.get("value")), entry.get("pullRequest")
            if isinstance(model_id, str) and total is not None and EMBEDDED_NOTE not in str(entry.get("notes")):
                found.append(HubScores(model_id, split, total, number if isinstance(number, int) else None))
    return sorted(found, key=lambda one: (one.model_id, one.split))


def _leaderboard(api: HfApi, benchmark: str, task: str) -> list[dict[str, Any]]:
    # `HfApi.get_dataset_leaderboard` does not let one choose the task
    with hub_errors(api):
        answer = get_session().get(
            f"{api.endpoint}/api/datasets/{benchmark}/leaderboard",
            params={"task_id": task},
            headers=build_hf_headers(token=api.token),
            timeout=_TIMEOUT_S,
        )
        hf_raise_for_status(answer)
    try:
        entries = answer.json()
    except ValueError as error:
        raise HubError(f"the Hub's leaderboard of {benchmark} is not JSON") from error
    if not isinstance(entries, list):
        raise HubError(f"the Hub's leaderboard of {benchmark} is not a list")
    return [entry for entry in entries if isinstance(entry, dict)]


def _shipped(snapshot: Path) -> tuple[Boards, Origin]:
    submissions: list[Submission] = load_submissions(snapshot)
    newest = max(one.submitted_at for one in submissions)[:10]
    words = f"This is the copy that is part of this page, with results up to {newest}."
    return Boards(submissions), Origin(False, words, f"copy of {newest}")


def _fraction(percent: object) -> float | None:
    """A percentage as a value in 0..1; None for anything else."""
    if not is_number(percent, 0, 100):
        return None
    return percent / 100


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
