import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.hub.folders import hub_folder


def test_a_folder_of_a_hub_repo_is_found() -> None:
    folder = hub_folder("metrics", "gmescore")
    assert (folder / "gmescore.py").is_file()


@pytest.mark.parametrize(("kind", "name"), [("metrics", "no-such-metric"), ("elsewhere", "gmescore")])
def test_an_unknown_folder_is_named(kind: str, name: str) -> None:
    with pytest.raises(ArgumentError, match=r"no-such-metric|elsewhere"):
        hub_folder(kind, name)
