import pytest
from helpers.opens2v5m import folder_form

from opens2v_hf.cli import main


def test_writes_a_page_and_prints_its_path(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["show", "0", "--data-dir", str(folder_form()), "--num-frames", "2", "--pairs", "1"]) == 0
    name = capsys.readouterr().out.removeprefix("wrote ").strip()
    assert name.startswith("synthetic00000")
    assert "<!doctype html>" in (tmp_path / name).read_text()


def test_an_unknown_sample_is_one_line(tmp_path, capsys):
    assert main(["show", "none", "--data-dir", str(folder_form()), "--out", str(tmp_path / "x.html")]) == 2
    message = capsys.readouterr().err
    assert message.startswith("opens2v show: ")
    assert message.count("\n") == 1
    assert not (tmp_path / "x.html").exists()


def test_a_folder_and_a_repo_exclude_each_other():
    with pytest.raises(SystemExit) as end:
        main(["show", "0", "--data-dir", "a", "--repo", "b/c"])
    assert end.value.code == 2


def test_a_picture_is_refused_before_anything_is_read(tmp_path, capsys):
    assert main(["show", "0", "--data-dir", str(tmp_path / "nowhere"), "--out", "sheet.png"]) == 2
    assert "out must end in .html (got 'sheet.png')" in capsys.readouterr().err
