"""Vectors, similarities, ratings and hashes, with models whose answers can be worked out."""

from dataclasses import replace

import imagehash
import numpy as np
import pytest
import torch
from helpers.clips import rules
from PIL import Image

from opens2v_hf.data.images import to_png
from opens2v_hf.masks.rle import encode
from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.records import Subject
from opens2v_hf.pipeline.stages.scores import Scores


class Colours:
    """A picture as the direction of its mean colour, a text as that of the colour that it names."""

    info = ModelInfo("embedder", "colours")

    def __init__(self) -> None:
        self.instructions = []
        self.num_images = 0

    def embed_images(self, images):
        self.num_images += len(images)
        means = [image.reshape(-1, 3).mean(axis=0) for image in images]
        return torch.nn.functional.normalize(torch.tensor(np.array(means), dtype=torch.float16), dim=1)

    def embed_texts(self, texts, instruction=None):
        self.instructions.append(instruction)
        names = {"red": (1.0, 0, 0), "green": (0, 1.0, 0), "white": (0.57735, 0.57735, 0.57735)}
        return torch.tensor([names[text] for text in texts], dtype=torch.float16)


class MeanLevel:
    info = ModelInfo("aesthetic_encoder", "mean level")

    def embed(self, images):
        return torch.tensor([[float(np.asarray(image).mean())] for image in images])


class AsItIs:
    info = ModelInfo("aesthetic_head", "as it is")

    def rate(self, embeds):
        return embeds[:, 0].tolist()


RATING = {"aesthetic_encoder": MeanLevel(), "aesthetic_head": AsItIs()}


@pytest.fixture
def clip(world, monkeypatch: pytest.MonkeyPatch):
    """A clip whose frames are red on the left, green in the middle, and black."""
    record = world.records[0]
    height, width = record.frame_size
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :40, 0] = 200
    image[:, 40:80, 1] = 200
    monkeypatch.setattr(media, "annotated", lambda clip: image)
    monkeypatch.setattr(media, "sampled", lambda clip: np.stack([image, image[:, ::-1], image[::-1]]))
    left, middle = np.zeros((2, height, width), bool)
    left[10:50, 5:35], middle[10:50, 45:75] = True, True
    subjects = (
        Subject(1, "red", (5, 10, 35, 50), 0.9, encode(left)),
        Subject(2, "red", (45, 10, 75, 50), 0.8, encode(middle)),
    )
    return replace(record, subjects=subjects)


def test_a_subject_is_embedded_once_and_compared_with_its_label(clip) -> None:
    embedder = Colours()

    (found,) = Scores(embedder=embedder, aesthetic_encoder=None)([clip]).kept

    assert embedder.num_images == 2
    assert embedder.instructions == [RETRIEVAL_INSTRUCTION]
    assert [subject.text_similarity for subject in found.subjects] == [1.0, 0.0]
    np.testing.assert_allclose(found.subjects[1].image_vector, (0, 1, 0))
    np.testing.assert_allclose(found.subjects[1].text_vector, (1, 0, 0))
    assert found.subjects[0].image_vector.dtype == np.float32
    assert found.subjects[0].aesthetic is None
    assert found.provenance["scores"]["embedder"]["name"] == "colours"


def test_a_cut_out_has_a_white_background(clip) -> None:
    """Of a mask that fills half of its box, half of the picture is white."""
    mask = np.zeros(clip.frame_size, bool)
    mask[10:20, 5:25], mask[20:30, 5:15] = True, True  # 300 of 400 pixels
    clip = replace(clip, subjects=(replace(clip.subjects[0], mask=encode(mask)),))

    (found,) = Scores(embedder=None, **RATING)([clip]).kept

    # red 200 on 300 pixels, white on 100
    assert found.subjects[0].aesthetic == pytest.approx((300 * 200 + 100 * 3 * 255) / (400 * 3))


def test_the_frame_is_rated_with_nothing_but_its_subjects_and_without_them(clip) -> None:
    height, width = clip.frame_size
    background = np.full((height, width, 3), 60, np.uint8)

    without, with_background = Scores(embedder=None, **RATING)(
        [clip, replace(clip, background_png=to_png(background))]
    ).kept

    # two subjects of 1200 pixels with one channel of 200, all else white
    expected = (2400 * 200 + (height * width - 2400) * 3 * 255) / (height * width * 3)
    assert without.foreground_aesthetic == pytest.approx(expected)
    assert without.background_aesthetic is None
    assert with_background.background_aesthetic == pytest.approx(60)


def test_hashes_are_those_of_imagehash(clip) -> None:
    (found,) = Scores(embedder=None, aesthetic_encoder=None)([clip]).kept

    expected = [int(str(imagehash.phash(Image.fromarray(frame))), 16) for frame in media.sampled(clip)]
    assert list(found.clip_phashes) == expected
    assert found.frame_phash == expected[0]
    assert len(set(expected)) > 1


def test_a_clip_without_subjects_has_hashes_and_no_scores(clip) -> None:
    (found,) = Scores(embedder=Colours(), **RATING)([replace(clip, subjects=())]).kept

    assert found.frame_phash is not None
    assert found.foreground_aesthetic is None


def test_a_subject_without_a_mask_drops_its_clip_alone(clip) -> None:
    broken = replace(clip, id="broken", subjects=(replace(clip.subjects[0], mask=None),))

    output = Scores(embedder=Colours(), aesthetic_encoder=None)([broken, clip])

    assert [kept.id for kept in output.kept] == [clip.id]
    assert rules(output.dropped) == ["error"]
    assert output.dropped[0].reason == "broken: subject 1 has no mask; apply the stage 'segment' first"


def test_the_embedded_models_score_a_fitting_label_higher(world) -> None:
    """The real stage with the models of this package: a subject agrees with its own label more than with another."""
    from opens2v_hf.pipeline.stages.detect import Detect
    from opens2v_hf.pipeline.stages.segment import Segment

    oracle = world.oracle
    clips = Segment(segmenter=oracle)(Detect(detector=oracle)(world.tagged()[2:]).kept).kept
    names = {"embedder": "embedded", "aesthetic_encoder": "embedded", "aesthetic_head": "embedded"}

    found = Scores(**names)(clips).kept

    subjects = [s for clip in found for s in clip.subjects if s.label not in clip.tags["background"]]
    labels = {subject.label for subject in subjects}
    assert len(labels) > 2
    texts = {subject.label: subject.text_vector for subject in subjects}
    right = [max(texts, key=lambda label: float(texts[label] @ s.image_vector)) == s.label for s in subjects]
    assert np.mean(right) >= 0.8
    assert all(0 < subject.aesthetic < 11 for subject in subjects)
    assert found[0].provenance["scores"]["embedder"]["embedded"] is True
