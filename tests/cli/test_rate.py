"""`opens2v rate` without a browser: pairs, stored answers, and the table that `opens2v agreement` reads."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from helpers.videos import encode, numbered_frames

from opens2v_hf.cli import main
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.video.reader import open_video

page = pytest.importorskip("opens2v_hf.hub.apps.rate", reason="gradio is not installed")

IDS = ("singleobj_1", "singleface_1", "humanobj_1")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of eight ids, and of two models the videos of three; one of them is no video."""
    folder = tmp_path_factory.mktemp("rate")
    write_eval(folder / "benchmark", per_category=1)
    for model, simulated in (("alpha", "perfect"), ("beta", "frozen")):
        write_generated(folder / model, simulated, ids=IDS[:2], num_frames=4)
        encode(folder / model / "humanobj_1.mp4", numbered_frames(6, 97, 65), codec="mpeg4", fps=12)
    (folder / "beta" / "singleface_1.mp4").write_bytes(b"no video")
    return folder


def words(inputs: Path, *more: str) -> list[str]:
    return ["rate", str(inputs / "alpha"), str(inputs / "beta"), "--data-dir", str(inputs / "benchmark"), *more]


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[page.Session]:
    """The sessions that the command serves."""
    served: list[page.Session] = []
    monkeypatch.setattr(page, "serve", served.append)
    return served


def answer(session: page.Session, index: int, *, alpha: int, beta: int) -> None:
    """Rate the videos of two models, on whichever side they are shown."""
    left, right = (alpha, beta) if session.pairs[index].left == "alpha" else (beta, alpha)
    session.answer(index, "tie" if left == right else "left" if left > right else "right", left, right)


