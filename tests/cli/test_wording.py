from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

import pytest

import opens2v_hf
from opens2v_hf.cli import main
from opens2v_hf.cli.wording import in_flags, plain_warnings
from opens2v_hf.data.synthetic.eval_layout import write_eval
from opens2v_hf.models.endpoint.lifetimes import check_lifetime


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("videos")
    parser.add_argument("--judge")
    parser.add_argument("--judge-base-url")
    parser.add_argument("--option", action="append")
    parser.add_argument("--overwrite", action="store_true")
    parser.add_argument("--eval", dest="eval_source")
    return parser


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("another judge (`judge=`)", "another judge (--judge)"),
        ("use `judge=openai:<model>` now", "use --judge openai:<model> now"),
        ("give `overwrite=True`", "give --overwrite"),
        ("set `base_url=`", "set --judge-base-url"),
        ("allow `max_reply_tokens=4000`", "allow --option judge.max_reply_tokens=4000"),
        ("name `eval_source='a b'`", "name --eval a b"),
        ("`videos=` and `other=1` have no flag", "`videos=` and `other=1` have no flag"),
        ("`hf auth login` and judge=5 stay", "`hf auth login` and judge=5 stay"),
    ],
)
def test_arguments_become_the_flags_of_the_command(message: str, said: str, parser: argparse.ArgumentParser) -> None:
    assert in_flags(message, parser) == said


def test_one_error_in_the_words_of_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    write_eval(tmp_path / "benchmark", per_category=1)
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "singleobj_1.mp4").write_bytes(b"")
    arguments = {"videos": str(tmp_path / "videos"), "data_dir": str(tmp_path / "benchmark")}
    words = ["score", arguments["videos"], "--data-dir", arguments["data_dir"], "--out", str(tmp_path / "out")]
    assert main([*words, "--metrics", "naturalscore"]) == 2
    printed = capsys.readouterr().err
    with pytest.raises(opens2v_hf.errors.OpenS2VError) as caught:
        opens2v_hf.score(**arguments, metrics=["naturalscore"])
    assert "--judge" in printed
    assert "judge=" not in printed
    assert "`judge=`" in str(caught.value)
    assert "--" not in str(caught.value)


def test_the_shutdown_warning_is_one_line_in_flags(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with plain_warnings(parser):
        check_lifetime("gpt-4o-2024-11-20", date(2027, 1, 1))
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: the judge 'gpt-4o-2024-11-20' is shut down by its maker on 2027-01-14, in 13 days")
    assert "(--judge naturalscore-open-1)" in line
    assert "(--judge openai:<model>, or " in line
