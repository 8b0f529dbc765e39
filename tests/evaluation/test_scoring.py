import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.scoring import score_found

from opens2v_hf._util.retries import Retries
from opens2v_hf.data.benchmark.prompts import parse_eval_prompts
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.errors import JudgeError
from opens2v_hf.evaluation.output import Output
from opens2v_hf.evaluation.run import MetricPass, Run
from opens2v_hf.evaluation.scoring import score_passes
from opens2v_hf.evaluation.videos import FoundVideos, find_videos
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.scores.outcome import Status, VideoScore
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import SamplingRule, linspace
from opens2v_hf.video.writer import write_video

PROMPTS = """{
 "singleobj_1": {"img_paths": ["Images/a.png"], "prompt": "a cup", "synthesis_flag": "wrong", "class_label": ["Cup"]},
 "singleface_1": {"img_paths": ["Images/crop_man/b.png"], "prompt": "a man", "synthesis_flag": "Wrong", "class_label": ["Man"]},
 "singleobj_2": {"img_paths": ["Images/c.png"], "prompt": "a hat", "synthesis_flag": "wrong", "class_label": ["Hat"]}
}"""  # noqa: E501


class Brightness:
    """Mean grey level over 255; the judge of this test refuses prompts with "hat"."""

    name = "gmescore"
    options: Mapping[str, Any] = {"scale": 255}
    models = (ModelInfo("embedder", "none"),)
    caveats = ("a test",)
    sampling: SamplingRule = linspace(4)

    def score(self, clip: Clip, prompt: str) -> VideoScore:
        frames = clip.frames(self.sampling)
        if "hat" in prompt:
            raise JudgeError("the judge does not like hats")
        return VideoScore.scored(float(frames.mean()) / 255)


class References(Brightness):
    name = "nexusscore"


@pytest.fixture
def samples() -> list[EvalSample]:
    return parse_eval_prompts(PROMPTS, source="test", split="open-domain")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    white = [np.full((32, 48, 3), 255, np.uint8)] * 6
    write_video(tmp_path / "singleobj_1.mp4", white, 8)
    write_video(tmp_path / "singleobj_2.mp4", white, 8)
    (tmp_path / "singleface_1.mp4").write_bytes(b"this is no video")
    return tmp_path


def _score(found: FoundVideos, samples: list[EvalSample]) -> Any:
    tasks = [MetricTask(metric, lambda sample: sample.prompt) for metric in (Brightness(), References())]
    return score_found(
        found, samples, tasks, model="m", split="open-domain", benchmark={"source": "test"},
        retries=Retries(sleep=lambda seconds: None),
    )  # fmt: skip


def test_scores_and_failures_are_counted_separately(folder: Path, samples: list[EvalSample]) -> None:
    result = _score(find_videos(str(folder), [sample.id for sample in samples]), samples)
    scores = result.metric("gmescore").scores
    assert list(scores) == ["singleobj_1", "singleface_1", "singleobj_2"]
    assert scores["singleobj_1"].value == pytest.approx(1.0, abs=0.01)
    assert scores["singleface_1"].status is Status.FAILED
    assert "singleface_1.mp4" in scores["singleface_1"].reason
    assert scores["singleobj_2"].reason == "the judge does not like hats"
    assert (result.metric("gmescore").summary.num_scored, result.metric("gmescore").summary.num_failed) == (1, 2)


def test_a_metric_that_does_not_apply_to_a_sample_is_not_computed(folder: Path, samples: list[EvalSample]) -> None:
    write_video(folder / "singleface_1.mp4", [np.zeros((32, 48, 3), np.uint8)] * 6, 8)
    result = _score(find_videos(str(folder), [sample.id for sample in samples]), samples)
    assert result.metric("nexusscore").scores["singleface_1"].status is Status.NOT_APPLICABLE
    assert result.metric("gmescore").scores["singleface_1"].value == pytest.approx(0.0, abs=0.01)


def test_every_video_is_identified(folder: Path, samples: list[EvalSample]) -> None:
    result = _score(find_videos(str(folder), [sample.id for sample in samples]), samples)
    video = result.videos[0]
    assert video.sha256 == hashlib.sha256((folder / "singleobj_1.mp4").read_bytes()).hexdigest()
    assert (video.num_frames, video.width, video.height) == (6, 48, 32)
    assert video.fps == pytest.approx(8.0)
    assert result.metric("gmescore").options == {"scale": 255, "sampling": linspace(4).name}
    assert result.package["opens2v-hf"]
    assert not result.comparable


