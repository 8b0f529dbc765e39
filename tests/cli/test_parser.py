"""Wrong words, configs and options of the command line."""

import argparse
from pathlib import Path

import pytest
from helpers.scorecards import full_result

from opens2v_hf.cli import COMMANDS, command_parser, main
from opens2v_hf.cli.metric_options import parse_options
from opens2v_hf.cli.options import FLAGS
from opens2v_hf.data.synthetic.eval_layout import write_eval
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.request import metric_options


def _fails(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["score", "v", "--out", "o", "--embeder", "x"], "for --embeder, did you mean --embedder"),
        (["score", "v", "--ouT", "o"], "the following arguments are required: --out; for --ouT, did you mean --out"),
        (["compare", "a", "b", "--weigths=v1.0"], "for --weigths, did you mean --weights"),
        (["compare", "a", "b", "--weights", "v2"], "invalid choice: 'v2'"),
        (["push", "a", "--scoring", "kind"], "invalid choice: 'kind'"),
        (["compare", "a", "b", "--to", "3"], "for --to, did you mean --top"),  # no abbreviations
        (["report", "a", "--out", "o", "--qq\x1b[2J"], "unrecognized arguments: --qq\\x1b[2J"),
        (["compar", "a", "b"], "there is no command 'compar'; did you mean compare"),
    ],
)
def test_a_wrong_word_gets_a_short_usage_and_the_nearest(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = _fails(words, capsys)
    assert lines[0].startswith("usage: opens2v")
    assert len(lines[0]) <= 80
    assert message in lines[1]
    assert len(lines) == 3


def test_the_usage_names_what_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert _fails(["score"], capsys)[0] == "usage: opens2v score --out FOLDER [OPTIONS]"
    assert _fails(["report"], capsys)[0] == "usage: opens2v report RESULT [RESULT ...] --out FOLDER [OPTIONS]"
    assert _fails(["agreement"], capsys)[0] == "usage: opens2v agreement [SCORES ...] RATINGS [OPTIONS]"
    assert _fails(["build"], capsys)[0] == "usage: opens2v build OUT [OPTIONS]"
    assert "did you mean" not in _fails(["compare", "a", "b", "--nonsense"], capsys)[1]


OWN_WORDS = {
    "--out": set(COMMANDS),
    "--from": {"build", "reproduce"},
    "--seed": {"demo", "rate", "generate", "score", "reproduce"},
    "--model": {"push"},
    "--split": {"reproduce", "validate"},
    "--metrics": {"score", "reproduce", "calibrate"},
    "--data-dir": {"report", "show"},
    "--revision": {"models"},
    "--limit": {"build"},
    "--judge": {"doctor"},
    "--num-frames": {"score", "reproduce", "show"},
    "--option": {"build"},
    "--namespace": {"job"},
    "--column": {"bridge"},
}
"""Flag to the commands that describe it in their own words."""


def test_a_flag_means_the_same_in_every_command() -> None:
    actions: dict[str, dict[str, argparse.Action]] = {}
    for command in COMMANDS:
        for action in command_parser(command)._actions:
            for flag in action.option_strings:
                actions.setdefault(flag, {})[command] = action
    for flag, by_command in actions.items():
        kinds = {(type(action), action.type, action.nargs, action.const) for action in by_command.values()}
        assert len(kinds) == 1, (flag, by_command)
        common = {
            (action.help, action.metavar)
            for command, action in by_command.items()
            if command not in OWN_WORDS.get(flag, ())
        }
        assert len(common) <= 1, (flag, {command: action.help for command, action in by_command.items()})
        if flag in FLAGS and common:
            assert common == {(FLAGS[flag]["help"], FLAGS[flag].get("metavar"))}, flag
    assert set(FLAGS) <= set(actions)
    for flag, commands in OWN_WORDS.items():
        assert flag == "--out" or commands <= set(actions[flag]), flag
    assert "--version" not in actions


@pytest.fixture
def results(tmp_path: Path) -> list[str]:
    return [str(full_result(name).save(tmp_path / f"{name}.json")) for name in ("alpha", "beta")]


def test_a_config_sets_flags_and_the_command_line_wins(
    results: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(f"\ufeffa: {results[0]}\nb: {results[1]}\nweights: v1.0\nscoring: strict\ntop: 0\njson: false\n")
    assert main(["compare", "--config", str(config)]) == 0
    printed = capsys.readouterr().out
    assert "alpha against beta on open-domain" in printed
    assert "strict scoring, weights of v1.0" in printed.replace("\n  ", " ")
    assert main(["compare", "--config", str(config), "--weights", "v1.1", results[1], results[0]]) == 0
    printed = capsys.readouterr().out
    assert "beta against alpha on open-domain" in printed
    assert "strict scoring, weights of v1.1" in printed.replace("\n  ", " ")


def test_a_config_of_several_values_and_of_options(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(
        "metrics: [gmescore, nexusscore]\nnum_frames: 4\nrecursive: true\nids: singleobj_1\nname: null\n"
        "option:\n  nexusscore: {box_threshold: 0.5, details: true}\n"
    )
    parser = command_parser("score")
    words = [*parser.config_words(str(config)), "videos", "--out", "o"]
    arguments = parser.parse_args(words)
    assert (arguments.metrics, arguments.num_frames, arguments.recursive) == ("gmescore,nexusscore", 4, True)
    assert (arguments.ids, arguments.name) == ("singleobj_1", None)
    options, loading = parse_options(arguments.option, ["gmescore", "nexusscore"])
    assert (options, loading) == ({"nexusscore": {"box_threshold": 0.5, "details": True}}, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("weigths: v1.0", "'weigths' is no flag of opens2v compare; did you mean weights"),
        ("weights: v2", "invalid choice: 'v2'"),
        ("json: 1", "json must be true or false (got 1)"),
        ("- a", "must be a mapping of flags to values (got list)"),
        ("a: [", "is no YAML"),
        ("top: many", "invalid int value: 'many'"),
        ("config: other.yaml", "'config' is no flag"),
        (None, "cannot read the config"),
    ],
)
def test_a_config_that_cannot_be_used(
    content: str | None, message: str, results: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.yaml"
    if content is not None:
        config.write_text(content)
    try:
        code = main(["compare", *results, "--config", str(config)])
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_options_reach_metrics_and_models() -> None:
    words = [
        "nexusscore.box_threshold=0.5", "naturalscore.rubric=a.txt", "judge.timeout-s=60",
        'judge.extra_body={"seed": 1}', "embedder.batch_tokens=1024",
    ]  # fmt: skip
    options, loading = parse_options(words, ["nexusscore", "naturalscore"])
    assert options == {"nexusscore": {"box_threshold": 0.5}, "naturalscore": {"rubric": "a.txt"}}
    assert loading == {"judge": {"timeout_s": 60, "extra_body": {"seed": 1}}, "embedder": {"batch_tokens": 1024}}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nexuscore.variant=a", "no metric or role 'nexuscore'; did you mean nexusscore"),
        ("nexusscore.box_treshold=1", "nexusscore has no option 'box_treshold'; did you mean box_threshold"),
        ("embedder.batch_token=1", "embedder has no option 'batch_token'; did you mean batch_tokens"),
        ("judge.runs=1", "no metric of this run uses judge (metrics: nexusscore)"),
        ("nexusscore=1", "--option must be NAME.KEY=VALUE"),
        ("nexusscore.variant", "--option must be NAME.KEY=VALUE"),
    ],
)
def test_an_unknown_option_gets_the_nearest(word: str, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_options([word], ["nexusscore"])
    assert message in str(caught.value)


def test_an_option_given_twice_and_a_key_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"nexusscore\.variant is given twice"):
        parse_options(["nexusscore.variant=a", "nexusscore.variant=b"], ["nexusscore"])
    with pytest.raises(ArgumentError, match="api_key does not belong on a command line"):
        parse_options(["judge.api_key=sk-x"], ["naturalscore"])


@pytest.mark.parametrize("value", ["abc", "true", "[1]", "1e999"])
def test_a_wrong_value_of_an_option_is_an_error_in_words(
    value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_eval(tmp_path / "benchmark", per_category=1)
    words = ["score", str(tmp_path), "--data-dir", str(tmp_path / "benchmark"), "--out", str(tmp_path / "o")]
    assert main([*words, "--metrics", "nexusscore", "--option", f"nexusscore.box_threshold={value}"]) == 2
    assert "nexusscore's box_threshold must be a finite number (got " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("naturalscore.runs", ["0", "1.5", "true", "abc"]),
        ("gmescore.num_frames", ["0", "1.5", "1000000000", "abc"]),
        ("naturalscore.allow_partial", ["1", "yes"]),
        ("nexusscore.details", ["0", "{}"]),
        ("nexusscore.label_instruction", ["1", "null"]),
        ("nexusscore.variant", ["1"]),
        ("naturalscore.rubric", ["[1]"]),
    ],
)
def test_a_value_of_an_option_must_have_its_type(option: str, values: list[str]) -> None:
    metric, _, key = option.partition(".")
    for value in values:
        options, _ = parse_options([f"{option}={value}"], [metric])
        with pytest.raises(ArgumentError, match=f"{metric}'s {key} must be "):
            metric_options([metric], options)


@pytest.mark.parametrize("name", ["role", "sleep", "batch"])
def test_arguments_for_python_are_no_options(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"judge has no option '{name}'"):
        parse_options([f"judge.{name}=1"], ["naturalscore"])


def test_every_option_of_every_metric_is_accepted() -> None:
    from opens2v_hf.metrics.registry import METRICS

    for name, entry in METRICS.items():
        words = [f"{name}.{key}=1" for key in entry.options]
        assert parse_options(words, [name])[0].get(name, {}) == dict.fromkeys(entry.options, 1)


def test_help_is_that_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["report", "--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert "Write an HTML page" in printed
    assert isinstance(command_parser("report"), argparse.ArgumentParser)
