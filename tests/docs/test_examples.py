"""Every example of the pages is run on a small synthetic sample, or held against the code where it cannot be.

A block whose first line reads `# needs ...` (a GPU, the Hub) is not run: its imports must resolve and its calls and
command lines fit; so with blocks of `make`, which installs. All other Python and shell blocks run in the order of their
page, Python sharing its names, in a folder in which the commands of docs/README.md were run before. What a page shows
as output must come out. The README speaks of the larger sample that `make demo` writes; its examples are of single
videos, which are the same in both.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.commands import check, commands_of, run
from helpers.markdown import Block, blocks
from helpers.shown_output import difference
from helpers.unrun_code import Checker

from opens2v_hf.hub.dataset_card import THIS_REPO
from opens2v_hf.metrics import model_cache, registry
from opens2v_hf.models.roles import ModelChoice, load_model

ROOT = Path(__file__).resolve().parents[2]
FIRST = ROOT / "docs" / "README.md"
"""The page that makes what the others go on from."""
PAGES = [*sorted(ROOT.glob("docs/*.md"), key=lambda page: page != FIRST), ROOT / "README.md"]
CARDS = sorted(ROOT.glob("metrics/*/README.md")) + sorted(ROOT.glob("dataset_scripts/*/README.md"))
CARDS += sorted(ROOT.glob("spaces/**/README.md"))
SHOWN_ONLY = {"bibtex", "json", "math", "text", "yaml"}
"""Languages of blocks that are not run."""


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


class _Page:
    """Runs the blocks of one page."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {"__name__": "example"}
        self.run: list[str] = []
        self.held_against_code: list[str] = []
        self._checker = Checker(ROOT)

    def take(self, block: Block) -> None:
        if _excuse(block):
            self.held_against_code.append(block.place)
            _hold_against_code(block, self._checker)
        elif block.language == "python":
            self.run.append(block.place)
            self._run_python(block)
        else:
            self.run.append(block.place)
            _run_shell(block)

    def _run_python(self, block: Block) -> None:
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile("\n" * block.line + block.text, ROOT / block.page, "exec"), self.names)
        shown = "\n".join(re.findall(r"^ *# > ?(.*)$", block.text, flags=re.MULTILINE))
        if shown:
            assert not (wrong := difference(shown, printed.getvalue())), f"{block.place}: {wrong}"


def _run_shell(block: Block) -> None:
    for command in commands_of(block.language, block.text):
        code, printed = run(command)
        assert code == command.exit_code, f"{block.place}: {' '.join(command.words)} exits with {code}\n{printed}"
        if command.shown is not None:
            assert not (wrong := difference(command.shown, printed)), f"{block.place}: {wrong}"


def _hold_against_code(block: Block, checker: Checker) -> None:
    if block.language == "python":
        checker.check(block.text)
        return
    found = commands_of(block.language, block.text)
    assert found, f"{block.place} holds no command"
    for command in found:
        check(command, ROOT)


def _excuse(block: Block) -> str:
    """Why a block is not run; empty for those that are."""
    shell = commands_of(block.language, block.text) if block.language in ("bash", "console") else []
    if shell and all(command.words[0] == "make" for command in shell):
        return "a network, for the installation"
    return block.needs


def _runnable(page: Path) -> list[Block]:
    return [block for block in blocks(page, ROOT) if block.language not in SHOWN_ONLY]


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """The small models gain nothing from more, and lose much where other work shares the processor."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def models_loaded_once() -> Iterator[None]:
    """Each embedded model is loaded once for all examples, which changes no result."""
    loaded: dict[tuple[str, str], Any] = {}

    def load(role: str, choice: ModelChoice) -> Any:
        key = role, repr(choice)
        if key not in loaded:
            loaded[key] = load_model(role, choice)
        return loaded[key]

    with pytest.MonkeyPatch.context() as patch:
        for module in (model_cache, registry):
            patch.setattr(module, "load_model", load)
        yield


@pytest.fixture(scope="module")
def workspace(one_thread: None, models_loaded_once: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first page was run."""
    folder = tmp_path_factory.mktemp("docs") / "workspace"
    folder.mkdir()
    page = _Page()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in _runnable(FIRST):
            page.take(block)
    assert page.run
    return folder


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_the_examples_of_a_page(path: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path == FIRST:  # the fixture has run it
        return
    folder = tmp_path / "page"
    shutil.copytree(workspace, folder)
    monkeypatch.chdir(folder)
    if path == ROOT / "README.md":
        shutil.copytree("sample", "demo-output/sample")
    page = _Page()
    for block in _runnable(path):
        page.take(block)
    every = [block.place for block in _runnable(path)]
    assert sorted(page.run + page.held_against_code) == sorted(every)


@pytest.mark.parametrize("path", CARDS, ids=_name)
def test_the_examples_of_a_card_fit_the_code(path: Path) -> None:
    """Cards are read on the Hub, where the released models answer; here their examples are held against the code."""
    checker = Checker(ROOT)
    for block in _runnable(path):
        published = replace(block, text=block.text.replace(THIS_REPO, "org/name"))
        _hold_against_code(published, checker)


def test_every_block_is_found() -> None:
    """The fences are counted in another way, and each has a language that is run or known to be shown only."""
    for path in PAGES + CARDS:
        fences = re.findall(r"^ *(?:```|~~~)(.*)$", path.read_text("utf-8"), flags=re.MULTILINE)
        found = blocks(path, ROOT)
        assert len(fences) == 2 * len(found), _name(path)
        assert [block.language for block in found] == fences[::2], _name(path)
        unknown = {block.language for block in found} - SHOWN_ONLY - {"python", "bash", "console"}
        assert not unknown, f"{_name(path)}: {unknown}"


def test_most_examples_are_run_and_what_is_not_says_why() -> None:
    """Only a GPU, the Hub, a network or an endpoint excuses an example."""
    every = [block for page in PAGES for block in _runnable(page)]
    unrun = [block for block in every if _excuse(block)]
    assert len(unrun) < len(every) / 2
    for block in unrun:
        assert re.search(r"\b(GPUs?|Hub|network|endpoint)\b", _excuse(block)), f"{block.place}: {_excuse(block)}"