def test_missing_videos_are_counted(folder: Path, samples: list[EvalSample]) -> None:
    (folder / "singleobj_2.mp4").unlink()
    result = _score(find_videos(str(folder), [sample.id for sample in samples]), samples)
    assert result.coverage.missing == ("singleobj_2",)
    assert (result.coverage.found, result.coverage.expected) == (2, 3)


def test_a_failed_download_fails_that_video_only(folder: Path, samples: list[EvalSample]) -> None:
    found = find_videos(str(folder), [sample.id for sample in samples])

    def broken() -> Path:
        raise ConnectionError("the line is dead")

    found.fetch["singleobj_2"] = broken
    result = _score(found, samples)
    assert "the line is dead" in result.metric("gmescore").scores["singleobj_2"].reason
    assert result.metric("gmescore").scores["singleobj_1"].status is Status.SCORED


class TwoDefinitions(Brightness):
    """Has a companion, as NexusScore has."""

    name = "nexusscore"
    variant = "released"

    def score(self, clip: Clip, prompt: str) -> VideoScore:
        if "hat" in prompt:
            return VideoScore.failed("no hats")
        return VideoScore.scored(0.25, "a remark", variants={"released": 0.25, "coverage": 0.75})

    @property
    def companion(self) -> "TwoDefinitions":
        other = TwoDefinitions()
        other.variant, other.name = "coverage", "nexusscore_coverage"
        return other


def test_a_companion_is_listed_with_its_own_values(folder: Path, samples: list[EvalSample]) -> None:
    found = find_videos(str(folder), [sample.id for sample in samples])
    tasks = [MetricTask(TwoDefinitions(), lambda sample: sample.prompt)]
    result = score_found(found, samples, tasks, model="m", split="open-domain", benchmark={})
    assert [metric.name for metric in result.metrics] == ["nexusscore", "nexusscore_coverage"]
    coverage = result.metric("nexusscore_coverage").scores
    assert coverage["singleobj_1"] == VideoScore.scored(0.75, "a remark")
    assert coverage["singleobj_2"] == VideoScore.failed("no hats")
    assert result.metric("nexusscore").scores["singleobj_1"].value == 0.25


@dataclasses.dataclass(frozen=True)
class Picture:
    path: Path


class PictureSize(Brightness):
    """Number of bytes of the reference picture, which is read while the clip is scored."""

    def __init__(self, read: Callable[[Path], bytes]) -> None:
        self.read = read

    def score(self, clip: Clip, reference: Picture) -> VideoScore:
        return VideoScore.scored(len(self.read(reference.path)) / 100)


@pytest.mark.parametrize("is_put_back", [False, True])
def test_a_reference_picture_that_changes_is_never_scored_under_the_old_key(
    folder: Path, samples: list[EvalSample], tmp_path: Path, is_put_back: bool
) -> None:
    picture = tmp_path / "reference.png"
    picture.write_bytes(b"a" * 20)
    found = find_videos(str(folder), ["singleobj_1"])
    calls: list[Path] = []

    def run(read: Callable[[Path], bytes]) -> float | None:
        tasks = [MetricTask(PictureSize(read), lambda sample: Picture(picture))]
        run = Run(found, samples[:1], "m", "open-domain", {}, workers=1)
        output = Output(tmp_path / "out", "open-domain")
        result = score_passes(run, [MetricPass(("gmescore",), lambda: tasks)], ["gmescore"], output=output)
        return result.metric("gmescore").scores["singleobj_1"].value

    def read_another_picture_once(path: Path) -> bytes:
        calls.append(path)
        if len(calls) > 1:
            return path.read_bytes()
        path.write_bytes(b"b" * 40)
        content = path.read_bytes()
        if is_put_back:
            path.write_bytes(b"a" * 20)
        return content

    assert run(read_another_picture_once) == (0.2 if is_put_back else 0.4)
    assert len(calls) == 2
    picture.write_bytes(b"a" * 20)
    assert run(Path.read_bytes) == 0.2
