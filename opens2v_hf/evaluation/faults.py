"""Which column detects which fault: simulated models on synthetic scenes, compared with the perfect video.

A column detects a fault in a scene if its value for the video with the fault is below that for the perfect video of the
same scene. Several columns together detect it if the sum of their differences, each divided by the average of the
column over perfect videos, is below 0. In a sum a value above that average counts as the average, and motion that the
perfect video lacks does not count: noise must not compensate for a lost subject. A column without a value for one of
the two videos is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.data.synthetic.references import subject_reference, subject_views
from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED, PersonSprite, Scene, caption, draw_scene, label
from opens2v_hf.data.synthetic.simulated import SIMULATED_MODELS, shows_fault, simulate
from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.apply import Task
from opens2v_hf.metrics.base import score_video
from opens2v_hf.metrics.face_reference import FaceReference
from opens2v_hf.metrics.nexus_reference import NexusReference
from opens2v_hf.metrics.registry import METRICS, load_metrics
from opens2v_hf.metrics.subject_reference import SubjectReference
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.roles import ModelChoice, load_model
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.frames_in_memory import ArrayVideo

FIRST_SEED = 900_000
"""Of the scenes: those of the samples 90 to 99; no embedded model was trained on them."""

MAX_SCENES = 10_000

NUM_FRAMES = 24
"""Of a video; the released NaturalScore does not sample the last third."""

RELEASED = (
    "gmescore", "naturalscore", "nexusscore", "aesthetics", "motion_amplitude", "motion_smoothness", "facesim_cur",
)  # fmt: skip
"""The leaderboard's columns."""

COMPANIONS = (
    "gmescore_lowest", "nexusscore_coverage", "naturalscore_full", "motion_amplitude_magnitude", "facesim_multi",
    "subject_identity", "copypaste",
)  # fmt: skip
"""Columns that the leaderboard lacks; together they should detect every fault."""

TEXT = "gmescore"
"""The leaderboard's column of the prompt; of the companions only its variant reads the prompt, so both are combined."""

NO_MERIT_ABOVE = ("motion_amplitude_magnitude",)
"""Columns of which more than in the perfect video is no merit: in a sum their rises do not count."""

Values = Mapping[str, float | None]


@dataclass(frozen=True)
class Cell:
    """A column, or several together, and a fault.

    Attributes:
        seen: number of scenes in which the fault is detected.
        scenes: number of scenes in which both videos have a value.
    """

    seen: int
    scenes: int

    @property
    def share(self) -> float | None:
        """In 0..1; None without a scene."""
        return self.seen / self.scenes if self.scenes else None


@dataclass(frozen=True)
class FaultMatrix:
    """The result of `fault_matrix`.

    Attributes:
        cells: fault to column to cell; `together` and `with_text` are groups of columns.
        num_scenes: number of scenes.
    """

    cells: Mapping[str, Mapping[str, Cell]]
    num_scenes: int

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict."""
        return {
            "num_scenes": self.num_scenes,
            "faults": {
                fault: {column: {"seen": cell.seen, "scenes": cell.scenes} for column, cell in row.items()}
                for fault, row in self.cells.items()
            },
        }


def matrix_of(scores: Mapping[int, Mapping[str, Values]], groups: Mapping[str, Sequence[str]]) -> FaultMatrix:
    """Count the scenes in which columns detect a fault.

    Args:
        scores: scene to model to column to value, None for a video without one; "perfect" among the models.
        groups: name to columns that are evaluated together.

    Example:
        >>> scores = {1: {"perfect": {"a": 1.0, "b": 0.5}, "blur": {"a": 0.5, "b": 0.6}}}
        >>> cells = matrix_of(scores, {"both": ["a", "b"]}).cells["blur"]
        >>> cells["a"].seen, cells["b"].seen, cells["both"].seen
        (1, 0, 1)
    """
    columns = list(dict.fromkeys(column for by_model in scores.values() for column in by_model["perfect"]))
    faults = list(dict.fromkeys(model for by_model in scores.values() for model in by_model if model != "perfect"))
    scale = {column: _mean(by_model["perfect"].get(column) for by_model in scores.values()) for column in columns}
    cells: dict[str, dict[str, Cell]] = {}
    for fault in faults:
        falls = [
            _falls(by_model["perfect"], by_model[fault], scale) for by_model in scores.values() if fault in by_model
        ]
        single = {column: [fall[column][0] for fall in falls if column in fall] for column in columns}
        joint = {
            name: [
                math.fsum(fall[column][1] for column in chosen if column in fall)
                for fall in falls
                if any(column in fall for column in chosen)
            ]
            for name, chosen in groups.items()
        }
        cells[fault] = {
            name: Cell(sum(d < 0 for d in found), len(found)) for name, found in {**single, **joint}.items()
        }
    return FaultMatrix(cells, len(scores))


def _falls(perfect: Values, fault: Values, scale: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Column to its difference from the perfect video, raw and for a sum, if both have a value."""
    found = {}
    for column, best in perfect.items():
        value = fault.get(column)
        if best is not None and value is not None:
            usual = min(scale[column], best) if column in NO_MERIT_ABOVE else scale[column]
            fall = min(value, usual) - min(best, usual)
            found[column] = value - best, fall / (abs(scale[column]) or 1.0)
    return found


def _mean(values: Iterable[float | None]) -> float:
    found = [value for value in values if value is not None]
    return math.fsum(found) / len(found) if found else 0.0


