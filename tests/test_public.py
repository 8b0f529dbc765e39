"""What `import opens2v_hf` gives: the names, their help, and what it costs."""

import inspect
import pydoc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.results import make_result
from helpers.scorecards import full_result

import opens2v_hf
from opens2v_hf.errors import ArgumentError
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
        "import time; begin = time.perf_counter(); import opens2v_hf; took = time.perf_counter() - begin\n"
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
        with pytest.raises(ArgumentError, match="top must be a whole number from 0"):
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
