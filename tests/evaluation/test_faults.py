"""Faults around a run: each is reported, finished scores are saved, and the same command resumes."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.fault_run import (
    BROKEN,
    IDS,
    RULES,
    SCORABLE,
    SPLIT,
    Runs,
    clear_log,
    logged,
    result_bytes,
    score,
    write_videos,
)

from opens2v_hf._util.retries import Retries
from opens2v_hf.errors import ArgumentError, JudgeError, ResultError
from opens2v_hf.jobs.journal_files import journal_files
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.outcome import Status
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import every, linspace
from opens2v_hf.video.source import Source


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("pristine") / "videos")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other videos of the same names."""
    return write_videos(tmp_path_factory.mktemp("others") / "videos", seed=1)


@pytest.fixture
def videos(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "videos"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def failed(result: RunResult) -> dict[tuple[str, str], str]:
    return {
        (id_, metric.name): outcome.reason
        for metric in result.metrics
        for id_, outcome in metric.scores.items()
        if outcome.status is Status.FAILED
    }


def value(result: RunResult, metric: str, id_: str) -> float | None:
    return result.metric(metric).scores[id_].value


def test_a_broken_video_fails_with_its_reason_and_is_not_retried(
    videos: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = score(videos, out)
    assert set(failed(first)) == {(BROKEN, name) for name in RULES}
    assert all(f"{BROKEN}.mp4" in reason for reason in failed(first).values())
    assert "cheap, open-domain: 15 of 18 scored, 0 taken from the journal, 3 failed\n" in capsys.readouterr().err
    again = score(videos, out)
    assert failed(again) == failed(first)
    said = capsys.readouterr().err
    assert "cheap, open-domain: 15 of 18 scored, 15 taken from the journal, 3 failed\n" in said
    assert set(logged(videos).values()) == {1}


@pytest.mark.parametrize(
    ("changed", "concerned"),
    [
        ({"prompts": {"singleobj_1": "another prompt"}}, {("singleobj_1", "gmescore")}),
        (
            {"metrics": {"naturalscore": {"options": {"scale": 8}}}},
            {(id_, "naturalscore") for id_ in IDS if id_ != BROKEN},
        ),
        (
            {"metrics": {"gmescore": {"models": (ModelInfo("embedder", "cheap", "decaf", "float32", "cpu"),)}}},
            {(id_, "gmescore") for id_ in IDS if id_ != BROKEN},
        ),
        ({"rules": RULES | {"gmescore": linspace(3)}}, {(id_, "gmescore") for id_ in IDS if id_ != BROKEN}),
        ({"memory": "low"}, set()),
    ],
)
def test_only_scores_with_a_changed_input_are_computed_again(
    videos: Path, out: Path, changed: dict[str, Any], concerned: set[tuple[str, str]]
) -> None:
    score(videos, out)
    clear_log(videos)
    score(videos, out, **changed)
    assert set(logged(videos)) == concerned
    score(videos, out.with_name("apart"), **changed)
    assert result_bytes(out) == result_bytes(out.with_name("apart"))


def test_a_changed_video_is_scored_again_by_all_metrics(videos: Path, others: Path, out: Path) -> None:
    before = score(videos, out)
    shutil.copy(others / "humanobj_1.mp4", videos)
    clear_log(videos)
    after = score(videos, out)
    assert set(logged(videos)) == {("humanobj_1", name) for name in RULES}
    assert value(after, "gmescore", "humanobj_1") != value(before, "gmescore", "humanobj_1")
    shutil.copy(videos / "humanobj_1.mp4", videos / "singleobj_3.mp4")  # the same bytes under another name
    clear_log(videos)
    score(videos, out)
    assert set(logged(videos)) == {("singleobj_3", name) for name in RULES}


def test_metrics_can_be_added_to_a_run_and_not_removed(videos: Path, out: Path) -> None:
    part = {"gmescore": RULES["gmescore"]}
    score(videos, out, rules=part)
    clear_log(videos)
    score(videos, out)
    assert set(logged(videos)) == {unit for unit in SCORABLE if unit[1] != "gmescore"}
    with pytest.raises(ArgumentError, match=r"also holds naturalscore, motion_amplitude.*`resume='never'`"):
        score(videos, out, rules=part)
    clear_log(videos)
    score(videos, out, rules=part, overwrite=True)
    assert not logged(videos)


def test_a_result_that_cannot_be_resumed_is_not_replaced(videos: Path, out: Path) -> None:
    out.mkdir()
    (out / f"{SPLIT}.json").write_text("mine")
    with pytest.raises(ArgumentError, match="without a journal"):
        score(videos, out)
    assert (out / f"{SPLIT}.json").read_text() == "mine"
    score(videos, out, overwrite=True)
    with pytest.raises(ArgumentError, match=r"the result of 'cheap' \(videos\)"):
        score(videos, out, model="other")
    score(videos, out, model="other", overwrite=True)
    (out / f"{SPLIT}.json").write_text("{}")
    with pytest.raises(ArgumentError, match=r"is not a result.*`resume='never'`"):
        score(videos, out)
    assert set(logged(videos).values()) == {1}


def test_a_fresh_run_scores_everything_again(videos: Path, out: Path) -> None:
    score(videos, out)
    score(videos, out, fresh=True)
    assert logged(videos) == dict.fromkeys(SCORABLE, 2)
    score(videos, out)
    assert logged(videos) == dict.fromkeys(SCORABLE, 2)


def test_a_damaged_line_of_the_journal_is_reported_and_its_score_computed_again(
    videos: Path, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    score(videos, out)
    before = result_bytes(out)
    (path,) = journal_files(out / f"{SPLIT}.journal")
    lines = path.read_bytes().split(b"\n")
    place = next(number for number, line in enumerate(lines) if b'"metric":"naturalscore"' in line)
    id_ = next(id_ for id_ in IDS if f'"id":"{id_}"'.encode() in lines[place])
    lines[place] = lines[place].replace(b"value", b"valve")
    path.write_bytes(b"\n".join(lines))
    clear_log(videos)
    with caplog.at_level(logging.WARNING):
        score(videos, out)
    assert f"line {place + 1} is damaged" in caplog.text
    assert logged(videos) == {(id_, "naturalscore"): 1}
    assert result_bytes(out) == before


@pytest.mark.parametrize("room", [700, 2900, 4000])
def test_a_run_resumes_after_a_full_disk(
    videos: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    score(videos, tmp_path / "undisturbed")
    clear_log(videos)
    write = os.write

    def limited(file: int, data: bytes) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(file, data[:room])
        room -= written
        return written

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", limited)
        with pytest.raises(ResultError, match=r"No space left on device.*run the same command again"):
            score(videos, out)
        with pytest.raises(ResultError, match="No space left on device"):
            score(videos, out)
    assert not (out / f"{SPLIT}.json").exists()
    score(videos, out)
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")
    # at most one was in flight each time
    assert len(SCORABLE) <= logged(videos).total() <= len(SCORABLE) + 2


def test_a_run_resumes_after_the_result_met_a_full_disk(videos: Path, out: Path, tmp_path: Path, runs: Runs) -> None:
    score(videos, tmp_path / "undisturbed")
    clear_log(videos)
    job = {"videos": str(videos), "out": str(out), "memory": "keep", "pause_s": 0.0}
    largest = max(path.stat().st_size for path in (tmp_path / "undisturbed").glob("*/*"))
    assert largest + 500 < len(result_bytes(tmp_path / "undisturbed"))
    assert runs.run({**job, "max_bytes": largest + 500}) == 2
    assert f"cannot write {out / SPLIT}.json: File too large" in runs.stderr.read_text()
    assert not list(out.glob("*.json"))
    assert not list(out.glob(".*"))
    assert runs.run(job) == 0
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")
    assert set(logged(videos).values()) == {1}


def test_a_video_that_is_deleted_during_the_run_fails_and_is_scored_when_it_is_back(
    videos: Path, pristine: Path, out: Path, tmp_path: Path
) -> None:
    score(pristine, tmp_path / "undisturbed", model="cheap")
    last = videos / "humanobj_1.mp4"
    found = score(videos, out, hook=lambda name, clip: last.unlink(missing_ok=True))
    gone = {("humanobj_1", name) for name in RULES}
    assert set(failed(found)) == gone | {(BROKEN, name) for name in RULES}
    assert "humanobj_1.mp4: there is no such file" in failed(found)["humanobj_1", "gmescore"]
    shutil.copy(pristine / last.name, last)
    clear_log(videos)
    score(videos, out)
    assert set(logged(videos)) == gone
    # the broken video's reason names its folder
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed").replace(bytes(pristine), bytes(videos))


def test_a_video_that_is_deleted_while_it_is_opened_fails(
    videos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = Source.sha256

    def deleted_afterwards(self: Source) -> str:
        digest = hashed(self)
        if "humanobj_1" in self.name:
            Path(self.name).unlink()
        return digest

    monkeypatch.setattr(Source, "sha256", deleted_afterwards)
    reasons = failed(score(videos, out))
    assert {unit for unit in reasons if unit[0] != BROKEN} == {("humanobj_1", name) for name in RULES}
    assert "there is no such file" in reasons["humanobj_1", "gmescore"]


@pytest.mark.parametrize("by_rename", [True, False])
@pytest.mark.parametrize("memory", ["keep", "low"])
def test_a_video_that_is_replaced_while_it_is_scored_is_scored_again(
    videos: Path, others: Path, out: Path, tmp_path: Path, by_rename: bool, memory: str
) -> None:
    new = others / "singleobj_3.mp4"
    done: list[str] = []

    def replace_once(name: str, clip: Clip) -> None:
        if "singleobj_3" in clip.name and not done:
            done.append(name)
            if by_rename:
                shutil.copy(new, tmp_path / "new.mp4")
                os.replace(tmp_path / "new.mp4", clip.name)
            else:
                Path(clip.name).write_bytes(new.read_bytes())

    score(videos, out, hook=replace_once, memory=memory)
    assert done
    times = logged(videos)
    score(videos, tmp_path / "undisturbed")
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")
    assert times["singleobj_3", done[0]] == 2
    assert times.total() == len(SCORABLE) + 1


def test_a_video_that_is_replaced_between_two_passes_fails_until_the_next_run(
    videos: Path, others: Path, out: Path, tmp_path: Path
) -> None:
    def replace_late(name: str, clip: Clip) -> None:
        if name != "gmescore":
            shutil.copy(others / "humanobj_1.mp4", videos)

    found = score(videos, out, hook=replace_late, memory="low")
    assert "was replaced after it was scored with gmescore" in failed(found)["humanobj_1", "gmescore"]
    assert value(found, "naturalscore", "humanobj_1") is not None
    clear_log(videos)
    score(videos, out, memory="low")
    assert set(logged(videos)) == {("humanobj_1", "gmescore")}
    score(videos, tmp_path / "undisturbed")
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")


def test_a_video_that_changes_all_the_time_fails(videos: Path, out: Path) -> None:
    def write(name: str, clip: Clip) -> None:
        if "singleobj_1" in clip.name:
            with Path(clip.name).open("ab") as file:
                file.write(b"\0")

    found = score(videos, out, hook=write)
    assert "was changed 3 times" in failed(found)["singleobj_1", "gmescore"]
    assert sum(times for (id_, _), times in logged(videos).items() if id_ == "singleobj_1") == 3


def test_touching_a_video_changes_nothing(videos: Path, out: Path) -> None:
    score(videos, out, hook=lambda name, clip: os.utime(clip.name))
    assert set(logged(videos).values()) == {1}


def test_the_second_of_two_runs_is_refused(videos: Path, out: Path) -> None:
    refused: list[str] = []

    def second(name: str, clip: Clip) -> None:
        if not refused:
            with pytest.raises(ResultError) as caught:
                score(videos, out)
            refused.append(str(caught.value))

    score(videos, out, hook=second)
    assert f"another run (process {os.getpid()} on " in refused[0]
    assert "choose another output folder" in refused[0]
    assert logged(videos) == dict.fromkeys(SCORABLE, 1)


def test_only_transient_errors_are_retried(videos: Path, out: Path) -> None:
    waits: list[float] = []
    failures = {"gmescore": [ConnectionResetError("reset"), TimeoutError("late")], "naturalscore": [ValueError("bug")]}

    def fail(name: str, clip: Clip) -> None:
        if "singleobj_1" in clip.name and failures.get(name):
            raise failures[name].pop(0)

    found = score(videos, out, hook=fail, retries=Retries(attempts=3, first_wait_s=2.0, sleep=waits.append))
    assert [2.0 <= waits[0] <= 2.5, 4.0 <= waits[1] <= 4.5] == [True, True]
    assert len(waits) == 2
    assert value(found, "gmescore", "singleobj_1") is not None
    (unit,) = {unit for unit in failed(found) if unit[0] != BROKEN}
    assert unit == ("singleobj_1", "naturalscore")
    assert "unexpected error (ValueError: bug)" in failed(found)[unit]


def test_an_unexpected_error_is_logged_with_its_traceback_and_retried_by_the_next_run(
    videos: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(name: str, clip: Clip) -> None:
        if name == "gmescore":
            raise ZeroDivisionError("a fault of the program")

    found = score(videos, out, hook=fault)
    assert len(failed(found)) == len(RULES) + len(IDS) - 1
    said = capsys.readouterr().err
    assert "8 failed, of which the same command will try 5 again" in said
    assert "Traceback" not in said
    log = (out / f"{SPLIT}.errors.log").read_text()
    assert log.count("Traceback") == log.count("in fault") == 5
    assert "singleobj_1.mp4, gmescore" in log
    assert "open-domain.errors.log" in failed(found)["singleobj_1", "gmescore"]
    clear_log(videos)
    assert set(failed(score(videos, out))) == {(BROKEN, name) for name in RULES}
    assert set(logged(videos)) == {(id_, "gmescore") for id_ in IDS if id_ != BROKEN}


def test_a_memory_error_names_the_remedy(videos: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gc.collect", lambda: 0)  # takes seconds after many tests

    def hungry(name: str, clip: Clip) -> None:
        if name == "naturalscore":
            raise MemoryError

    reason = failed(score(videos, out, hook=hungry))["singleobj_1", "naturalscore"]
    assert "not enough memory" in reason
    assert "`memory=low`" in reason


def test_a_failed_request_to_a_judge_is_retried_at_the_end_and_by_the_next_run(videos: Path, out: Path) -> None:
    remote = {"naturalscore": {"models": (ModelInfo("judge", "openai:some"),)}}
    asked: list[str] = []

    def down(times: int) -> Any:
        def fail(name: str, clip: Clip) -> None:
            if name == "naturalscore" and "singleobj_1" in clip.name:
                asked.append(name)
                if len(asked) <= times:
                    raise JudgeError("no answer")

        return fail

    found = score(videos, out, metrics=remote, hook=down(2))
    assert failed(found)["singleobj_1", "naturalscore"] == "no answer"
    assert len(asked) == 2  # in its turn, and at the end
    found = score(videos, out, metrics=remote, hook=down(3))
    assert value(found, "naturalscore", "singleobj_1") is not None
    assert len(asked) == 4


def test_failures_caused_by_a_video_are_retried_on_demand(
    videos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(videos, out)
    opened: list[str] = []
    header = Clip.num_frames.fget

    def counted(self: Clip) -> int:
        opened.append(Path(self.name).stem)
        return header(self)

    monkeypatch.setattr(Clip, "num_frames", property(counted))
    score(videos, out)
    assert opened == []
    found = score(videos, out, retry_failed=True)
    assert opened == [BROKEN]
    assert set(failed(found)) == {(BROKEN, name) for name in RULES}


def test_metrics_of_a_video_share_one_decode(videos: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from opens2v_hf.video import pyav_frames

    decoded: list[str] = []
    read = pyav_frames.read_frames

    def spy(source: Any, index: Any, wanted: Any) -> Any:
        for number, frame in zip(wanted, read(source, index, wanted), strict=True):
            decoded.append(f"{Path(source.name).stem} {number}")
            yield frame

    monkeypatch.setattr(pyav_frames, "read_frames", spy)
    score(videos, out, rules=RULES | {"motion_smoothness": every()})
    assert sorted(decoded) == sorted(f"{id_} {number}" for id_ in IDS if id_ != BROKEN for number in range(4))


def test_a_file_name_that_is_no_valid_text_is_replaced_in_the_result(videos: Path, out: Path) -> None:
    Path(os.fsdecode(bytes(videos) + b"/\xff.mp4")).write_bytes(b"")
    assert score(videos, out).coverage.unknown == ("?.mp4",)
    assert RunResult.load(out / f"{SPLIT}.json").coverage.unknown == ("?.mp4",)


def test_every_readable_video_has_a_thumbnail(videos: Path, out: Path) -> None:
    score(videos, out)
    assert {path.stem for path in (out / f"{SPLIT}.thumbnails").iterdir()} == set(IDS) - {BROKEN}


def test_thumbnails_that_cannot_be_written_fail_no_score(
    videos: Path, out: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    score(videos, tmp_path / "undisturbed")
    out.mkdir()
    (out / f"{SPLIT}.thumbnails").write_text("a file")
    with caplog.at_level(logging.WARNING):
        score(videos, out)
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")
    assert caplog.text.count("cannot write") == 1


def test_a_file_that_changes_while_it_is_hashed_counts_as_changed(
    videos: Path, others: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = Source.sha256
    done: list[str] = []

    def slowly(self: Source) -> str:
        digest = hashed(self)
        if "humanobj_1" in self.name and not done:
            done.append(self.name)
            shutil.copy(others / "humanobj_1.mp4", videos)
        return digest

    monkeypatch.setattr(Source, "sha256", slowly)
    score(videos, out)
    monkeypatch.undo()
    score(videos, tmp_path / "undisturbed")
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")


@pytest.mark.parametrize("max_bytes", [1 << 20, 0])
@pytest.mark.parametrize("second", ["another video", "no video"])
def test_content_that_a_file_has_for_a_moment_is_never_scored_under_its_digest(
    videos: Path, others: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: str, max_bytes: int
) -> None:
    """The file is another one whenever a decoder opens it, and the original again at every other access."""
    monkeypatch.setattr("opens2v_hf.evaluation.score_video._MAX_BYTES_IN_MEMORY", max_bytes)
    from opens2v_hf.video import pyav_frames

    score(videos, tmp_path / "undisturbed")
    clear_log(videos)
    target = videos / "humanobj_1.mp4"
    mine = target.read_bytes()
    other = (others / "humanobj_1.mp4").read_bytes() if second == "another video" else bytes(len(mine))
    disturbing = [True]
    read = pyav_frames.read_frames

    def disturbed(source: Source, index: Any, wanted: Any) -> Any:
        if "humanobj_1" in source.name and disturbing:
            status = target.stat()
            target.write_bytes(other)
            try:
                frames = list(read(source, index, wanted))
            finally:
                target.write_bytes(mine)
                os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            yield from frames
        else:
            yield from read(source, index, wanted)

    monkeypatch.setattr(pyav_frames, "read_frames", disturbed)
    found = score(videos, out)
    if max_bytes:  # what was hashed is what was decoded
        assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")
        assert set(logged(videos).values()) == {1}
    else:
        reason = failed(found)["humanobj_1", "gmescore"]
        assert "was changed 3 times" in reason
    disturbing.clear()
    score(videos, out)
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")


def test_a_video_that_was_read_before_it_was_complete_is_scored_by_the_next_run(
    videos: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(videos, tmp_path / "undisturbed")
    target = videos / "humanobj_1.mp4"
    whole = target.read_bytes()
    read_bytes = Path.read_bytes

    def torn(self: Path) -> bytes:
        return whole[: len(whole) // 2] if self == target else read_bytes(self)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", torn)
        assert ("humanobj_1", "gmescore") in failed(score(videos, out))
    score(videos, out)
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")
