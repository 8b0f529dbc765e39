"""Comparison of a reproduced row with the published one by columns, and the differences in how they were made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opens2v_hf.data.benchmark.ids import PROMPT_SHA256
from opens2v_hf.generators.recipe import SEED
from opens2v_hf.leaderboard.reproduction.published_rows import SEED_SETTING, PublishedRow
from opens2v_hf.leaderboard.submissions.record import Submission
from opens2v_hf.results.compare_text import signed_percent
from opens2v_hf.results.result import RunResult, notes
from opens2v_hf.results.table import aligned, not_scored, percent, percent_interval, wrapped
from opens2v_hf.scores.scorecard import Scorecard

TOTAL = "total"


@dataclass(frozen=True)
class ReproducedColumn:
    """A column of a published row, and its value here.

    Attributes:
        name: of the metric; "total" for the total.
        title: as the published tables spell it.
        published: in 0..1.
        measured: in 0..1; None if there is none.
        interval: 95 % bootstrap interval of `measured` over prompts; None if there is none.
        num_videos: that `measured` rests on; None for the total.
        remark: videos that are missing or left out.
    """

    name: str
    title: str
    published: float
    measured: float | None
    interval: tuple[float, float] | None
    num_videos: int | None = None
    remark: str = ""

    @property
    def difference(self) -> float | None:
        """Measured minus published, in 0..1."""
        return None if self.measured is None else self.measured - self.published

    @property
    def within(self) -> bool | None:
        """Whether the published value is in the interval; None without an interval."""
        return None if self.interval is None else self.interval[0] <= self.published <= self.interval[1]


@dataclass(frozen=True)
class Reproduction:
    """A published row, and the result of scoring it again.

    Attributes:
        row: the published one.
        result: of this run.
        is_upstream: whether the videos are those in upstream's repo.
    """

    row: PublishedRow
    result: RunResult
    is_upstream: bool = False

    @property
    def published(self) -> Submission:
        """The published numbers of the split."""
        return self.row.splits[self.result.split]

    @property
    def columns(self) -> list[ReproducedColumn]:
        """The total, and the columns of the split that have a published value."""
        card: Scorecard = self.result.scorecard(version=self.published.version, scoring=self.published.scoring)
        interval = None if card.partial else card.interval
        found = [ReproducedColumn(TOTAL, "Total", self.published.total, card.total, interval)]
        for name, value in self.published.columns.items():
            column = card.columns[name]
            found.append(
                ReproducedColumn(
                    name, column.title, value, column.normalised, column.interval, column.num_videos, not_scored(column)
                )
            )
        return found

    @property
    def differences(self) -> list[str]:
        """Known and possible differences from the published row, a sentence each, the most important first."""
        result, row = self.result, self.row
        found = list(notes([result]))
        if result.benchmark.get("sha256") != PROMPT_SHA256.get(result.split):
            found.append(f"the prompts are not the released ones of {result.split}")
        if missing := len(result.coverage.missing):
            found.append(f"{missing} of {result.coverage.expected} samples have no video")
        if result.generation is not None:
            found += self._of_the_recipe(dict(result.generation.recipe), result.generation.seed)
        elif not self.is_upstream:
            found.append(f"the videos were given ({result.source}); nothing here shows that they are upstream's")
        found += [f"not published: {setting}" for setting in row.unknown]
        found.append("the published numbers are rounded to 0.01 points and have no intervals")
        return found

    def _of_the_recipe(self, recipe: dict[str, Any], seed: int) -> list[str]:
        """Differences of the settings of this run from the defaults of the authors."""
        found = [
            f"{name} is {recipe.get(name)}, in the authors' script {setting.value} ({setting.source})"
            for name, setting in self.row.settings.items()
            if name != SEED_SETTING and recipe.get(name) != setting.value
        ]
        if self.row.seed not in (None, seed):
            rule = "the benchmark's rule" if seed == SEED else "chosen here"
            found.append(f"the seed is {seed} ({rule}), in the authors' script {self.row.seed}")
        unset = [
            name for name in ("width", "height", "steps", "guidance", "flow_shift") if name not in self.row.settings
        ]
        taken = {name: recipe[name] for name in unset if name in recipe}
        if taken:
            listed = ", ".join(f"{name} {value}" for name, value in taken.items())
            found.append(f"unknown settings have the model's defaults: {listed}")
        found += [
            f"{name}, in the authors' script: {setting.value} ({setting.source})"
            for name, setting in self.row.text.items()
            if not (name == "negative prompt" and recipe.get("negative_prompt"))
        ]
        found.append("the seeds of other libraries, devices and versions give other videos; only these are recorded")
        return found

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict."""
        return {
            "row": self.row.name,
            "split": self.result.split,
            "source": self.result.source,
            "is_upstream": self.is_upstream,
            "columns": [
                {**vars(column), "difference": column.difference, "published_within_interval": column.within}
                for column in self.columns
            ],
            "differences": self.differences,
            "published_by": self.published.provenance.source,
        }

    def format(self, width: int | None = None) -> str:
        """As text: a table, and what differs.

        Args:
            width: of the terminal; by default there is no limit.
        """
        lines = [["column", "published", "measured", "95 % interval", "difference", "published in interval", "videos"]]
        for column in self.columns:
            lines.append(
                [
                    column.title,
                    percent(column.published),
                    percent(column.measured),
                    percent_interval(column.interval),
                    "" if column.difference is None else signed_percent(column.difference),
                    {None: "", True: "yes", False: "no"}[column.within],
                    "" if column.num_videos is None else str(column.num_videos),
                ]
            )
        made = "generated" if self.result.generation is not None else f"videos of {self.result.source}"
        title = f"{self.row.name}, {self.result.split}: {made}; in percent of a column's range"
        remarks = [f"{column.title}: {column.remark}" for column in self.columns if column.remark]
        listed = [wrapped(f"- {words}", width) for words in self.differences]
        said = [wrapped(title, width), aligned(lines, width), *(wrapped(words, width) for words in remarks)]
        return "\n".join([*said, "what differs, or may differ, from the published row:", *listed])

    def __str__(self) -> str:
        return self.format()
