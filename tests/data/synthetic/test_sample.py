"""The whole sample, through its function and from the command line."""

import av
import pytest
from helpers.trees import tree_digests

from opens2v_hf.data.synthetic.__main__ import main
from opens2v_hf.data.synthetic.eval_layout import eval_ids
from opens2v_hf.data.synthetic.sample import write_sample
from opens2v_hf.data.synthetic.simulated import SAMPLE_MODELS
from opens2v_hf.errors import ArgumentError


def test_command_line_and_function_write_the_same(tmp_path, capsys):
    assert main(["--out", str(tmp_path / "cli"), "--per-category", "1", "--seed", "4"]) == 0
    printed = capsys.readouterr()
    assert str(tmp_path / "cli" / "opens2v-eval") in printed.out
    seen = []
    folders = write_sample(tmp_path / "call", per_category=1, seed=4, on_file=seen.append)
    assert tree_digests(tmp_path / "call") == tree_digests(tmp_path / "cli")
    assert len(seen) == len(tree_digests(tmp_path / "call"))
    assert f"{len(seen)} files" in printed.err
    assert list(folders.videos) == list(SAMPLE_MODELS)
    for folder in folders.videos.values():
        assert {path.name for path in folder.iterdir()} == {f"{sample_id}.mp4" for sample_id in eval_ids(1)}
        with av.open(str(folder / "singleobj_1.mp4")) as container:
            stream = container.streams.video[0]
            assert (stream.frames, stream.average_rate, stream.width, stream.height) == (16, 8, 168, 112)
    assert (folders.benchmark / "Open-Domain_Eval.json").is_file()
    assert (folders.dataset / "regular").is_dir()


def test_a_bad_seed_is_an_error_and_writes_nothing(tmp_path, capsys):
    assert main(["--out", str(tmp_path / "out"), "--seed", "100"]) == 2
    assert "seed is 0 to 99" in capsys.readouterr().err
    with pytest.raises(ArgumentError, match="per_category=1000"):
        write_sample(tmp_path / "out", per_category=1000)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["--out", str(tmp_path / "file"), "--per-category", "1"]) == 2
    assert "file" in capsys.readouterr().err
