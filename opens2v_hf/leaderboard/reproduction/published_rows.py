"""The published rows: their numbers, and the public settings of their videos."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ArgumentError
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.generators.repos import known_repo
from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.leaderboard.submissions.record import Submission, load_submissions
from opens2v_hf.leaderboard.submissions.validation.names import confusable_key
from opens2v_hf.scores.scorecard import SPLITS

RECIPES = Path(__file__).with_name("recipes.yaml")
SEED_SETTING = "seed"


@dataclass(frozen=True)
class Setting:
    """A setting of a published row."""

    value: Any  # a number or a text
    source: str  # file of the authors' repository that has it


@dataclass(frozen=True)
class PublishedRow:
    """A model of the published tables."""

    name: str  # as the tables have it
    link: str  # of its page
    splits: Mapping[str, Submission]  # split to the published numbers
    model: str | None = None  # Hub id of a pipeline of diffusers with the same weights; None if there is none
    repo: str | None = None  # Hub id of the released weights; None if unknown
    # by the name of the recipe's setting, and "seed": defaults of the authors' scripts
    settings: Mapping[str, Setting] = field(default_factory=dict)
    text: Mapping[str, Setting] = field(default_factory=dict)  # further settings as text
    unknown: tuple[str, ...] = ()  # names of unknown settings

    @property
    def seed(self) -> int | None:
        """The seed of the authors' script; None if unknown."""
        found = self.settings.get(SEED_SETTING)
        return None if found is None else found.value

    @property
    def recipe(self) -> Recipe:
        """The known settings as arguments of a generator."""
        known = {name: setting.value for name, setting in self.settings.items() if name != SEED_SETTING}
        return Recipe(**known, source=f"the authors' defaults for the published row {self.name}" if known else "")

    @property
    def why_not_new(self) -> str:
        """Why the name is not enough to generate its videos; empty if it is."""
        if self.model is not None:
            return ""
        known = None if self.repo is None else known_repo(self.repo)
        if known is not None and known.refusal:
            return known.refusal
        if self.repo is not None:
            return f"no pipeline of diffusers has the weights of {self.repo}"
        return "its weights are not published as a pipeline of diffusers"

    def split_or_first(self, split: str | None) -> str:
        """A split on which the row is published: the given one, or the first.

        Raises:
            ArgumentError: it is not published on that split.
        """
        if split is None:
            return next(name for name in SPLITS if name in self.splits)
        if split not in self.splits:
            have = ", ".join(name for name in SPLITS if name in self.splits)
            raise ArgumentError(f"{self.name} is not published on {split!r}, only on {have}; choose one with `split=`")
        return split


@cache
def published_rows() -> dict[str, PublishedRow]:
    """The models of the published tables by name, in the tables' order."""
    import yaml

    recipes = yaml.safe_load(RECIPES.read_text("utf-8"))
    found: dict[str, dict[str, Submission]] = {}
    for one in load_submissions(hub_folder("dataset_scripts", "opens2v-results")):
        found.setdefault(one.model, {})[one.split] = one
    return {name: _row(name, splits, recipes.get(name, {})) for name, splits in found.items()}


def published_row(name: str) -> PublishedRow:
    """The row of a model, whose name may be written in another case, and without a date in brackets.

    Raises:
        ArgumentError: the row is unknown.
    """
    if not isinstance(name, str) or not name.strip():
        raise ArgumentError(f"a published row is named as its table has it, e.g. VACE-1.3B (got {name!r})")
    rows = published_rows()
    for wanted in (name, name.partition("(")[0]):
        for row in rows.values():
            if confusable_key(wanted) in (confusable_key(row.name), confusable_key(row.name.partition("(")[0])):
                return row
    by_lower = {known.lower(): known for known in rows}
    near = [by_lower[one] for one in difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.4)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(rows)}"
    raise ArgumentError(f"no published row is named {name!r}; {hint}")


def _row(name: str, splits: dict[str, Submission], facts: Mapping[str, Any]) -> PublishedRow:
    sources = facts.get("sources", {})

    def settings(part: str) -> dict[str, Setting]:
        return {key: Setting(value, sources[source]) for key, (value, source) in facts.get(part, {}).items()}

    return PublishedRow(
        name=name,
        link=next(iter(splits.values())).link,
        splits=splits,
        model=facts.get("model"),
        repo=facts.get("repo", facts.get("model")),
        settings=settings("settings"),
        text=settings("text"),
        unknown=tuple(facts.get("open", ())),
    )
