"""Values of a wrong type are errors in words; of one video where a generator returned them."""

import numpy as np
import pytest
from helpers.eval_folder import write_eval_folder
from helpers.stripes import Stripes, make

from opens2v_hf.errors import ArgumentError, GenerationError
from opens2v_hf.generators import Generated, GeneratorInfo, Recipe
from opens2v_hf.generators.api import generate
from opens2v_hf.generators.function import as_generator, load_function
from opens2v_hf.leaderboard.reproduction.reproduce import reproduce


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return write_eval_folder(tmp_path_factory.mktemp("types") / "benchmark")


@pytest.mark.parametrize(
    "arguments",
    [
        {"model": 3},
        {"model": None},
        {"model": ["org/name"]},
        {"model": ""},
        {"split": ["open-domain"]},
        {"out": 3},
        {"out": None},
        {"out": "hf://datasets/org/name"},
        {"limit": 0},
        {"recipe": {"steps": 3}},
        {"seed": "42"},
        {"seeds": 3},
        {"seeds": ["1"]},
        {"seeds": "1,2"},
        {"limit": "3"},
        {"limit": True},
        {"ids": 3},
        {"ids": [3]},
        {"data_dir": 3},
        {"lora": 3},
        {"references": 3},
        {"too_many_references": 3},
        {"accept_license": "yes"},
        {"retry_failed": 1},
        {"device": 3},
    ],
    ids=str,
)
def test_arguments_of_a_run(benchmark, tmp_path, arguments):
    (name,) = arguments
    words = "must be a local path" if str(arguments[name]).startswith("hf:") else name
    with pytest.raises(ArgumentError, match=words):
        generate(**{"model": Stripes(), "out": tmp_path, "data_dir": benchmark} | arguments)


@pytest.mark.parametrize("arguments", [{"name": 3}, {"source": 3}, {"recipe": 3}, {"out": 3}, {"split": 3}], ids=str)
def test_arguments_of_a_reproduction(tmp_path, arguments):
    (name,) = arguments
    with pytest.raises(ArgumentError, match=name):
        reproduce(**{"name": "VACE-1.3B", "source": "new", "model": Stripes(), "out": tmp_path} | arguments)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"info": {"kind": "mine"}}, "info of Stripes must be a GeneratorInfo (got dict)"),
        ({"recipe": {"fps": 8}}, "recipe of Stripes must be a Recipe (got dict)"),
        ({"max_references": "2"}, "max_references of Stripes must be a whole number"),
        ({"close": None}, "must be methods"),
    ],
)
def test_attributes_of_a_generator(benchmark, tmp_path, change, words):
    one = Stripes()
    vars(one).update(change)
    with pytest.raises(ArgumentError) as raised:
        make(one, benchmark, tmp_path)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [{"kind": 3}, {"name": ""}, {"revision": 3}, {"versions": {"torch": 2}}, {"versions": 3}, {"notes": "none"}],
    ids=str,
)
def test_fields_of_a_generator_s_info(changes):
    (name,) = changes
    with pytest.raises(ArgumentError, match=f"`{name}` of a generator"):
        GeneratorInfo(**{"kind": "mine", "name": "stripes"} | changes)


FRAMES = np.zeros((4, 16, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "either frames or a video"),
        ({"frames": FRAMES, "video": b"x"}, "either frames or a video"),
        ({"video": "/tmp/a.mp4"}, "bytes of a video file .got str."),
        ({"frames": FRAMES, "fps": "8"}, "`fps` must be a number above 0"),
        ({"frames": FRAMES, "fps": float("nan")}, "`fps` must be a number above 0"),
        ({"frames": FRAMES, "facts": 3}, "`facts` must map"),
    ],
)
def test_fields_of_what_was_generated(fields, words):
    with pytest.raises(GenerationError, match=words):
        Generated(**fields)


def test_what_a_generator_returns_costs_its_own_video_only(benchmark, tmp_path):
    run = make(Stripes({"singleobj_1": "frames"}), benchmark, tmp_path)
    assert run.failed == {"singleobj_1": "the generator must return a Generated (got str)"}
    assert len(run.made) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Recipe.from_file(3),
        lambda: Recipe.from_dict(3),
        lambda: Recipe.from_dict({3: 4}),
        lambda: Recipe(extra={"generator": object()}),
    ],
)
def test_recipes(wrong):
    with pytest.raises(ArgumentError, match="recipe"):
        wrong()


def test_code_that_exits_is_no_generator(tmp_path):
    (tmp_path / "script.py").write_text("import sys\ndef make(request): ...\nsys.exit(3)\n")
    with pytest.raises(ArgumentError, match=r"cannot import .*script\.py.*called sys\.exit\(3\)"):
        load_function(f"{tmp_path / 'script.py'}:make")

    class Exits:
        def __init__(self):
            raise SystemExit(3)

    with pytest.raises(ArgumentError, match=r"Exits\(\) raised .*called sys\.exit\(3\)"):
        as_generator(Exits)