def test_answers_are_stored_resumed_and_read_by_agreement(
    inputs: Path, tmp_path: Path, sessions: list[page.Session], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ratings.jsonl"
    command = words(inputs, "--rater", "ann", "--out", str(out))
    assert main(command) == 1  # without answers
    first = sessions[0]
    assert {pair.item for pair in first.pairs} == set(IDS)
    assert first.first_open() == 0
    answer(first, 0, alpha=5, beta=1)
    answer(first, 1, alpha=4, beta=2)
    assert len(out.read_text().splitlines()) == 2
    record = json.loads(out.read_text().splitlines()[0])
    assert (record["rater"], record["seed"], {record["left"], record["right"]}) == ("ann", 0, {"alpha", "beta"})
    assert not out.with_suffix(".csv").exists()

    assert main(command) == 0  # as after a kill
    second = sessions[1]
    assert second.pairs == first.pairs
    assert second.first_open() == 2
    assert out.with_suffix(".csv").exists()
    out.with_suffix(".csv").unlink()
    answer(second, 2, alpha=3, beta=3)
    assert out.with_suffix(".csv").exists()  # with the last answer
    assert "All 3 pairs are answered" in second.show(second.first_open())

    main(words(inputs, "--rater", "bob", "--out", str(out)))  # in the same file
    assert sessions[2].first_open() == 0
    for index in range(3):
        answer(sessions[2], index, alpha=4, beta=2)
    out.with_suffix(".csv").unlink()
    assert main(["rate", "--out", str(out)]) == 0
    assert "6 answers" in capsys.readouterr().out
    scores = tmp_path / "scores.csv"
    rows = [f"{pair.item},{model},{score}" for pair in first.pairs for model, score in (("alpha", 0.9), ("beta", 0.1))]
    scores.write_text("\n".join(["item,model,metric", *rows]))
    agreement = [
        "agreement",
        str(scores),
        str(out.with_suffix(".csv")),
        "--column",
        "metric",
        "--resamples",
        "0",
        "--json",
    ]
    for dimension in ("rating", "choice"):
        assert main([*agreement, "--dimension", dimension]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["pairwise_accuracy"]["value"] == 1.0
        assert found["num_pairs"] == 3
        assert found["num_items"] == 3


def test_the_page_names_no_model_and_shows_every_codec(
    inputs: Path, tmp_path: Path, sessions: list[page.Session], capsys: pytest.CaptureFixture[str]
) -> None:
    main(words(inputs, "--rater", "ann", "--out", str(tmp_path / "ratings.jsonl")))
    (session,) = sessions
    capsys.readouterr()
    for index, pair in enumerate(session.pairs):
        shown = session.show(index)
        assert "alpha" not in shown
        assert "beta" not in shown
        copies = {side: session.folder / str(index) / f"{side}.mp4" for side in ("left", "right")}
        if pair.item == "singleface_1":
            assert shown.count("This video cannot be shown") == shown.count("<video") == 1
            assert str(inputs / "beta" / "singleface_1.mp4") in capsys.readouterr().err
            continue
        assert shown.count("<video") == 2
        if pair.item == "singleobj_1":
            assert copies["left"].read_bytes() == (inputs / pair.left / "singleobj_1.mp4").read_bytes()
            assert copies["right"].read_bytes() == (inputs / pair.right / "singleobj_1.mp4").read_bytes()
        else:  # browsers do not show MPEG-4 part 2, and H.264 has even sizes
            with open_video(copies["left"]) as reader:
                assert (reader.num_frames, reader.width, reader.height, reader.fps) == (6, 96, 64, 12)
    assert len(list(session.folder.iterdir())) <= 2  # older copies are removed


def test_samples_are_chosen_and_models_named(inputs: Path, tmp_path: Path, sessions: list[page.Session]) -> None:
    out = ("--rater", "ann", "--out", str(tmp_path / "ratings.jsonl"))
    main(words(inputs, *out, "--ids", "singleobj_1", "--names", "one,two"))
    (pair,) = sessions[0].pairs
    assert (pair.item, {pair.left, pair.right}) == ("singleobj_1", {"one", "two"})
    main(words(inputs, *out, "--limit", "2"))
    assert len(sessions[1].pairs) == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "--rater must"),
        (("--rater", "ann", "--names", "one"), "--names must give a different name for each"),
        (("--rater", "ann", "--names", "one,one"), "--names must give a different name for each"),
        (("--rater", "ann", "--question", " "), "--question must not be empty"),
        (("--rater", "ann", "--out", "ratings.csv"), "must not end in .csv"),
        (("--rater", "ann", "--out", "absent/ratings.jsonl"), "there is no folder"),
        (("--rater", "ann", "--ids", "singlehuman_1"), "has a video"),
    ],
)
def test_wrong_use(
    inputs: Path, more: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    sessions: list[page.Session], capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(words(inputs, *more)) == 2
    assert message in capsys.readouterr().err
    assert sessions == []


def test_another_question_needs_another_file(
    inputs: Path, tmp_path: Path, sessions: list[page.Session], capsys: pytest.CaptureFixture[str]
) -> None:
    command = words(inputs, "--rater", "ann", "--out", str(tmp_path / "ratings.jsonl"))
    main(command)
    sessions[0].answer(0, "tie", 3, 3)
    assert main([*command, "--question", "Which moves more?"]) == 2
    assert "to another question" in capsys.readouterr().err


def test_ctrl_c_ends_the_page_and_writes_the_table(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(session: page.Session) -> None:
        answer(session, 0, alpha=3, beta=2)
        raise KeyboardInterrupt

    monkeypatch.setattr(page, "serve", interrupted)
    assert main(words(inputs, "--rater", "ann", "--out", str(tmp_path / "ratings.jsonl"))) == 0
    assert len((tmp_path / "ratings.csv").read_text().splitlines()) == 1 + 2 * 2


def test_without_gradio_the_command_that_installs_it_is_named(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "opens2v_hf.hub.apps.rate")
    assert main(words(inputs, "--rater", "ann")) == 2
    assert "pip install 'opens2v-hf[spaces]'" in capsys.readouterr().err


def test_an_answer_that_cannot_be_written_is_an_error_and_stays_open(
    inputs: Path, tmp_path: Path, sessions: list[page.Session]
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    main(words(inputs, "--rater", "ann", "--out", str(folder / "ratings.jsonl")))
    shutil.rmtree(folder)
    with pytest.raises(page.OpenS2VError, match="cannot write"):
        sessions[0].answer(0, "tie", 3, 3)
    assert sessions[0].first_open() == 0
