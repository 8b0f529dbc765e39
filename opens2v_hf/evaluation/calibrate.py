"""Calibration: whether the models of this installation reproduce known numbers.

Two golden inputs, drawn by this package, are scored with every metric, and compared with the numbers in
`calibration.json`, which were measured on named hardware. Rows without numbers are for models that were not run yet.
"""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf.data.benchmark.split import EvalSplit, open_split
from opens2v_hf.data.images import read_image
from opens2v_hf.data.synthetic.eval_layout import eval_scene, write_eval
from opens2v_hf.data.synthetic.simulated import simulate
from opens2v_hf.errors import ArgumentError, OpenS2VError
from opens2v_hf.evaluation.request import MetricModels, model_choices
from opens2v_hf.evaluation.run import package_versions
from opens2v_hf.metrics.base import score_clip
from opens2v_hf.metrics.registry import DEFAULT_METRICS, METRICS, load_metrics, metric_entry
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.roles import ROLES
from opens2v_hf.scores.scorecard import COLUMNS
from opens2v_hf.video.frames_in_memory import ArrayVideo

GOLDEN_IDS = ("humanobj_1", "singleobj_1")
"""Ids in the synthetic sample; each metric applies to at least one of them."""

FULL = "float32"
PRECISIONS = ("float16", "bfloat16")
TOLERANCES = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 3e-2}
"""Tolerance of a golden value by dtype, as a share of the range of its column: devices round differently."""

_FILE = Path(__file__).with_name("calibration.json")
_FPS = 8.0


@dataclass(frozen=True)
class Known:
    """A row of the table of known numbers.

    Attributes:
        metric: name.
        models: role to name, and role to revision where it is known.
        revisions: see `models`.
        dtype: of the weights.
        hardware: on which it was measured.
        libraries: name to version.
        values: golden id to value; empty if it was not run yet.
        tolerance: largest accepted difference.
    """

    metric: str
    models: Mapping[str, str]
    revisions: Mapping[str, str]
    dtype: str
    hardware: str
    libraries: Mapping[str, str]
    values: Mapping[str, float]
    tolerance: float


@dataclass(frozen=True)
class Measured:
    """The values of this installation.

    Attributes:
        metric: name.
        dtype: requested; "float32" for metrics whose models take none.
        models: role to name.
        revisions: role to commit or checksum, where it is known.
        device: of the models.
        values: golden id to value; None for a failure.
        problem: why a value is missing; empty if none is.
    """

    metric: str
    dtype: str
    models: Mapping[str, str]
    revisions: Mapping[str, str]
    device: str
    values: Mapping[str, float | None]
    problem: str = ""


@dataclass(frozen=True)
class Verdict:
    """Comparison of a measurement with known values.

    Attributes:
        measured: see `Measured`.
        known: the row of comparison; None if there is no number for these models and this dtype.
        difference: largest absolute difference from the known values; None without a row.
        from_full: largest absolute difference from float32 on this machine; None for float32 itself.
    """

    measured: Measured
    known: Known | None
    difference: float | None
    from_full: float | None

    @property
    def state(self) -> str:
        """One of "known", "differs", "unknown" (no number to compare with) and "failed"."""
        if self.measured.problem:
            return "failed"
        if self.known is None or self.difference is None:
            return "unknown"
        return "known" if self.difference <= self.known.tolerance else "differs"


def known_numbers() -> tuple[str, list[Known]]:
    """Checksum of the golden inputs of the table, and its rows."""
    record = json.loads(_FILE.read_text(encoding="utf-8"))
    return record["inputs_sha256"], [Known(**row) for row in record["rows"]]


