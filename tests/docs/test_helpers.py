"""The checks of the pages can fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.commands import check, commands_of
from helpers.markdown import anchors, blocks, links
from helpers.shown_output import difference
from helpers.unrun_code import Checker

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("shown", "printed", "right"),
    [
        ("a  0.50 b", "a 0.50\nb", True),
        ("a 0.50", "a 0.52", True),
        ("a 0.50", "a 0.53", False),
        ("a 0.50", "a b", False),
        ("first\n...\nlast 1.0", "first\nmore 0.3\nlast 1.1", True),
        ("first\n...\nlast", "first\nmore", False),
        ("-0.091", "0.091", False),
        ("n=2", "n=3", False),
        ("(a|b) [c]", "(a|b) [c]", True),
    ],
)
def test_output_is_compared(shown: str, printed: str, right: bool) -> None:
    assert (difference(shown, printed) == "") is right


def test_a_page_is_parsed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "---\ntitle: a\n---\n# A `b`: c & d\n\n[x](y.md#z) ![a picture](p.png)\n\n"
        "```python\n# needs a GPU\nf()\n```\n\n## Twice\n\n## Twice\n"
    )
    (block,) = blocks(page, tmp_path)
    assert (block.place, block.language, block.needs) == ("page.md:8", "python", "a GPU")
    assert [(link.line, link.target, link.is_picture) for link in links(page)] == [
        (6, "y.md#z", False),
        (6, "p.png", True),
    ]
    assert anchors(page) == {"a-b-c--d", "twice", "twice-1"}


def test_commands_are_read() -> None:
    first, second = commands_of("console", "$ opens2v doctor  # exits with 1\nok\n\n$ opens2v show a \\\n  --out b\n")
    assert (first.words, first.exit_code, first.shown) == (("opens2v", "doctor"), 1, "ok")
    assert (second.words, second.exit_code, second.shown) == (("opens2v", "show", "a", "--out", "b"), 0, None)
    assert len(commands_of("bash", "# a comment\nopens2v doctor\n\nmake demo")) == 2


@pytest.mark.parametrize(
    "line",
    [
        "opens2v doctor",
        "opens2v score v --split human-domain --out r",
        "accelerate launch --num_processes 2 -m opens2v_hf score v --out r",
        "accelerate launch --num_processes 2 score.py",
        "make demo",
        'pip install ".[spaces]"',
    ],
)
def test_a_right_command_is_taken(line: str) -> None:
    (command,) = commands_of("bash", line)
    check(command, ROOT)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("opens2v scroe v", "no command opens2v scroe"),
        ("opens2v score v --split all --out r", "invalid choice"),
        ("opens2v score v --outt r", "required: --out"),
        ("opens2v doctor --all", "unrecognized arguments"),
        ("accelerate launch --processes 2 -m opens2v_hf score v --out r", "processes"),
        ("accelerate launch -m opens2v_hf score v --to r", "required: --out"),
        ("accelerate launch -m other score v", "not this package"),
        ("make coffee", "coffee"),
        ("pip install opens2v", "not this package"),
        ("pip install .[gpu]", "no extra"),
        ("rm -r x", "no parser"),
    ],
)
def test_a_wrong_command_is_found(line: str, message: str) -> None:
    (command,) = commands_of("bash", line)
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        check(command, ROOT)


@pytest.mark.parametrize(
    "code",
    [
        'import opens2v_hf\nresult = opens2v_hf.score("videos", split="open-domain", metric_models={"judge": "a/b"})\n'
        'result.save("r.json")',
        'import evaluate\nevaluate.load("nexusscore").compute(predictions=[], references=[], variant="coverage")',
        "from opens2v_hf.data.training import SubjectRule\nSubjectRule(max_count=3)",
    ],
)
def test_right_code_passes(code: str) -> None:
    checker = Checker(ROOT)
    checker.check(code)
    assert checker.num_calls


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("f(", SyntaxError),
        ("import opens3v_hf", ImportError),
        ("from opens2v_hf.errors import Oops", AttributeError),
        ("import opens2v_hf\nopens2v_hf.scored('v')", AttributeError),
        ("import opens2v_hf\nopens2v_hf.score('v', splits='open-domain')", TypeError),
        ("import opens2v_hf\nopens2v_hf.score('v').savve('x')", AttributeError),
        ("import opens2v_hf\nr = opens2v_hf.score('v')\nr.save('x', mode='w')", TypeError),
        ("import evaluate\nm = evaluate.load('naturalscore')\nm.compute(predictions=[], judges='a')", TypeError),
        ("from opens2v_hf.data.training import TrainingView\nTrainingView(rows, frames=49)", TypeError),
    ],
)
def test_wrong_code_is_found(code: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Checker(ROOT).check(code)


def test_every_helper_has_a_line_in_their_readme() -> None:
    helpers = ROOT / "tests" / "helpers"
    lines = [line for line in (helpers / "README.md").read_text().splitlines() if line.startswith("| `")]
    named = {name.strip("`/ ") for line in lines for name in line.split("|")[1].split(",")}
    present = {path.name for path in helpers.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert named == present - {"__pycache__"}
