"""Scores in a model's repo: `.eval_results/opens2v-eval.yaml`, which the Hub shows on the model's page and ranks.

One entry a split, with the total; its notes hold the columns. Entries of others are not changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from opens2v_hf.data.benchmark.split import DEFAULT_REPO
from opens2v_hf.errors import ResultError
from opens2v_hf.models.info import EMBEDDED_NOTE
from opens2v_hf.results.columns import column_metrics
from opens2v_hf.results.comparability import is_unavoidable, other_reasons, partial_reasons, public_caveats, public_name
from opens2v_hf.results.result import MetricResult, RunResult
from opens2v_hf.scores.scorecard import SPLITS, ColumnScore, Scorecard

FILE = ".eval_results/opens2v-eval.yaml"
BENCHMARK = DEFAULT_REPO
SOURCE_NAME = "opens2v-hf"
"""Marks the entries of this package, which it may replace."""


def task_id(split: str) -> str:
    """The benchmark's task for the total of a split, as its `eval.yaml` registers it.

    Example:
        >>> task_id("open-domain")
        'open_domain_total'
    """
    return f"{split.replace('-', '_')}_total"


def task_ids() -> dict[str, str]:
    """Every task to its split."""
    return {task_id(split): split for split in SPLITS}


def eval_entries(
    result: RunResult,
    card: Scorecard,
    *,
    benchmark: str = BENCHMARK,
    revision: str | None = None,
    source_url: str | None = None,
    user: str | None = None,
) -> list[EvalResultEntry]:
    """The entry of a result: its total in percent with two decimals, as the published tables have it.

    Args:
        result: of a scoring run.
        card: its scorecard.
        benchmark: the benchmark's dataset repo.
        revision: its commit.
        source_url: page about the evaluation; the benchmark's by default.
        user: on the Hub, who evaluated.

    Raises:
        ResultError: columns are missing, so that there is no total.
    """
    if card.total is None:
        raise ResultError(
            f"the result of {result.model!r} has no total, as the columns {', '.join(card.missing_columns)} are "
            "missing; score them: the Hub's leaderboards take the total of a split"
        )
    return [
        EvalResultEntry(
            dataset_id=benchmark,
            task_id=task_id(card.split),
            value=round(100 * card.total, 2),
            dataset_revision=revision,
            date=result.created_at[:10] or None,
            source_url=source_url or f"https://huggingface.co/datasets/{benchmark}",
            source_name=SOURCE_NAME,
            source_user=user,
            notes=_notes(result, card),
        )
    ]


def merge_entries(present: str, entries: Sequence[EvalResultEntry]) -> str:
    """The content of the file with these entries.

    An entry of this package for the same task is replaced in its position; the text of other entries is unchanged, with
    its comments, if the file is a plain block sequence; new entries are appended.

    Args:
        present: the file's content; empty without a file.
        entries: to write.

    Raises:
        ResultError: `present` is not a list of entries.
    """
    held = _parse(present)
    merged: list[dict[str, Any]] = []
    made = {_key(entry): entry for entry in eval_result_entries_to_yaml(list(entries))}
    for entry in held:
        if not _is_own(entry):
            merged.append(entry)
        elif _key(entry) in made:
            merged.append(made.pop(_key(entry)))
        elif _key(entry) not in {_key(other) for other in merged if _is_own(other)}:
            merged.append(entry)
    merged += made.values()
    if merged == held:
        return present
    texts = dict(zip(map(id, held), _texts(present), strict=False))
    return "".join(texts.get(id(entry)) or _dump(entry) for entry in merged)


def _dump(entry: dict[str, Any]) -> str:
    return yaml.safe_dump([entry], sort_keys=False, allow_unicode=True, width=100)


def _texts(content: str) -> list[str]:
    """The text of each entry, with the comments above it; empty for a form whose entries cannot be copied one by one.

    A dump would change what YAML 1.1 and 1.2 read differently: 12:30, on, 1_000.
    """
    content = content.removeprefix("\ufeff")
    root = yaml.compose(content, Loader=yaml.SafeLoader)
    lines = content.splitlines(keepends=True)
    has_alias = any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content, Loader=yaml.SafeLoader))
    if not isinstance(root, yaml.SequenceNode) or root.flow_style or root.start_mark.column or has_alias:
        return []
    if any(line.startswith("...") for line in lines):
        return []
    starts = [
        max(number for number in range(item.start_mark.line + 1) if re.match(r"-(?!--)", lines[number]))
        for item in root.value
    ]
    for position, start in enumerate(starts):
        while position and lines[start - 1].startswith("#"):
            start -= 1
        starts[position] = start
    begins, ends = [0, *starts[1:]], [*starts[1:], len(lines)]
    texts = ["".join(lines[begin:end]).rstrip("\n") + "\n" for begin, end in zip(begins, ends, strict=True)]
    try:  # a "#" may begin a line of a quoted text, and a text may end with empty lines
        is_same = [yaml.safe_load(text) for text in texts] == [[entry] for entry in yaml.safe_load(content)]
    except yaml.YAMLError:
        return []
    return texts if is_same else []


def _parse(content: str) -> list[dict[str, Any]]:
    try:
        entries = yaml.safe_load(content) if content.strip() else []
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        raise ResultError(f"{FILE} in the model's repo is not valid YAML ({why}); fix it first") from error
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("dataset"), dict) for entry in entries
    ):
        raise ResultError(f"{FILE} in the model's repo must be a list of evaluation results; fix it first")
    return entries


def _key(entry: dict[str, Any]) -> tuple[Any, Any]:
    return entry["dataset"].get("id"), entry["dataset"].get("task_id")


def _is_own(entry: dict[str, Any]) -> bool:
    source = entry.get("source")
    return (
        isinstance(source, dict)
        and source.get("name") == SOURCE_NAME
        and "verifyToken" not in entry
        and all(isinstance(part, str) for part in _key(entry))
    )


def _notes(result: RunResult, card: Scorecard) -> str:
    """A line about how the total was computed."""
    parts = [
        f"OpenS2V-Eval {card.version}, {card.scoring} scoring, in percent",
        f"{result.coverage.found} of {result.coverage.expected} videos",
        f"opens2v-hf {result.package.get('opens2v-hf', 'unknown')}",
    ]
    if card.interval is not None:
        parts.append(f"95 % interval over prompts {100 * card.interval[0]:.2f} to {100 * card.interval[1]:.2f}")
    metrics = column_metrics(result)
    if any(metric.embedded for metric in metrics.values()):
        parts.append(EMBEDDED_NOTE)
    parts += [*partial_reasons(result, card), *other_reasons(result)]
    caveats = [(name, caveat) for name, metric in metrics.items() for caveat in public_caveats(metric)]
    parts += [f"{name}: {caveat}" for name, caveat in caveats if is_unavoidable(name, caveat)]
    parts += [_column(card.columns[name], metrics[name]) for name in card.columns if name in metrics]
    return "; ".join(parts)


def _column(column: ColumnScore, metric: MetricResult) -> str:
    if column.normalised is None:
        return f"{column.title} without a value"
    models = "".join(
        f", {model.role} {public_name(model)}" + (f"@{model.revision[:19]}" if model.revision else "")
        for model in metric.models
    )
    return f"{column.title} {100 * column.normalised:.2f} (mean of {column.num_videos} videos{models})"
