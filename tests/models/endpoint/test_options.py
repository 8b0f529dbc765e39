from __future__ import annotations

import pytest

from opens2v_hf.cli.metric_options import parse_options
from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.endpoint.options import EndpointOptions


def options_from_words(words: list[str]) -> dict[str, object]:
    """What `--option judge.<word>` gives the judge."""
    _, loading = parse_options([f"judge.{word}" for word in words], ["naturalscore"])
    return loading["judge"]


def test_words_of_a_command_line_become_typed_options() -> None:
    words = [
        "reasoning_effort=low", "max_reply_tokens=4000", "temperature=0.5", "max-attempts=2", "max_tokens=null",
        'extra_body={"a": [1]}', "base_url=http://127.0.0.1/v1?a=b",
    ]  # fmt: skip
    assert options_from_words(words) == {
        "reasoning_effort": "low", "max_reply_tokens": 4000, "temperature": 0.5, "max_attempts": 2, "max_tokens": None,
        "extra_body": {"a": [1]}, "base_url": "http://127.0.0.1/v1?a=b",
    }  # fmt: skip
    options = EndpointOptions(**options_from_words(words))
    assert options.request_fields() == {"temperature": 0.5, "reasoning_effort": "low", "a": [1]}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["effort"], "NAME.KEY=VALUE"),
        (["=low"], "NAME.KEY=VALUE"),
        (["a b=1"], "no option"),
        (["seed=1", "seed=2"], "twice"),
        (["api_key=sk-secret-of-this-test"], "OPENAI_API_KEY"),
    ],
)
def test_words_of_another_form_are_refused(words: list[str], says: str) -> None:
    with pytest.raises(ArgumentError, match=says) as caught:
        options_from_words(words)
    assert "sk-secret" not in str(caught.value)


def test_values_of_another_type_are_refused_by_name() -> None:
    with pytest.raises(ArgumentError, match=r"seed must be a whole number \(got '9{78}"):
        EndpointOptions(**options_from_words(["seed=" + "9" * 5000]))
    with pytest.raises(ArgumentError, match="extra_body"):
        EndpointOptions(**options_from_words(["extra_body=" + "[" * 100_000]))


def test_the_key_is_not_in_the_repr() -> None:
    assert "sk-secret" not in repr(EndpointOptions(api_key="sk-secret-of-this-test"))
