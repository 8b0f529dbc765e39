"""Submissions for tests of the leaderboard: models that are better or worse, and one that is not to be trusted."""

from __future__ import annotations

from pathlib import Path

from helpers.submissions import RANGES, columns_of, make_submission, raw_values, replace, weights_of

from opens2v_hf.data.benchmark.ids import split_ids
from opens2v_hf.leaderboard.submissions.record import Submission

HOSTILE_NAME = (
    "<img src=x onerror=\"document.title='owned'\">**bold** [x](javascript:alert(1)) $\\frac{1}{0}$ {{value}} ${1+1}"
)
HOSTILE_LINK = "javascript:document.title='owned'"
HOSTILE_TEAM = "=HYPERLINK(\"https://example.org\")</td><script>document.title='owned'</script>"


def measured(model: str, shift: float, split: str = "open-domain", seed: int = 0, **changes) -> Submission:
    """A submission whose every raw value lies `shift` of its range above that of the others of this seed, within it."""
    values = {}
    for name, given in raw_values(split, seed).items():
        low, high = RANGES[name]
        values[name] = {i: min(max(value + shift * (high - low), low), high) for i, value in given.items()}
    columns, counts = columns_of(values)
    return replace(
        make_submission(split, seed),
        model=model,
        columns=columns,
        total=sum(weight * columns[name] for name, weight in weights_of(split).items()),
        num_videos=counts,
        per_video={i: {name: values[name][i] for name in values if i in values[name]} for i in split_ids(split)},
        **changes,
    )


def hostile(split: str = "open-domain") -> Submission:
    """A submission as validation would never let it through."""
    return measured(HOSTILE_NAME, -0.3, split, seed=5, link=HOSTILE_LINK, team=HOSTILE_TEAM, model_id="")


def write_records(folder: Path, submissions: list[Submission]) -> Path:
    """Write submissions below `folder` as the results dataset holds them."""
    for one in submissions:
        path = folder / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.to_json())
    return folder
