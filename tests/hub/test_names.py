import os
import pickle
import shutil
import sys
import textwrap
import types
from pathlib import Path

import datasets
import pytest
from helpers.eval_folder import OPEN_IDS, write_eval_folder

import opens2v_hf
from opens2v_hf.hub import names

TOY_METRIC = '''
"""A metric as the folders under metrics/ hold them."""
import datasets
import evaluate


class ToyScore(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("int64")})
        return evaluate.MetricInfo(description="sum", citation="", inputs_description="", features=features)

    def _compute(self, predictions):
        return {"toyscore": sum(predictions)}
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A checkout of this package next to a metric of its own."""
    root = tmp_path_factory.mktemp("site")
    ignored = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.json", "*.txt")
    shutil.copytree(Path(opens2v_hf.__file__).parent, root / "opens2v_hf", ignore=ignored)
    write_stand_in_for_transformers(root)
    for name in ("toyscore", "otherscore"):
        write_metric(root / "metrics", name)
    return root


def write_stand_in_for_transformers(folder):
    """`evaluate` imports transformers, where it can be imported, for a part of it that these tests do not use."""
    (folder / "transformers.py").write_text("raise ImportError('costs seconds and is not needed here')")


def write_metric(folder, name):
    (folder / name).mkdir(parents=True)
    (folder / name / f"{name}.py").write_text(TOY_METRIC.replace("toyscore", name))


@pytest.fixture
def run(site, tmp_path, bare):
    """Runs code as a fresh process does that imports the package from `site`."""

    def run(code, *arguments, path=site):
        variables = {**os.environ, "PYTHONPATH": str(path), "HF_HOME": str(tmp_path / "home"), "USE_TORCH": "0"}
        first = f"import sys; sys.path.insert(1, {str(path)!r})\n" + textwrap.dedent(code)
        return bare.printed(first, *arguments, environment=variables, cwd=tmp_path).strip().splitlines()

    return run


LOAD_BOTH = """
print([s["id"] for s in {datasets}.load_dataset("opens2v-eval", split="test", data_dir=sys.argv[1], streaming=True)])
print({evaluate}.load("toyscore").compute(predictions=[1, 2]))
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import opens2v_hf, datasets, evaluate",
        "import evaluate; import opens2v_hf; import datasets",
        "import datasets; import opens2v_hf; import evaluate",
    ],
)
def test_bare_names_work_in_any_order_of_imports(run, tmp_path, imports):
    folder = write_eval_folder(tmp_path / "released")
    out = run(f"import sys\n{imports}" + LOAD_BOTH.format(datasets="datasets", evaluate="evaluate"), folder)
    assert out == [str(OPEN_IDS), "{'toyscore': 3}"]


def test_functions_imported_before_the_package_know_the_names(run, tmp_path):
    folder = write_eval_folder(tmp_path / "released")
    code = """
        import sys
        from datasets import get_dataset_config_names, get_dataset_split_names, load_dataset
        from evaluate import combine, load
        import opens2v_hf
        print(load_dataset("opens2v-eval", split="test", data_dir=sys.argv[1])["id"][:])
        print(get_dataset_config_names("opens2v-eval"))
        print(get_dataset_split_names("opens2v-eval", "human-domain", data_dir=sys.argv[1]))
        print(combine(["toyscore", "otherscore"]).compute(predictions=[1, 2, 3]))
    """
    assert run(code, folder) == [
        str(OPEN_IDS),
        "['open-domain', 'human-domain', 'single-domain']",
        "['test']",
        "{'toyscore': 6, 'otherscore': 6}",
    ]


def test_bare_names_and_pickles_work_in_spawned_workers(run, tmp_path):
    """A worker that unpickles a metric, or loads by name once it imports the package, needs nothing of its parent."""
    folder = write_eval_folder(tmp_path / "released")
    script = tmp_path / "script.py"
    script.write_text("""
import multiprocessing, pickle, sys
import opens2v_hf

def by_name(folder):
    import datasets, evaluate
    ids = datasets.load_dataset("opens2v-eval", split="test", data_dir=folder, streaming=True)
    return [s["id"] for s in ids], evaluate.load("toyscore").compute(predictions=[4])

def unpickled(content):
    return pickle.loads(content).compute(predictions=[5])

if __name__ == "__main__":
    import evaluate
    content = pickle.dumps(evaluate.load("toyscore"))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(unpickled, (content,)))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(*pool.apply(by_name, (sys.argv[1],)))
""")
    assert run_script(run, script, folder) == ["{'toyscore': 5}", f"{OPEN_IDS} {{'toyscore': 4}}"]


def run_script(run, script, folder):
    # A spawned worker imports the main module by its file, so the script runs as a file, not through -c.
    launcher = f"import subprocess, sys; subprocess.run([sys.executable, {str(script)!r}, {str(folder)!r}], check=True)"
    return run(launcher)


def test_a_wheel_carries_its_metrics_inside_the_package(run, site, tmp_path):
    installed = tmp_path / "installed"
    shutil.copytree(site / "opens2v_hf", installed / "opens2v_hf")
    write_stand_in_for_transformers(installed)
    write_metric(installed / "opens2v_hf" / "_hub_folders" / "metrics", "toyscore")
    code = "import evaluate, opens2v_hf; print(evaluate.load('toyscore').compute(predictions=[2]), opens2v_hf.__file__)"
    assert run(code, path=installed) == [f"{{'toyscore': 2}} {installed}/opens2v_hf/__init__.py"]


def test_a_local_folder_of_the_name_wins_if_it_is_a_dataset_or_metric(run, tmp_path):
    other = tmp_path / "other"
    released = write_eval_folder(tmp_path / "released")
    for folder in ("opens2v-eval", "toyscore"):
        (other / folder).mkdir(parents=True)
    (tmp_path / "opens2v-eval").mkdir()
    (tmp_path / "opens2v-eval" / "mine.csv").write_text("a\n7\n")
    (tmp_path / "toyscore").mkdir()
    mine = TOY_METRIC.replace("sum(predictions)", "'mine'")
    (tmp_path / "toyscore" / "toyscore.py").write_text(mine)
    code = """
        import os, sys, warnings
        import opens2v_hf, datasets, evaluate

        def show(load):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                print(load())
            print(*sorted({str(w.message) for w in caught if "working folder" in str(w.message)}))

        show(lambda: datasets.load_dataset("opens2v-eval", split="train")["a"][:])
        show(lambda: evaluate.load("toyscore").compute(predictions=[1]))
        show(lambda: datasets.load_dataset("./opens2v-eval", split="train")["a"][:])
        show(lambda: evaluate.load("./toyscore").compute(predictions=[1]))
        os.chdir(sys.argv[1])  # with empty folders of these names
        try:
            datasets.load_dataset("opens2v-eval", split="test", data_dir=sys.argv[2])
        except Exception as error:
            print(type(error).__name__, error)
        print(evaluate.load("toyscore").compute(predictions=[1, 2]))
    """
    *lines, error, score = run(code, other, released)
    assert [lines[0], lines[2]] == ["[7]", "{'toyscore': 'mine'}"]
    assert f"the folder {tmp_path / 'opens2v-eval'} is taken for the dataset 'opens2v-eval'" in lines[1]
    assert f"the folder {tmp_path / 'toyscore'} is taken for the metric 'toyscore'" in lines[3]
    assert lines[4:] == ["[7]", "", "{'toyscore': 'mine'}", ""]
    assert error.startswith(f"ArgumentError the folder {other / 'opens2v-eval'} is taken for the dataset")
    assert "rename it or run elsewhere" in error
    assert score == "{'toyscore': 3}"


def test_a_wrapped_library_serves_other_names_and_shows_its_own_loader(run):
    code = """
        import inspect, sys
        import opens2v_hf, datasets, evaluate
        module = sys.modules["datasets.load"]
        print(type(module.__loader__).__name__, type(module.__spec__.loader).__name__)
        print("def load_dataset(" in inspect.getsource(module), module.dataset_module_factory.__name__)
        for load, name, options in [
            (datasets.load_dataset, "opens2v-unknown", {}),
            (evaluate.load, "unknownscore", {}),
            (evaluate.load, "toyscore", {"revision": "v1"}),
            (evaluate.load, "../toyscore", {}),
        ]:
            try:
                load(name, **options)
            except Exception as error:
                print(type(error).__module__.split(".")[0], type(error).__name__, name in str(error))
    """
    loader, source, *out = run(code)
    assert (loader, source) == ("SourceFileLoader SourceFileLoader", "True dataset_module_factory")
    assert out[0].split()[1:] == ["ConnectionError", "True"]
    assert [line.split()[1:] for line in out[1:]] == [["FileNotFoundError", "True"]] * 3


def test_installing_again_changes_nothing():
    before = list(sys.meta_path), datasets.load.dataset_module_factory, datasets.inspect.dataset_module_factory
    names.install()
    assert (
        list(sys.meta_path),
        datasets.load.dataset_module_factory,
        datasets.inspect.dataset_module_factory,
    ) == before


def test_a_library_that_changed_is_reported_not_broken():
    with pytest.warns(RuntimeWarning, match="no dataset_module_factory"):
        names._wrap(types.ModuleType("datasets.load"))


def test_every_metric_folder_of_the_project_is_a_bare_name():
    root = Path(names.__file__).parents[2] / "metrics"
    if not root.is_dir():
        pytest.skip("the metric folders are not next to the package")
    scripts = [
        folder / f"{folder.name}.py" for folder in root.iterdir() if folder.is_dir() and folder.name[0] not in "._"
    ]
    assert [names.metric_script(script.stem) for script in scripts] == [s if s.is_file() else None for s in scripts]
    for name in ("accuracy", "", "..", "../metrics/gmescore", "GmeScore", "gmescore/gmescore"):
        assert names.metric_script(name) is None


def test_a_builder_survives_pickling(tmp_path):
    folder = write_eval_folder(tmp_path / "released")
    builder = datasets.load_dataset_builder("opens2v-eval", data_dir=str(folder), cache_dir=str(tmp_path / "cache"))
    again = pickle.loads(pickle.dumps(builder))
    assert again.config_id == builder.config_id
    assert [row["id"] for row in again.as_streaming_dataset(split="test")] == OPEN_IDS
