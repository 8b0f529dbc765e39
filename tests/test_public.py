"""What `import opens2v_hf` gives: the names, their help, and what it costs."""

import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.results import make_result
from helpers.scorecards import full_result

import opens2v_hf
from opens2v_hf.errors import ArgumentError, OpenS2VError, SourceError
from opens2v_hf.evaluation.thumbnails import thumbnails_folder, write_thumbnail

FUNCTIONS = ("build", "compare", "convert", "doctor", "explain", "push", "report", "score", "show")


def test_the_names_are_shown_by_dir_and_help() -> None:
    assert {*FUNCTIONS, "ModelChoice", "RunResult", "__version__"} <= set(dir(opens2v_hf))
    help_text = pydoc.render_doc(opens2v_hf, renderer=pydoc.plaintext)
    for name in FUNCTIONS:
        assert f"\n    {name}(" in help_text
    assert "class RunResult" in help_text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_types_and_says_what_each_argument_is(name: str) -> None:
    function = getattr(opens2v_hf, name)
    signature = inspect.signature(function)
    assert signature.return_annotation is not signature.empty
    documented = (inspect.getdoc(function) or "").partition("Args:")[2]
    for parameter in signature.parameters.values():
        assert parameter.annotation is not parameter.empty
        assert f"{parameter.name}: " in documented


def test_an_import_is_quick_and_brings_no_large_library() -> None:
    code = (
        "import time; begin = time.process_time(); import opens2v_hf; took = time.process_time() - begin\n"
        "import sys; print(took, [name for name in ('torch', 'transformers', 'gradio', 'matplotlib', 'datasets', "
        "'pandas', 'evaluate', 'huggingface_hub', 'numpy', 'pyarrow', 'PIL', 'cv2') if name in sys.modules])"
    )
    took = min(_import_seconds(code) for _ in range(3))
    assert took < 0.5


def _import_seconds(code: str) -> float:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, _, names = done.stdout.strip().partition(" ")
    assert names == "[]"
    return float(seconds)


def test_an_absent_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'scores_of'"):
        _ = opens2v_hf.scores_of
    assert Path(inspect.getfile(opens2v_hf)).with_name("py.typed").is_file()


def test_results_are_compared_as_objects_files_or_folders(tmp_path: Path) -> None:
    a, b = full_result("alpha", quality=0.6), full_result("beta")
    file, folder = a.save(tmp_path / "a.json"), b.save(tmp_path / "b" / "open-domain.json").parent
    comparison = opens2v_hf.compare(file, str(folder), weights="v1.0", top=1)
    assert (comparison.a, comparison.b, comparison.version) == ("alpha", "beta", "v1.0")
    assert comparison.to_dict() == opens2v_hf.compare(a, b, weights="v1.0", top=1).to_dict()
    for top in (-1, 1.5, True):
        with pytest.raises(ArgumentError, match="top must be a whole number"):
            opens2v_hf.compare(a, b, top=top)  # type: ignore[arg-type]


def test_a_report_takes_one_or_several(tmp_path: Path) -> None:
    file = make_result("alpha", (0.2, 0.8)).save(tmp_path / "a" / "open-domain.json")
    write_thumbnail(thumbnails_folder(file), "faceobj_1", np.full((2, 20, 30, 3), 90, np.uint8))
    beta = make_result("beta", (0.3, 0.4))
    page = opens2v_hf.report([tmp_path / "a", beta], tmp_path / "report", title="Two models")
    text = page.read_text(encoding="utf-8")
    assert "<title>Two models</title>" in text
    assert text.count("data:image/jpeg;base64,") == 1
    assert opens2v_hf.report(beta, tmp_path / "one").read_text(encoding="utf-8").count("Two models") == 0


def test_the_doctor_says_what_is_there() -> None:
    topics = {finding.topic: finding.state for finding in opens2v_hf.doctor()}
    assert topics["opens2v-hf"] == "ok"


WRONG_TYPES: list[tuple[str, dict[str, Any], str]] = [
    ("score", {"videos": 3}, "videos must be a path or None (got 3)"),
    ("score", {"videos": "v", "out": 3}, "out must be a path or None (got 3)"),
    ("score", {"videos": "v", "ids": [3]}, "ids must be a text, a list (each a text) or None (got [3])"),
    ("score", {"videos": "v", "limit": "3"}, "limit must be a whole number or None (got '3')"),
    ("score", {"videos": "v", "split": None}, "split must be a text (got None)"),
    ("score", {"videos": "v", "metrics": "gmescore"}, "metrics must be a list (each a text) or None (got 'gmescore')"),
    ("score", {"videos": "v", "resume": "always"}, "resume must be 'auto', 'retry-failed' or 'never' (got 'always')"),
    ("score", {"videos": "v\0"}, "videos has characters that no path has"),
    ("score", {"videos": "v", "data_dir": "~nobody-of-this-name/x"}, "there is no folder"),
    ("score", {"videos": "v", "data_dir": "x" * 5000}, "there is no folder"),
    ("compare", {"a": 3, "b": "b.json"}, "a must be a RunResult or a path (got 3)"),
    (
        "report",
        {"results": None, "out": "r"},
        "results must be a RunResult, a path or a list",
    ),
    ("report", {"results": ["a"], "out": 3}, "out must be a path (got 3)"),
    ("push", {"result": 3, "model": "o/m"}, "result must be a RunResult or a path (got 3)"),
    ("push", {"result": "r.json", "model": 3}, "model must be a text (got 3)"),
    ("show", {"sample": None}, "sample must be a text or a whole number (got None)"),
    ("show", {"sample": 0, "config_name": "clips"}, "config_name must be 'regular', 'cross_pairs' or 'views'"),
    ("convert", {"source": 3, "target": "t"}, "source must be a path (got 3)"),
    ("convert", {"source": "s", "target": "t", "processes": True}, "processes must be a whole number (got True)"),
    ("explain", {"video": 3}, "video must be a path (got 3)"),
    ("explain", {"video": "v", "labels": "cat"}, "labels must be a list (each a text) (got 'cat')"),
    ("build", {"source": 3, "out": "o"}, "source must be a path or None (got 3)"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), WRONG_TYPES, ids=str)
def test_an_argument_of_a_wrong_type_is_an_error_in_words(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(OpenS2VError, match=re.escape(message)):
        getattr(opens2v_hf, name)(**arguments)


@pytest.mark.parametrize("address", ["hf://datasets/org/name", "s3://bucket/x"])
def test_what_is_written_is_a_local_folder(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match="what is written must be a local path"):
        opens2v_hf.report(full_result("alpha"), address)
    with pytest.raises(ArgumentError, match="what is written must be a local path"):
        opens2v_hf.build("videos", address, stages=["probe"])
    assert not list(tmp_path.iterdir())


def test_a_title_that_is_no_unicode_is_escaped(tmp_path: Path) -> None:
    page = opens2v_hf.report(full_result("alpha"), tmp_path, title="caf\udce9")
    assert r"caf\udce9" in page.read_text(encoding="utf-8")


def test_a_link_that_points_to_itself_is_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SourceError, match="loop"):
        opens2v_hf.show(0, data_dir=tmp_path / "loop")
    with pytest.raises(SourceError, match="loop"):
        opens2v_hf.convert(tmp_path / "loop", tmp_path / "out")
