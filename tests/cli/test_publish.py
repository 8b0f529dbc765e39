"""Errors that prevent publishing, each in one line; tests/hub has the tests of what is published."""

import pytest
from helpers.hub_commands import opens2v_with

from opens2v_hf._version import __version__

TOKEN = "hf_secretsecretsecret"


def call(hub, *arguments, **environment):
    """Exit code and everything printed."""
    code, out, err = opens2v_with({"HF_TOKEN": TOKEN, **environment}, hub, "publish", *arguments)
    return code, out + err


@pytest.mark.parametrize(
    ("environment", "org", "said"),
    [
        ({"HF_TOKEN": ""}, "org", "publishing needs a token that may write"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "org", "the Hub at http://127.0.0.1:9 cannot be reached"),
        ({"HF_HUB_OFFLINE": "1"}, "org", "offline mode is on"),
        ({}, "others", "cannot publish for 'others', only for org"),
    ],
)
def test_an_error_is_one_line(loopback_hub, environment, org, said):
    code, printed = call(loopback_hub, "--org", org, "--yes", **environment)
    assert code == 2
    assert printed.startswith("opens2v publish: ")
    assert said in printed
    assert printed.count("\n") == 1
    assert TOKEN not in printed


def test_without_a_yes_nothing_is_published(loopback_hub):
    code, printed = call(loopback_hub, "--org", "org", "--only", "naturalscore")
    if "up to date" not in printed:
        assert code == 1
        assert "space org/naturalscore: create; add " in printed
        assert printed.endswith(
            f"nothing was published; --package-is-ours confirms that opens2v-hf=={__version__} is yours\n"
        )
    assert TOKEN not in printed