class Golden:
    """The golden inputs, drawn into a folder.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        write_eval(folder, per_category=1)
        self.split: EvalSplit = open_split("open-domain", data_dir=str(folder))
        self.samples = {sample.id: sample for sample in self.split.samples if sample.id in GOLDEN_IDS}
        self.frames = {name: np.stack(list(simulate("perfect", eval_scene(name)))) for name in GOLDEN_IDS}

    @property
    def sha256(self) -> str:
        """Of all pixels and texts; differs if other versions of the drawing libraries give other pixels."""
        digest = hashlib.sha256()
        for name in GOLDEN_IDS:
            digest.update(self.frames[name].tobytes())
            digest.update(self.samples[name].prompt.encode())
            for subject in self.samples[name].subjects:
                digest.update(np.asarray(read_image(self.split.picture_path(subject))).tobytes())
        return digest.hexdigest()


@checked
def calibrate(
    metrics: Sequence[str] | None = None,
    metric_models: MetricModels = None,
    *,
    device: str | None = None,
    precisions: Sequence[str] = PRECISIONS,
) -> tuple[bool, list[Verdict]]:
    """Score the golden inputs and compare.

    Args:
        metrics: names; by default `registry.DEFAULT_METRICS`.
        metric_models: see `opens2v_hf.score`.
        device: of the models.
        precisions: dtypes in addition to float32, for metrics with a network that takes one.

    Returns:
        Whether the golden inputs are those of the table, and a verdict for each metric and dtype. The verdict of a
        metric that cannot be loaded has the reason.

    Raises:
        ArgumentError: an unknown metric, dtype or model.
    """
    names = list(DEFAULT_METRICS if metrics is None else metrics)
    for name in names:
        metric_entry(name)
    if wrong := [dtype for dtype in precisions if dtype not in PRECISIONS]:
        raise ArgumentError(f"precisions must be among {', '.join(PRECISIONS)} (got {wrong[0]!r})")
    expected, rows = known_numbers()
    with tempfile.TemporaryDirectory(prefix="opens2v-golden-") as folder:
        golden = Golden(Path(folder))
        same = golden.sha256 == expected
        verdicts = []
        for name in names:
            full: Measured | None = None
            takes_dtype = any("dtype" in ROLES[role].arguments for role in METRICS[name].roles)
            for dtype in (FULL, *(precisions if takes_dtype else ())):
                measured = _measure(name, dtype, golden, metric_models, device)
                full = measured if dtype == FULL else full
                verdicts.append(_verdict(measured, full if dtype != FULL else None, rows if same else []))
    return same, verdicts


def as_row(measured: Measured) -> dict[str, Any]:
    """A row for the table of known numbers."""
    column = COLUMNS.get(measured.metric)
    hardware = platform.processor() or platform.machine()
    if measured.device.startswith("cuda"):
        import torch

        hardware = torch.cuda.get_device_name(measured.device)
    versions = {name: version for name, version in package_versions().items() if version != "not installed"}
    return {
        "metric": measured.metric,
        "models": dict(measured.models),
        "revisions": dict(measured.revisions),
        "dtype": measured.dtype,
        "hardware": hardware,
        "libraries": versions,
        "values": {name: value for name, value in measured.values.items() if value is not None},
        "tolerance": TOLERANCES[measured.dtype] * (1.0 if column is None else column.high - column.low),
    }


def _measure(name: str, dtype: str, golden: Golden, models: MetricModels, device: str | None) -> Measured:
    try:
        choices = model_choices([name], models, device=device, dtype=dtype)
        own = {role: choice for role, choice in choices.items() if role in METRICS[name].roles}
        [metric] = load_metrics([name], models=own, embedded=models == EMBEDDED)
    except OpenS2VError as error:
        return Measured(name, dtype, {}, {}, "", {}, str(error))
    scores = {
        sample_id: score_clip(
            metric,
            ArrayVideo(golden.frames[sample_id], _FPS, name=sample_id),
            METRICS[name].reference(sample, golden.split),
        )
        for sample_id, sample in golden.samples.items()
        if name in sample.metrics
    }
    reasons = list(dict.fromkeys(score.reason for score in scores.values() if score.status == "failed"))
    return Measured(
        metric=name,
        dtype=dtype,
        models={model.role: model.name for model in metric.models},
        revisions={model.role: model.revision for model in metric.models if model.revision},
        device=next((model.device for model in metric.models if model.device), "cpu"),
        values={sample_id: score.value for sample_id, score in scores.items()},
        problem="; ".join(reasons),
    )


def _verdict(measured: Measured, full: Measured | None, rows: Sequence[Known]) -> Verdict:
    compared = [(difference, row) for row in rows if (difference := _difference_from(row, measured)) is not None]
    best = min(compared, key=lambda pair: pair[0], default=None)
    from_full = None if full is None else _largest(full.values, measured.values)
    if best is None:
        return Verdict(measured, None, None, from_full)
    return Verdict(measured, best[1], best[0], from_full)


def _difference_from(row: Known, measured: Measured) -> float | None:
    """Largest difference; None if the row is for other models or another dtype, or has no number."""
    about = (row.metric, row.models, row.dtype) == (measured.metric, measured.models, measured.dtype)
    same_weights = all(measured.revisions.get(role, revision) == revision for role, revision in row.revisions.items())
    return _largest(row.values, measured.values) if about and same_weights else None


def _largest(first: Mapping[str, float | None], second: Mapping[str, float | None]) -> float | None:
    return max(_gaps(first, second), default=None)


def _gaps(first: Mapping[str, float | None], second: Mapping[str, float | None]) -> Iterator[float]:
    for name, value in first.items():
        other = second.get(name)
        if value is not None and other is not None:
            yield abs(value - other)
