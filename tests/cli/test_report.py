from pathlib import Path

import numpy as np
import pytest
from helpers.results import make_result

from opens2v_hf.cli import main
from opens2v_hf.evaluation.thumbnails import thumbnails_folder, write_thumbnail


def test_a_page_with_the_thumbnails_of_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = make_result("alpha", (0.2, 0.8)).save(tmp_path / "a" / "open-domain.json")
    other = make_result("beta", (0.3, 0.4)).save(tmp_path / "b" / "open-domain.json")
    write_thumbnail(thumbnails_folder(file), "faceobj_1", np.full((2, 20, 30, 3), 90, np.uint8))
    assert main(["report", str(file), str(other), "--out", str(tmp_path / "report"), "--title", "Two models"]) == 0
    page = tmp_path / "report" / "report.html"
    assert capsys.readouterr().out == f"wrote {page}\n"
    text = page.read_text(encoding="utf-8")
    assert "<title>Two models</title>" in text
    assert text.count("data:image/jpeg;base64,") == 1


def test_a_file_that_is_no_result_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.json").write_text("{}")
    assert main(["report", str(tmp_path / "no.json"), "--out", str(tmp_path / "report")]) == 2
    assert "is not a result of format" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()
