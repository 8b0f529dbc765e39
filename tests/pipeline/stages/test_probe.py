"""Facts of files, and names for what is wrong with them."""

import hashlib
from pathlib import Path

import av
import pytest
from helpers.clips import clip_of
from helpers.videos import encode, numbered_frames, rotated, sound_only, without_frames

from opens2v_hf.pipeline.clip_ids import whole_file
from opens2v_hf.pipeline.inputs import list_input
from opens2v_hf.pipeline.records import SourceFile
from opens2v_hf.pipeline.stage import StageOutput
from opens2v_hf.pipeline.stages.probe import Probe


def probed(*paths: Path) -> StageOutput:
    return Probe()([whole_file(SourceFile(str(path), path.name)) for path in paths])


def encrypted(path: Path) -> Path:
    """As a shop or a recorder protects its files (ISO/IEC 23001-7), with a key that is not in it."""
    scheme = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }
    return encode(path, numbered_frames(24), container_options=scheme)


def test_facts_of_a_video(tmp_path: Path) -> None:
    path = encode(tmp_path / "größe 1.mp4", numbered_frames(50), fps=25)

    clip = clip_of(path)

    assert (clip.start, clip.end, clip.num_frames) == (0, 50, 50)
    assert (clip.source.num_frames, clip.source.fps, clip.source.size) == (50, 25.0, (64, 96))
    assert clip.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert clip.source.num_bytes == path.stat().st_size
    assert clip.provenance["probe"] == {"codec": "h264", "pixel_format": "yuv420p", "hdr": None, "sound": False}


def test_a_vertical_video_is_measured_upright(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", numbered_frames(8))
    path.write_bytes(rotated(path.read_bytes(), 1))

    assert clip_of(path).frame_size == (96, 64)


def test_an_hdr_video_has_its_transfer_curve_in_provenance(tmp_path: Path) -> None:
    path = tmp_path / "hdr.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx265", rate=24, options={"x265-params": "log-level=none:transfer=smpte2084"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p10le"
        for frame in numbered_frames(8):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode(None))

    provenance = clip_of(path).provenance["probe"]

    assert (provenance["hdr"], provenance["codec"], provenance["pixel_format"]) == ("PQ", "hevc", "yuv420p10le")


def test_a_variable_frame_rate_is_an_average(tmp_path: Path) -> None:
    times = [0, 40, 80, 500, 900, 960]
    path = encode(tmp_path / "variable.mkv", numbered_frames(6), milliseconds=times)

    clip = clip_of(path)

    assert clip.num_frames == 6
    assert clip.source.fps > 0


def test_every_bad_file_is_named_and_dropped_alone(tmp_path: Path) -> None:
    good = encode(tmp_path / "good.mp4", numbered_frames(24))
    bad = {
        "missing": tmp_path / "gone.mp4",
        "empty": tmp_path / "empty.mp4",
        "encrypted": encrypted(tmp_path / "encrypted.mp4"),
        "no_video": sound_only(tmp_path / "sound.mp4"),
    }
    bad["empty"].touch()
    unreadable = [tmp_path / "notes.mp4", tmp_path / "cut_off.mp4", without_frames(tmp_path / "no_frames.mp4")]
    unreadable[0].write_text("no video at all")
    unreadable[1].write_bytes(good.read_bytes()[:-200])

    output = probed(*bad.values(), good, *unreadable)

    assert [clip.id for clip in output.kept] == ["good_part0-24"]
    assert [drop.rule for drop in output.dropped] == [*bad, "unreadable", "unreadable", "unreadable"]
    for drop, path in zip(output.dropped, [*bad.values(), *unreadable], strict=True):
        assert path.name in drop.reason, "the reason names the file"
        assert (drop.stage, drop.record.source.name) == ("probe", path.name)
        assert str(tmp_path) not in drop.reason


def test_a_file_that_is_still_being_copied_was_changed(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", numbered_frames(24))
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    (listed,) = list_input(tmp_path).files

    def rules_of() -> list[str]:
        source = SourceFile(listed.path, listed.name, stamp=listed.stamp)
        return [drop.rule for drop in Probe()([whole_file(source)]).dropped]

    assert rules_of() == ["unreadable"]
    path.write_bytes(whole[:-100])
    assert rules_of() == ["changed"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()

    assert [drop.rule for drop in probed(tmp_path / "folder.mp4").dropped] == ["missing"]


def test_a_too_large_video_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.mp4", numbered_frames(24))
    monkeypatch.setenv("OPENS2V_MAX_VIDEO_FRAMES", "10")

    (drop,) = probed(path).dropped

    assert drop.rule == "unreadable"
    assert "OPENS2V_MAX_VIDEO_FRAMES" in drop.reason
