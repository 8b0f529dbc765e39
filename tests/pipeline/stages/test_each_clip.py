"""What costs one clip, and what ends a stage."""

import errno
import sys

import pytest
from helpers.clips import rules

from opens2v_hf.errors import ModelError, ResultError, VideoError
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.apply import apply_stages
from opens2v_hf.pipeline.faults import SourceChangedError
from opens2v_hf.pipeline.records import ClipRecord, SourceFile
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stages.each_clip import ClipDroppedError, each_clip
from opens2v_hf.pipeline.stages.probe import Probe

CLIPS = [ClipRecord(name, SourceFile(name, name)) for name in "abc"]


def failing(error: BaseException):
    def apply(clip, lost):
        if clip.id == "b":
            raise error
        return [clip]

    return apply


@pytest.mark.parametrize(
    ("error", "rule", "reason"),
    [
        (ClipDroppedError("too_dark", "3, at least 9"), "too_dark", "3, at least 9"),
        (VideoError("b.mp4: frame 3 is damaged"), "error", "b.mp4: frame 3 is damaged"),
        (ZeroDivisionError("division by zero"), "error", "ZeroDivisionError: division by zero"),
        (MemoryError("frames"), "error", "MemoryError: frames"),
        (type("PanicException", (BaseException,), {})("i"), "error", "RuntimeError: a library panicked: i"),
        (SystemExit(3), "error", "RuntimeError: the code called sys.exit(3)"),
    ],
)
def test_an_error_drops_its_clip_alone(error: BaseException, rule: str, reason: str) -> None:
    output = each_clip("stage", CLIPS, failing(error))

    assert [clip.id for clip in output.kept] == ["a", "c"]
    ((drop),) = output.dropped
    assert (drop.clip_id, drop.stage, drop.rule, drop.reason, drop.record) == ("b", "stage", rule, reason, CLIPS[1])


def test_an_error_of_all_clips_ends_the_stage() -> None:
    with pytest.raises(ModelError):
        each_clip("stage", CLIPS, failing(ModelError("no weights")))
    with pytest.raises(KeyboardInterrupt):
        each_clip("stage", CLIPS, failing(KeyboardInterrupt()))


def test_a_file_that_was_changed_is_no_error_of_its_clip() -> None:
    def changed(clip, lost):
        raise SourceChangedError(f"{clip.id}: has 7 bytes now")

    output = each_clip("stage", [ClipRecord("a", SourceFile("a.mp4", "a.mp4"))], changed)
    assert rules(output.dropped) == ["changed"]


def test_a_full_disk_is_no_missing_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(media.fsspec, "open", no_space)
    remote = [ClipRecord(name, SourceFile(f"memory://{name}", name)) for name in "ab"]

    with pytest.raises(ResultError, match="No space left on device"):
        Probe()(remote)

    monkeypatch.setattr(media.fsspec, "open", lambda *args, **kwargs: (_ for _ in ()).throw(PermissionError("denied")))
    assert rules(Probe()(remote).dropped) == ["error", "error"]  # it may be fetched another time


def test_subjects_dropped_before_an_error_are_counted() -> None:
    def apply(clip, lost):
        lost.append(Dropped(clip.id, "stage", "repeated", "", subject="star"))
        raise ClipDroppedError("no_tags", "none is left")

    assert rules(each_clip("stage", CLIPS[:1], apply).dropped) == ["repeated", "no_tags"]


def test_a_stage_of_a_user_that_exits_drops_its_clip_alone() -> None:
    class Exits:
        name = "exits"
        resources = Resources(batch=8)

        def __call__(self, clips):
            if any(clip.id == "b" for clip in clips):
                sys.exit("no luck")
            return StageOutput(clips)

    result = apply_stages(CLIPS, [Exits()])
    assert [clip.id for clip in result.clips] == ["a", "c"]
    assert [(drop.clip_id, drop.rule, drop.reason) for drop in result.dropped] == [
        ("b", "error", "RuntimeError: the code called sys.exit('no luck')")
    ]
