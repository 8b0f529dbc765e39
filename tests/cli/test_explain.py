"""`opens2v explain` with tiny random models."""

from pathlib import Path

import pytest
from helpers.nexus_models import save_nexus_models
from helpers.videos import encode, numbered_frames
from PIL import Image

from opens2v_hf.cli import main
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    write_eval(folder / "benchmark", per_category=1)
    write_generated(folder / "videos", "perfect", ids=("humanobj_1",), num_frames=4)
    save_nexus_models(folder / "models")
    Image.new("RGB", (20, 20), "red").save(folder / "cup.png")
    return folder


def _words(inputs: Path, video: Path, out: Path, *more: str) -> list[str]:
    models = [
        word
        for role in ("detector", "prompt_encoder", "embedder")
        for word in (f"--{role.replace('_', '-')}", str(inputs / "models" / role))
    ]
    return ["explain", str(video), "--out", str(out), "--num-frames", "2", "--device", "cpu", *models, *more]


def test_a_video_of_the_benchmark(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = inputs / "videos" / "humanobj_1.mp4"
    code = main(_words(inputs, video, tmp_path, "--data-dir", str(inputs / "benchmark"), "--variant", "coverage"))
    printed = capsys.readouterr().out
    assert code == 0
    assert printed.startswith("NexusScore (coverage) ")
    assert "read as 'human'" in printed
    assert "the leaderboard's is" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"humanobj_1.html"}


def test_a_video_and_pictures_of_ones_own(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = encode(tmp_path / "mine.mp4", numbered_frames(3))
    out = tmp_path / "out"
    assert main(_words(inputs, video, out, "--image", str(inputs / "cup.png"), "--label", "Cup")) == 0
    assert "Reference 1 (Cup)" in capsys.readouterr().out
    assert (out / "mine.html").is_file()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--image", "cup.png"), "each image has one label (got 1 images, 0 labels)"),
        (("--image", "absent.png", "--label", "Cup"), "absent.png"),
        (("--data-dir", "{inputs}/benchmark", "--id", "singleobj_99"), "no sample 'singleobj_99'"),
        (("--data-dir", "{inputs}/benchmark"), "no sample 'mine'"),
        (("--data-dir", "{inputs}/nowhere"), "nowhere"),
    ],
)
def test_wrong_use_is_explained(
    inputs: Path, tmp_path: Path, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    video = encode(tmp_path / "mine.mp4", numbered_frames(3))
    assert main(_words(inputs, video, tmp_path, *(word.format(inputs=inputs) for word in more))) == 2
    assert message in capsys.readouterr().err


def test_a_missing_or_broken_video_is_named(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    for name in ("absent.mp4", "broken.mp4"):
        words = _words(inputs, tmp_path / name, tmp_path, "--image", str(inputs / "cup.png"), "--label", "Cup")
        assert main(words) == 2
        assert name in capsys.readouterr().err
