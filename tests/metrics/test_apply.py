from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError, ImageError, JudgeError, MissingDependencyError, ModelError, VideoError
from opens2v_hf.metrics.apply import Task, score_tasks
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.frames_in_memory import ArrayVideo
from opens2v_hf.video.sampling import SamplingRule, every, linspace


@dataclass
class Raising:
    """Counts the clip's frames, or raises."""

    name: str
    error: Exception | None = None
    sampling: SamplingRule = field(default_factory=lambda: linspace(2))

    def score(self, clip: Clip, reference: Any) -> VideoScore:
        if self.error is not None:
            raise self.error
        return VideoScore.scored(clip.num_frames, reference or "")


def clip() -> Clip:
    return Clip(ArrayVideo(np.zeros((5, 16, 16, 3), np.uint8), 8.0, name="five"))


def scores(*metrics, opened=clip):
    return {task.metric.name: score for task, score in score_tasks([Task(m) for m in metrics], opened)}


@pytest.mark.parametrize(
    "error",
    [
        VideoError("bad video"), ImageError("bad image"), JudgeError("no answer"), OSError("bad disk"),
        IndexError("bad QOI"), MemoryError("no room"), UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogate"),
        OverflowError("400 digits"), RecursionError("deep"), type("PanicException", (BaseException,), {})("of Rust"),
    ],
)  # fmt: skip
def test_what_one_metric_raises_is_its_failure_and_costs_no_other(error):
    found = scores(Raising("first", error), Raising("second"))
    assert str(found["first"].status) == "failed"
    assert str(error)[:8] in found["first"].reason
    assert found["second"].value == 5


def test_reasons_name_the_video_and_what_was_raised(caplog):
    caplog.set_level("DEBUG")
    found = scores(Raising("first", ValueError("odd\n value")), Raising("second", MemoryError()))
    assert found["first"].reason.startswith("first of five: an unexpected error (ValueError: odd value)")
    assert "not enough memory" in found["second"].reason
    (record,) = [record for record in caplog.records if "Traceback" in record.getMessage()]
    assert record.levelname == "DEBUG"  # the traceback is for a log file, not for the terminal


@pytest.mark.parametrize("error", [ArgumentError("x"), ModelError("x"), MissingDependencyError("x")])
def test_wrong_use_is_raised(error):
    with pytest.raises(type(error)):
        scores(Raising("first", error))


def test_a_reference_that_raises_is_the_failure_of_its_task():
    def broken():
        raise ImageError("cup.png is broken")

    tasks = [Task(Raising("first"), broken), Task(Raising("second"), lambda: "a remark")]
    first, second = (score for _, score in score_tasks(tasks, clip()))
    assert (first.reason, second.value, second.reason) == ("cup.png is broken", 5, "a remark")


def test_a_clip_that_cannot_be_opened_fails_every_task():
    def broken() -> Clip:
        raise PermissionError("not yours")

    found = scores(Raising("first"), Raising("second"), opened=broken)
    assert [str(one.status) for one in found.values()] == ["failed", "failed"]
    assert "first: an unexpected error (PermissionError: not yours)" in found["first"].reason


def test_metrics_of_all_frames_are_scored_first():
    assert list(scores(Raising("some"), Raising("all", sampling=every()))) == ["all", "some"]
