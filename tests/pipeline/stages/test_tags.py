import json

import pytest
from helpers.clips import rules

from opens2v_hf.data.synthetic.dataset_layout import background_tag
from opens2v_hf.data.synthetic.scenes import ObjectSprite, caption, draw_scene, phrase
from opens2v_hf.errors import ArgumentError, CaptionError
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.pipeline.records import ClipRecord, SourceFile
from opens2v_hf.pipeline.stages.tags import PROMPT, Tags, parse_tags
from opens2v_hf.pipeline.synthetic_tags import synthetic_tags

CAPTION = "A woman in a Blue top walks past a scarf shop. The woman carries a grey cat over a grassy area."


def clip(text: str = CAPTION) -> ClipRecord:
    return ClipRecord("a", SourceFile("a.mp4", "a.mp4"), 0, 9, caption=text)


class Lists:
    info = ModelInfo("captioner", "lists")

    def __init__(self, answer) -> None:
        self.answer = answer
        self.options = {}
        self.asked = []

    def caption(self, frames, prompt):
        self.asked.append((list(frames), prompt))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, str) else json.dumps(self.answer)


def test_tags_are_exact_parts_of_the_caption_and_others_are_counted() -> None:
    tagger = Lists(
        {
            "subject": ["woman", "grey  cat", "dog", "Woman", "car"],
            "object": ["blue top", "blue top", "a red hat"],
            "background": ["grassy area", " ".join(["word"] * 13)],
            "mood": ["calm"],
        }
    )

    output = Tags(tagger=tagger, always=("person", "human head"))([clip()])

    (found,) = output.kept
    assert found.tags == {
        "background": ("grassy area",),
        "subject": ("woman", "grey cat"),
        "object": ("Blue top",),
        "pre_define": ("person", "human head"),
    }
    assert all(tag in CAPTION for kind in ("background", "subject", "object") for tag in found.tags[kind])
    assert [(drop.rule, drop.subject) for drop in output.dropped] == [
        ("too_long", " ".join(["word"] * 13)),
        ("not_in_caption", "dog"),
        ("repeated", "Woman"),
        ("part_of_word", "car"),
        ("repeated", "blue top"),
        ("not_in_caption", "a red hat"),
    ]
    assert tagger.asked == [([], PROMPT + CAPTION)]


@pytest.mark.parametrize(
    "answer",
    ["", "I see a woman.", "[]", "{", '{"subject": "woman"}', '{"subject": [3, null]}', '{"subject": ["dog"]}'],
)
def test_a_clip_without_a_tag_is_dropped(answer: str) -> None:
    output = Tags(tagger=Lists(answer))([clip()])

    assert not output.kept
    assert rules(output.dropped)[-1] == "no_tags"


def test_a_clip_without_answer_or_caption_is_dropped_alone() -> None:
    assert rules(Tags(tagger=Lists(CaptionError("cut off")))([clip()]).dropped) == ["no_tags"]
    assert rules(Tags(tagger=Lists({}))([clip("")]).dropped) == ["no_tags"]


def test_an_answer_in_a_code_block_is_read() -> None:
    answer = 'Here you are:\n```json\n{"subject": ["woman"], "object": []}\n```'

    assert parse_tags(answer) == [("subject", "woman")]


def test_regex_characters_in_tags_are_literal() -> None:
    found = Tags(tagger=Lists({"object": ["C++ (book)"]}))([clip("A C++ (book) lies on a table.")]).kept[0]

    assert found.tags["object"] == ("C++ (book)",)


def test_the_rule_finds_exactly_what_synthetic_scenes_name() -> None:
    for seed in range(80):
        scene = draw_scene(seed)
        people = [phrase(sprite) for sprite in scene.sprites if not isinstance(sprite, ObjectSprite)]
        things = [phrase(sprite) for sprite in scene.sprites if isinstance(sprite, ObjectSprite)]
        things += [scene.occluder.name] if scene.occluder else []

        found = synthetic_tags(caption(scene))

        assert found == {
            "background": [background_tag(scene)],
            "subject": list(dict.fromkeys(people)),
            "object": list(dict.fromkeys(things)),
        }


def test_the_synthetic_tagger_needs_no_model() -> None:
    stage = Tags(tagger="synthetic")
    stage.load()

    (found,) = stage([clip("A small red star moves up in front of a brick wall.")]).kept

    assert found.tags["object"] == ("red star",)
    assert found.provenance["tags"]["tagger"] == "synthetic"


def test_tags_for_every_clip_must_be_a_list() -> None:
    with pytest.raises(ArgumentError, match="list of words"):
        Tags(always="person")
