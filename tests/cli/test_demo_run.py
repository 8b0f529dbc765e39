import errno
import os
from pathlib import Path

import pytest
from datasets import load_dataset

from opens2v_hf.cli.demo_run import embedded_metrics, run_demo
from opens2v_hf.data.synthetic.simulated import SAMPLE_MODELS
from opens2v_hf.errors import ResultError, SourceError
from opens2v_hf.metrics.registry import DEFAULT_METRICS, METRICS
from opens2v_hf.models.hub import has_embedded
from opens2v_hf.models.info import EMBEDDED_NOTE
from opens2v_hf.results.result import RunResult


def test_the_demo_takes_all_metrics_that_need_no_other_models() -> None:
    assert {"gmescore", "nexusscore", "naturalscore", "motion_amplitude"} <= set(embedded_metrics())
    for name in set(DEFAULT_METRICS) - set(embedded_metrics()):
        assert not all(has_embedded(role) for role in METRICS[name].roles)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(ResultError, match=r"cannot write .*file: (Not a directory|File exists)"):
        run_demo(tmp_path / "file", per_category=1)

    def no_space(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("opens2v_hf.cli.demo_run.write_sample", no_space)
    with pytest.raises(ResultError, match="No space left on device; free some space"):
        run_demo(tmp_path / "out", per_category=1)


@pytest.mark.slow
def test_a_demo_ends_with_a_page_and_resumes_from_earlier_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    results = run_demo(tmp_path, per_category=1, metrics=("gmescore", "motion_amplitude"), say=said.append)
    by_model = {result.model: result.scorecard().columns["gmescore"].normalised for result in results}
    assert set(by_model) == set(SAMPLE_MODELS)
    assert max(by_model, key=by_model.__getitem__) in ("perfect", "frozen")
    assert by_model["missing_subject"] < by_model["flicker"] < by_model["perfect"]
    # frozen videos have no motion; their scenes are those of the perfect ones
    amplitude = {r.model: r.scorecard().columns["motion_amplitude"].normalised for r in results}
    assert amplitude["frozen"] < 0.01 < amplitude["perfect"]
    assert any(EMBEDDED_NOTE in line for line in said)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    # one best and one worst video of each column and model, all with their thumbnails
    assert page.count('alt="Frames of the video for ') == 2 * 2 * len(SAMPLE_MODELS)
    assert "What the simulated models show" in page
    for result in results:
        assert RunResult.load(tmp_path / "results" / result.model / "open-domain.json") == result
    assert any("seed 42, width 32" in line for line in said)
    assert any("the videos are noise" in line for line in said)
    assert len(list((tmp_path / "generated" / "videos").glob("*.mp4"))) == 2
    # ten synthetic videos have twelve clips of a second and more, each with what was drawn into it
    rows = load_dataset("opens2v-5m", split="train", data_dir=str(tmp_path / "dataset"), streaming=True)
    assert len([row for row in rows.remove_columns(["video", "background"]) if row["subjects"]]) == 12
    with pytest.raises(SourceError, match="shards of 'cross_pairs' and 'regular', and none of the config 'views'"):
        load_dataset("opens2v-5m", "views", data_dir=str(tmp_path / "dataset"), streaming=True)
    assert "<html" in (tmp_path / "sample.html").read_text(encoding="utf-8")
    capsys.readouterr()
    for part in ("_from_a_name", "_from_videos"):  # other tests resume these
        monkeypatch.setattr(f"opens2v_hf.cli.demo_run.{part}", lambda *arguments: None)
    again = run_demo(tmp_path, per_category=1, metrics=("gmescore", "motion_amplitude"), say=said.append)
    assert "16 taken from the journal" in capsys.readouterr().err
    assert [result.scorecard() for result in again] == [result.scorecard() for result in results]