def format_matrix(found: FaultMatrix) -> str:
    """A Markdown table of fault by column; a cell is the percentage of scenes in which it is detected, or "-".

    Example:
        >>> print(format_matrix(FaultMatrix({"blur": {"a": Cell(1, 4), "b": Cell(0, 0)}}, 4)))
        | fault | a | b |
        |---|---|---|
        | blur | 25 | - |
    """
    columns = list(dict.fromkeys(column for row in found.cells.values() for column in row))
    lines = [f"| fault | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for fault, row in found.cells.items():
        shares = [row[column].share if column in row else None for column in columns]
        cells = ["-" if share is None else f"{100 * share:.0f}" for share in shares]
        lines.append(f"| {fault} | {' | '.join(cells)} |")
    return "\n".join(lines)


@checked
def fault_matrix(
    num_scenes: int = 80,
    *,
    models: Mapping[str, ModelChoice] | None = None,
    faults: Sequence[str] | None = None,
    first_seed: int = FIRST_SEED,
    num_frames: int = 8,
    on_scene: Callable[[int], object] = lambda done: None,
) -> FaultMatrix:
    """Score every simulated model on synthetic scenes that no embedded model was trained on.

    Args:
        num_scenes: number of scenes, of the categories in turn.
        models: role to model; embedded models for the other roles.
        faults: simulated models to score, of `SIMULATED_MODELS`; a scene in which none of their faults can be seen is
            left out. All by default.
        first_seed: of the scenes.
        num_frames: number of sampled frames, for the metrics that sample.
        on_scene: called with the number of finished scenes.

    Raises:
        ArgumentError: the number of scenes is out of range, embedded models were trained on one of them, or there is no
            such fault.
        ModelError: a model cannot be loaded.
    """
    if not 1 <= num_scenes <= MAX_SCENES:
        raise ArgumentError(f"the number of scenes must be from 1 to {MAX_SCENES} (got {num_scenes})")
    if not 0 <= first_seed <= FIRST_TRAINING_SEED - num_scenes:
        raise ArgumentError(
            f"scenes must have seeds from 0 to {FIRST_TRAINING_SEED - 1}: embedded models were trained on others (got "
            f"{num_scenes} from {first_seed})"
        )
    known = [model for model in SIMULATED_MODELS if model != "perfect"]
    unknown = sorted(set(faults or ()) - set(known))
    if unknown:
        raise ArgumentError(f"the faults are {', '.join(known)} (got {', '.join(unknown)})")
    score = _scorer(models or {}, num_frames)
    scores: dict[int, dict[str, Values]] = {}
    for number in range(num_scenes):
        scene = draw_scene(first_seed + number, PREFIXES[number % len(PREFIXES)], num_frames=NUM_FRAMES)
        shown = [model for model in known if (not faults or model in faults) and shows_fault(model, scene)]
        if shown:
            scores[number] = {
                model: score(scene, np.stack(list(simulate(model, scene)))) for model in ("perfect", *shown)
            }
        on_scene(number + 1)
    return matrix_of(scores, {"together": COMPANIONS, "with_text": (*COMPANIONS, TEXT)})


def _scorer(models: Mapping[str, ModelChoice], num_frames: int) -> Callable[[Scene, np.ndarray], Values]:
    names = [*RELEASED, "facesim_multi", "subject_identity", "copypaste"]
    options = {name: {"num_frames": num_frames} for name in names if "num_frames" in METRICS[name].options}
    judge = load_model("judge", models.get("judge", ModelChoice(EMBEDDED)))
    others = {role: choice for role, choice in models.items() if role != "judge"}
    metrics = load_metrics(names, models=others, options=options, embedded=True, loaded={"judge": judge})
    (full,) = load_metrics(["naturalscore"], options={"naturalscore": {"protocol": "full"}}, loaded={"judge": judge})

    def score(scene: Scene, frames: np.ndarray) -> Values:
        video = ArrayVideo(frames, scene.fps)
        references = _references(scene)
        tasks = [Task(metric, partial(references.get, metric.name)) for metric in metrics]
        found = score_video(tasks, video)
        found["naturalscore_full"] = score_video([Task(full)], video)["naturalscore"]
        return _columns(found)

    return score


def _columns(found: Mapping[str, VideoScore]) -> Values:
    values = {name: outcome.value for name, outcome in found.items()}
    values["gmescore_lowest"] = found["gmescore"].variants.get("lowest")
    values["nexusscore_coverage"] = found["nexusscore"].variants.get("coverage")
    values["motion_amplitude_magnitude"] = found["motion_amplitude"].variants.get("magnitude")
    return values


def _references(scene: Scene) -> dict[str, Any]:
    """Metric to its reference for a scene."""
    count = range(len(scene.actors))
    pictures = tuple(subject_reference(scene, index) for index in count)
    labels = tuple(label(sprite) for sprite in scene.sprites)
    people = [index for index in count if isinstance(scene.sprites[index], PersonSprite)]
    faces = FaceReference(tuple(pictures[i] for i in people), tuple(labels[i] for i in people))
    subjects = SubjectReference(pictures, labels, views=tuple(subject_views(scene, index) for index in count))
    one_person = FaceReference(faces.images[:1], faces.labels[:1]) if not scene.category.startswith("multi") else None
    return {
        "gmescore": caption(scene),
        "nexusscore": NexusReference(pictures, labels, f"{scene.category}_1"),
        "facesim_cur": one_person or FaceReference((), ()),
        "facesim_multi": faces,
        "subject_identity": subjects,
        "copypaste": subjects,
    }
