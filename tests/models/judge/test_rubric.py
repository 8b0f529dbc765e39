from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.judge.rubric import PROTOCOLS, Rubric

ASPECTS = ("common sense", "physics", "textures and proportions", "generation", "anatomy")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_both_texts_name_the_aspects_and_all_five_levels(protocol: str) -> None:
    text = Rubric.of_protocol(protocol).text.lower()
    assert all(aspect in text for aspect in ASPECTS)
    levels = [line.split(" = ") for line in text.splitlines() if " = " in line]
    assert [level for level, _ in levels] == ["1", "2", "3", "4", "5"]
    assert levels[0][1].startswith("definitely ai-generated")
    assert levels[4][1].startswith("definitely real")


def test_only_the_full_text_asks_about_pasted_in_subjects() -> None:
    assert "pasted in" in Rubric.of_protocol("full").text
    assert "pasted" not in Rubric.of_protocol("released").text
    assert Rubric.of_protocol("full").version != Rubric.of_protocol("released").version


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(ArgumentError, match="fast"):
        Rubric.of_protocol("fast")


def test_a_file_replaces_the_text_and_its_hash_is_the_version(tmp_path: Path) -> None:
    path = tmp_path / "rubric.txt"
    path.write_bytes("Réponds par un chiffre de 1 à 5.\n".encode())
    rubric = Rubric.from_file(path)
    assert rubric.text == "Réponds par un chiffre de 1 à 5.\n"
    assert rubric.version == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b" \n\t", "empty"), (b"\xff\xfe\x00bad\xff", "UTF-8"), (b"x" * 200_001, "200001")],
)
def test_an_unusable_file_is_refused_by_name(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "rubric.txt"
    path.write_bytes(content)
    with pytest.raises(ArgumentError, match=reason) as caught:
        Rubric.from_file(path)
    assert "rubric.txt" in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(ArgumentError, match="cannot be read"):
            Rubric.from_file(path)
