import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.clips import clip_of, rules
from helpers.videos import encode, numbered_frames, numbers_of

from opens2v_hf.data.synthetic.scenes import caption, draw_scene
from opens2v_hf.errors import ArgumentError, CaptionError, ServiceUnavailableError, SourceError
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stages.caption import PROMPT, Caption, is_english

ENGLISH = (
    "A woman with short grey hair in a yellow raincoat stands at a bus stop and reads a newspaper.",
    "Two dogs, one black and one brown, chase a red ball across wet sand while waves roll in behind them.",
    "Close-up of hands kneading dough on a floured wooden table.",
    "Woman walking dog.",
)
OTHERS = (
    "Eine Frau mit kurzen grauen Haaren in einem gelben Regenmantel steht an einer Haltestelle und liest.",
    "Une femme aux cheveux gris, vêtue d'un imperméable jaune, lit un journal à l'arrêt de bus.",
    "Una mujer de pelo gris con un impermeable amarillo lee un periódico en la parada del autobús.",
    "Uma mulher de cabelos grisalhos, com uma capa de chuva amarela, lê um jornal no ponto de ônibus.",
    "Kobieta o krótkich siwych włosach w żółtym płaszczu czyta gazetę na przystanku autobusowym.",
    "一位穿着黄色雨衣的女士站在公交车站看报纸。",
    "Женщина в жёлтом плаще стоит на остановке и читает газету.",
    "1234 5678!",
)


class Says:
    """A captioner with one answer; it notes what it was asked."""

    info = ModelInfo("captioner", "says", revision="r7")

    def __init__(self, answer: str | Exception) -> None:
        self.answer = answer
        self.asked = []
        self.options = {"max_tokens": 64}

    def caption(self, frames, prompt):
        self.asked.append((frames, prompt))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipRecord:
    return clip_of(encode(tmp_path_factory.mktemp("caption") / "numbers.mp4", numbered_frames(101)))


def test_the_captioner_sees_three_frames_and_its_answer_is_the_caption(clip: ClipRecord) -> None:
    captioner = Says("A woman\n in a  red coat.")

    (found,) = Caption(captioner=captioner)([clip]).kept

    assert found.caption == "A woman in a red coat."
    ((frames, prompt),) = captioner.asked
    assert numbers_of(frames) == [5, 50, 95]
    assert prompt == PROMPT
    facts = found.provenance["caption"]
    assert (facts["captioner"]["name"], facts["captioner"]["revision"]) == ("says", "r7")
    assert facts["captioner"]["options"] == {"max_tokens": 64}
    assert facts["prompt"] != Caption(captioner=captioner, prompt="What is it?").facts()["prompt"]


def test_more_frames_can_be_shown(clip: ClipRecord) -> None:
    captioner = Says("A red ball.")
    Caption(captioner=captioner, num_frames=5)([clip, replace(clip, end=2)])

    assert [numbers_of(frames) for frames, _ in captioner.asked] == [[0, 25, 50, 75, 100], [0, 1]]


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("  \n", "no_caption"),
        (CaptionError("the captioner refused"), "no_caption"),
        (OTHERS[0], "wrong_language"),
        ("a red hat and " * 7_200, "too_long"),
    ],
)
def test_an_answer_that_is_no_english_caption_drops_the_clip(clip: ClipRecord, answer, rule: str) -> None:
    output = Caption(captioner=Says(answer))([clip])

    assert not output.kept
    assert rules(output.dropped) == [rule]


def test_a_service_that_is_gone_ends_the_stage(clip: ClipRecord) -> None:
    with pytest.raises(ServiceUnavailableError):
        Caption(captioner=Says(ServiceUnavailableError("no answer")))([clip])


def test_english_is_separated_from_other_languages() -> None:
    assert [text for text in ENGLISH if not is_english(text)] == []
    assert [text for text in OTHERS if is_english(text)] == []
    scenes = [caption(draw_scene(seed)) for seed in range(60)]
    assert [text for text in scenes if not is_english(text)] == []


def test_other_languages_can_be_allowed(clip: ClipRecord) -> None:
    assert Caption(captioner=Says(OTHERS[0]), english_only=False)([clip]).kept[0].caption == OTHERS[0]


def test_given_captions_are_found_by_clip_and_by_file(clip: ClipRecord, tmp_path: Path) -> None:
    other = replace(clip, id="numbers_part50-101", start=50)
    third = replace(clip, source=replace(clip.source, name="third.mp4"), id="third_part0-9")
    captions = {"numbers.mp4": "A red ball.", "numbers_part50-101": "A blue box."}
    as_json, as_lines = tmp_path / "captions.json", tmp_path / "captions.jsonl"
    as_json.write_text(json.dumps(captions))
    as_lines.write_text("\n".join(json.dumps({"name": name, "caption": text}) for name, text in captions.items()))

    for given in (captions, as_json, str(as_lines)):
        output = Caption(captions=given)([clip, other, third])
        assert [found.caption for found in output.kept] == ["A red ball.", "A blue box."]
        assert rules(output.dropped) == ["no_caption"]
        assert "'third_part0-9' or 'third.mp4'" in output.dropped[0].reason
    assert Caption(captions=captions).facts() == Caption(captions=as_json).facts()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "[1, 2]", r"a\.json: must map names to captions"),
        ("a.json", "{", r"a\.json: is no JSON"),
        ("a.json", '{"a.mp4": 7}', "names and captions are texts"),
        ("a.jsonl", '\n{"name": "a.mp4"}', r"a\.jsonl, line 2: must have 'name' and 'caption'"),
        ("a.json", b"\xff\xfe", "not UTF-8"),
        ("none.json", None, "cannot be read"),
    ],
)
def test_a_file_of_captions_that_cannot_be_used_is_named(tmp_path: Path, name: str, content, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(SourceError, match=message):
        Caption(captions=tmp_path / name)


def test_arguments_out_of_range() -> None:
    with pytest.raises(ArgumentError, match="at least one frame"):
        Caption(num_frames=0)
    with pytest.raises(ArgumentError, match="must not be empty"):
        Caption(prompt=" ")


def test_frames_are_given_as_arrays(clip: ClipRecord) -> None:
    captioner = Says("A red ball.")
    Caption(captioner=captioner)([clip])

    assert all(frame.dtype == np.uint8 and frame.shape == (64, 96, 3) for frame in captioner.asked[0][0])
