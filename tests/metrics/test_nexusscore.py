import io
from dataclasses import replace
from pathlib import Path

import evaluate
import numpy as np
import pytest
import torch
from helpers.detectors import NARROW, random_detector
from helpers.nexus_loop import released_loop, released_score
from helpers.tiny_clip import save_tiny_clip
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from helpers.videos import encode, numbered_frames
from PIL import Image

from opens2v_hf.errors import ArgumentError, ModelError, VideoError
from opens2v_hf.metrics.nexus_reference import NexusReference, references_of
from opens2v_hf.metrics.nexusscore import NexusScore
from opens2v_hf.models.clip_prompt import ClipPromptEncoder
from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION, GmeEmbedder
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.yolo_world.boxes import Detections
from opens2v_hf.models.yolo_world.weights import save_weights
from opens2v_hf.scores.nexus import Thresholds
from opens2v_hf.scores.outcome import Status
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace

MODULE = str(Path(__file__).resolve().parents[2] / "metrics" / "nexusscore")
FEW = replace(NARROW, max_detections=3)  # boxes a frame and reference: enough, and quick


def picture(seed, width=40, height=30):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    detector = random_detector(config=FEW)
    save_weights(detector.network.state_dict(), FEW, root / "detector")
    return {
        "detector": str(root / "detector"),
        "prompt_encoder": str(save_tiny_clip(root / "clip")),
        "embedder": str(save_tiny_qwen2vl(root / "gme")),
    }


@pytest.fixture(scope="module")
def embedder(folders):
    return GmeEmbedder.from_pretrained(folders["embedder"], device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def encoder(folders):
    return ClipPromptEncoder.from_pretrained(folders["prompt_encoder"], device="cpu")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "clip.mp4"
    return encode(path, numbered_frames(9))


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    return evaluate.load(MODULE, cache_dir=str(tmp_path_factory.mktemp("evaluate")))


def clip_of(video, num_frames=4):
    return Clip(video, rules=(linspace(num_frames),))


def three_references(sample_id=None):
    return NexusReference((picture(1), picture(2), picture(3)), ("Cup", "Dog", "Cup"), sample_id)


# --- the whole chain against a plain loop ---------------------------------------------------------------------------


@pytest.mark.parametrize("text_threshold", [-1.0, 0.0])
def test_the_chain_equals_a_loop_that_does_everything_anew(video, embedder, encoder, text_threshold):
    detector = random_detector(config=FEW)
    reference = three_references()
    thresholds = Thresholds(0.75, text_threshold)
    metric = NexusScore(detector, embedder, encoder, num_frames=4, thresholds=thresholds, details=True)
    clip = clip_of(video)
    outcome = metric.score(clip, reference)
    records = released_loop(
        clip.frames(linspace(4)),
        list(zip(reference.images, reference.labels, strict=True)),
        detector=random_detector(config=FEW, batch_size=1),
        embedder=embedder,
        embeds=encoder.embed(reference.images),
        instruction=RETRIEVAL_INSTRUCTION,
        box_threshold=thresholds.box_score,
        text_threshold=text_threshold,
    )
    boxes = outcome.details["boxes"]
    assert len(boxes) == len(records) > 20
    for box, (frame, position, corners, score, g_i, g_t, kept) in zip(boxes, records, strict=True):
        assert (box["frame"], box["reference"]) == (frame, position)
        np.testing.assert_allclose(box["box"], corners, atol=1e-3)
        assert box["score"] == pytest.approx(float(score), abs=1e-5)
        assert box["image_similarity"] == pytest.approx(g_i, abs=1e-4)
        assert box["text_similarity"] == pytest.approx(g_t, abs=1e-4)
        assert (box["verdict"] == "kept") is kept
    assert outcome.value == pytest.approx(released_score(records), abs=1e-5)
    assert 0 < sum(record[6] for record in records) < len(records)


def test_the_score_is_the_same_with_and_without_details(video, embedder, encoder):
    reference = three_references()
    options = {"num_frames": 4, "thresholds": Thresholds(0.75, -1)}
    values = [
        NexusScore(random_detector(config=FEW), embedder, encoder, details=details, **options)
        .score(clip_of(video), reference)
        .value
        for details in (False, True)
    ]
    assert values[0] != 0
    assert values[0] == pytest.approx(values[1], abs=1e-6)


# --- a detector and an embedder whose answers are known --------------------------------------------------------------


class KnownDetector:
    """Finds what a table says: (brightness of the frame, prompt) to boxes with scores."""

    info = ModelInfo("detector", "known")

    def __init__(self, table):
        self.table = table
        self.frames = 0

    def prompts(self, image_embeds):
        return image_embeds

    def detect(self, frames, prompt_embeds):
        self.frames += len(frames)
        return [
            [self._found(int(frame[0, 0, 0]) // 40, int(prompt[0])) for prompt in np.asarray(prompt_embeds)]
            for frame in frames
        ]

    def _found(self, frame, prompt):
        rows = self.table.get((frame, prompt), [])
        boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
        return Detections(boxes, np.array([row[1] for row in rows], np.float32))


class KnownEmbedder:
    """A picture's vector is its mean colour (r, g, b) / 255; a text's vector is its entry in a table."""

    info = ModelInfo("embedder", "known")

    def __init__(self, texts, dtype=torch.float32):
        self.texts, self.dtype = texts, dtype
        self.embedded_texts, self.embedded_images, self.instructions = [], [], []

    def embed_texts(self, texts, instruction=None):
        self.embedded_texts += texts
        self.instructions.append(instruction)
        return torch.tensor([self.texts[text] for text in texts], dtype=self.dtype)

    def embed_images(self, images, instruction=None):
        self.embedded_images += [np.asarray(image) for image in images]
        means = [np.asarray(image, np.float64).reshape(-1, 3).mean(axis=0) / 255 for image in images]
        return torch.tensor(np.array(means).reshape(-1, 3), dtype=self.dtype)


class FakeClip:
    """Frames of one colour each, 20 x 10 px: (40 i, 102, 204)."""

    name = "fake"

    def __init__(self, num_frames=3):
        self.num_frames = num_frames

    def frames(self, rule):
        frames = np.zeros((self.num_frames, 10, 20, 3), np.uint8)
        for index in range(self.num_frames):
            frames[index] = (40 * index, 102, 204)
        return frames[list(rule.indices(self.num_frames))]


def solid(r, g, b):
    return Image.new("RGB", (4, 4), (r, g, b))


WHOLE = (0.0, 0.0, 20.0, 10.0)
GREEN, BLUE = solid(0, 255, 0), solid(0, 0, 255)  # similarity with a crop of a frame: 0.4 and 0.8
TEXTS = {"Cup": (0.0, 0.0, 1.0), "Dog": (0.0, 0.25, 0.0), "human": (0.0, 0.5, 0.5), "Man": (0.0, 0.0, 0.0)}
# similarity with a crop of a frame: Cup 0.8, Dog 0.1, human 0.6


def known(table, **options):
    embedder = KnownEmbedder(TEXTS, options.pop("dtype", torch.float32))
    return NexusScore(KnownDetector(table), embedder, num_frames=options.pop("num_frames", 3), **options)


def known_reference(images=(GREEN, BLUE), labels=("Cup", "Cup"), sample_id=None):
    prompts = np.arange(len(images), dtype=np.float32)[:, None].repeat(2, axis=1)
    return NexusReference(images, labels, sample_id, prompt_embeds=prompts)


def test_the_rules_and_formulas_meet_in_the_score():
    table = {
        (0, 0): [(WHOLE, 0.9), (WHOLE, 0.59)],  # kept 0.4; too low
        (1, 1): [(WHOLE, 0.8), ((0, 0, 10, 10), 0.7)],  # kept 0.8, 0.8
    }
    wanted = {"released": 2 / 3 / 2, "v1.0": 2 / 3 / 2, "coverage": (0.4 + 0.8) / 6}
    for variant, value in wanted.items():
        outcome = known(table, variant=variant).score(FakeClip(), known_reference())
        assert outcome.value == pytest.approx(value, abs=1e-6)
    table[(1, 0)] = [(WHOLE, 0.55)]  # another pair with a box, no other frame
    assert known(table, variant="released").score(FakeClip(), known_reference()).value == pytest.approx(1 / 3, abs=1e-6)
    assert known(table, variant="v1.0").score(FakeClip(), known_reference()).value == pytest.approx(2 / 9, abs=1e-6)


@pytest.mark.parametrize(
    "convert",
    [list, torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.bfloat16, lambda rows: rows.clone().requires_grad_()],
)
def test_prompts_are_tensors_arrays_or_lists(convert):
    table = {(0, 0): [(WHOLE, 0.9)], (1, 1): [(WHOLE, 0.9)]}
    prompts = convert(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    reference = NexusReference((GREEN, BLUE), ("Cup", "Cup"), prompt_embeds=prompts)
    assert known(table).score(FakeClip(), reference).value == pytest.approx((0.4 + 0.8) / 2 / 2, abs=1e-6)


def test_labels_that_do_not_match_drop_their_boxes():
    table = {(0, 0): [(WHOLE, 0.9)], (1, 1): [(WHOLE, 0.9)]}
    outcome = known(table).score(FakeClip(), known_reference(labels=("Dog", "Cup")))
    assert outcome.value == pytest.approx(0.8 / 2, abs=1e-6)
    dog, cup = outcome.references
    assert dog["dropped"]["low_text_similarity"] == 1
    assert (dog["frames_detected"], dog["frames_found"], dog["best_similarity"]) == (1, 0, None)
    assert (cup["frames_detected"], cup["frames_found"]) == (1, 1)
    assert cup["best_similarities"] == [None, pytest.approx(0.8, abs=1e-6), None]


def test_crops_have_corners_rounded_half_to_even_and_are_black_outside():
    metric = known({(0, 0): [((-2.5, 0.5, 2.5, 3.5), 0.9)]})
    metric.score(FakeClip(1), known_reference((GREEN,), ("Cup",)))
    crop = metric.embedder.embedded_images[-1]
    assert crop.shape == (4, 4, 3)  # rows 0..4, columns -2..2
    assert (crop[:, :2] == 0).all()
    assert (crop[:, 2:] == (0, 102, 204)).all()


def test_a_box_without_area_is_dropped_with_its_reason_and_counts_as_a_frame():
    table = {(0, 0): [(WHOLE, 0.9)], (1, 0): [((3.4, 2.0, 3.4, 8.0), 0.95)]}
    outcome = known(table, details=True).score(FakeClip(), known_reference((GREEN,), ("Cup",)))
    assert outcome.value == pytest.approx(0.4 / 2, abs=1e-6)
    assert outcome.references[0]["dropped"]["empty_crop"] == 1
    assert outcome.details["boxes"][1]["verdict"] == "empty_crop"
    assert outcome.details["boxes"][1]["image_similarity"] is None


def test_nothing_detected_scores_zero_with_its_reason():
    outcome = known({}).score(FakeClip(), known_reference())
    assert (outcome.status, outcome.value) == (Status.SCORED, 0.0)
    assert outcome.reason == "no reference was detected in any frame"
    outcome = known({(0, 0): [(WHOLE, 0.55)]}).score(FakeClip(), known_reference())
    assert (outcome.value, outcome.reason) == (0.0, "references were detected, and no box passes the rules")


def test_people_in_ids_with_face_are_skipped_and_others_keep_their_place():
    table = {(0, 0): [(WHOLE, 0.9)]}
    reference = known_reference((BLUE, GREEN), ("Man", "Cup"), "faceobj_14")
    reference = replace(reference, prompt_embeds=np.array([[5.0, 5], [0, 0]]))
    outcome = known(table, details=True).score(FakeClip(), reference)
    assert outcome.value == pytest.approx(0.4, abs=1e-6)
    assert [summary["reference"] for summary in outcome.references] == [1]
    assert outcome.details["boxes"][0]["reference"] == 1


def test_people_in_ids_with_human_are_read_as_human():
    metric = known({(0, 0): [(WHOLE, 0.9)]})
    outcome = metric.score(FakeClip(), known_reference((GREEN,), ("Man",), "singlehuman_2"))
    assert outcome.value == pytest.approx(0.4, abs=1e-6)  # compared with "human" 0.6; with "Man" it would be 0
    assert metric.embedder.embedded_texts == ["human"]


def test_no_reference_left_is_not_applicable():
    outcome = known({}).score(FakeClip(), known_reference((GREEN,), ("Woman",), "singleface_3"))
    assert (outcome.status, outcome.value) == (Status.NOT_APPLICABLE, None)
    assert "singleface_3" in outcome.reason
    outcome = known({}).score(FakeClip(), NexusReference((), ()))
    assert outcome.status is Status.NOT_APPLICABLE


def test_half_precision_similarities_are_compared_in_half_precision():
    # 0.3752 * 0.8 is 0.3001, which float16 rounds to 0.300048828125: what it has for 0.30, and so not above it
    reference = known_reference((GREEN,), ("Near",))
    dropped = {}
    for dtype in (torch.float16, torch.float32):
        metric = known({(0, 0): [(WHOLE, 0.9)]}, dtype=dtype)
        metric.embedder.texts = {"Near": (0.0, 0.0, 0.375244140625)}
        dropped[dtype] = metric.score(FakeClip(1), reference).references[0]["dropped"]["low_text_similarity"]
    assert dropped == {torch.float16: 3, torch.float32: 0}  # the clip's one frame is sampled three times


def nan_for(size, metric):
    """Make the vectors of pictures of one size no numbers."""
    embed = metric.embedder.embed_images

    def spoiled(images):
        vectors = embed(images)
        vectors[[index for index, image in enumerate(images) if image.size == size]] = float("nan")
        return vectors

    metric.embedder.embed_images = spoiled
    return metric


def test_an_image_similarity_that_is_no_number_fails_the_video():
    metric = nan_for((4, 4), known({(0, 0): [(WHOLE, 0.9)]}, details=True))  # the reference picture
    outcome = metric.score(FakeClip(), known_reference((GREEN,), ("Cup",)))
    assert outcome.status is Status.FAILED
    assert "float32" in outcome.reason
    assert outcome.details["boxes"][0]["image_similarity"] is None


def test_a_text_similarity_that_is_no_number_is_not_above_the_threshold_and_is_told():
    metric = nan_for((20, 10), known({(0, 0): [(WHOLE, 0.9), ((0, 0, 10, 10), 0.8)]}))  # a crop
    outcome = metric.score(FakeClip(), known_reference((GREEN,), ("Cup",)))
    assert outcome.value == pytest.approx(0.4, abs=1e-6)
    assert outcome.reason == "1 box has a similarity that is not a number and is dropped; try dtype='float32'"


# --- work done once ---------------------------------------------------------------------------------------------------


def test_labels_crops_and_references_are_embedded_once():
    table = {(frame, prompt): [(WHOLE, 0.9), ((0, 0, 5, 5), 0.55)] for frame in range(3) for prompt in range(2)}
    metric = known(table)
    metric.score(FakeClip(), known_reference())
    assert metric.embedder.embedded_texts == ["Cup"]
    # two references, and one crop a frame: both references found the same box, and boxes below 0.6 cannot count
    assert len(metric.embedder.embedded_images) == 2 + 3
    assert metric.embedder.instructions == [RETRIEVAL_INSTRUCTION]


def test_frames_sampled_twice_are_looked_at_once_and_count_twice():
    table = {(0, 0): [(WHOLE, 0.9)]}
    metric = known(table, num_frames=8)  # of 3 frames: 0 0 0 0 1 1 1 2
    outcome = metric.score(FakeClip(), known_reference((GREEN,), ("Cup",)))
    assert metric.detector.frames == 3
    assert outcome.details["frame_indices"] == [0, 0, 0, 0, 1, 1, 1, 2]
    assert outcome.value == pytest.approx(0.4 / 4, abs=1e-6)
    assert metric.options["num_frames"] == 8


def test_a_reference_is_encoded_once_a_video(video, embedder, encoder, monkeypatch):
    calls = []
    embed = encoder.embed
    monkeypatch.setattr(encoder, "embed", lambda images: calls.append(len(images)) or embed(images))
    NexusScore(random_detector(config=FEW), embedder, encoder, num_frames=4).score(clip_of(video), three_references())
    assert calls == [3]


# --- what is recorded -------------------------------------------------------------------------------------------------


def test_caveats_name_what_differs_from_the_leaderboard(embedder):
    metric = known({}, variant="coverage", thresholds=Thresholds(0.5, 0.3), label_instruction="Find it.")
    notes = " | ".join(metric.caveats)
    for word in (
        "detector known",
        "embedder known",
        "'coverage'",
        "3 frames",
        "other thresholds",
        "instruction",
        "prompts",
    ):
        assert word in notes
    assert [info.role for info in metric.models] == ["detector", "embedder"]


def test_options_say_what_decides_the_numbers(embedder):
    metric = NexusScore(random_detector(config=FEW, mixed_precision="bf16"), embedder, num_frames=4)
    assert metric.options == {
        "variant": "released",
        "num_frames": 4,
        "box_score_threshold": 0.6,
        "text_similarity_threshold": 0.3,
        "label_instruction": "Find an image that matches the given text.",
        "detector": {
            "image_size": 128, "score_threshold": 0.5, "nms_iou": 0.7, "max_detections": 3, "mixed_precision": "bf16",
        },
        **embedder.options,
    }  # fmt: skip
    assert any("mixed precision" in caveat for caveat in metric.caveats)


def test_a_video_that_breaks_off_fails_with_its_reason():
    class Broken(FakeClip):
        def frames(self, rule):
            raise VideoError("fake: frame 2 is 10x10, the first is 20x10; re-encode it to one size")

    outcome = known({}).score(Broken(), known_reference())
    assert outcome.status is Status.FAILED
    assert outcome.reason.startswith("fake: frame 2 is 10x10")


def test_embeddings_are_needed_from_someone(video, embedder):
    metric = NexusScore(random_detector(config=FEW), embedder, num_frames=4)
    with pytest.raises(ArgumentError, match="needs a prompt encoder"):
        metric.score(clip_of(video), three_references())


# --- the evaluate module ----------------------------------------------------------------------------------------------


def test_the_module_scores_videos_with_loaded_and_with_named_models(
    module, folders, video, tmp_path, embedder, encoder
):
    picture(1).save(tmp_path / "cup.png")
    references = [
        {"images": [str(tmp_path / "cup.png"), picture(2)], "labels": ["Cup", "Dog"]},
        {"images": [picture(1)], "labels": ["Man"]},
    ]
    arguments = {"num_frames": 4, "box_threshold": 0.5, "text_threshold": -1.0, "ids": ["singleobj_1", "singleface_1"]}
    by_name = module.compute(
        predictions=[str(video), video.read_bytes()], references=references, device="cpu", **folders, **arguments
    )
    loaded = module.compute(
        predictions=[str(video), str(video)],
        references=references,
        detector=random_detector(config=FEW),
        embedder=embedder,
        prompt_encoder=encoder,
        details=True,
        **arguments,
    )
    assert by_name["statuses"] == loaded["statuses"] == ["scored", "not_applicable"]
    assert by_name["scores"][0] == pytest.approx(loaded["scores"][0], abs=1e-6)
    assert by_name["nexusscore"] == by_name["scores"][0] != 0
    assert [info["role"] for info in by_name["models"]] == ["detector", "prompt_encoder", "embedder"]
    assert [len(summaries) for summaries in by_name["references"]] == [2, 0]
    assert "details" not in by_name
    assert len(loaded["details"][0]["boxes"]) > 0
    assert by_name["comparable"] is False


def test_the_module_takes_given_embeddings(module, folders, video, encoder):
    references = [{"images": [picture(1), picture(2)], "labels": ["Cup", "Dog"], "id": "singleobj_1"}]
    arguments = {
        "predictions": [str(video)], "references": references, "num_frames": 3, "box_threshold": 0.5,
        "text_threshold": -1.0, "device": "cpu", "detector": folders["detector"], "embedder": folders["embedder"],
    }  # fmt: skip
    encoded = module.compute(prompt_encoder=encoder, **arguments)
    embeds = encoder.embed([picture(1), picture(2)]).numpy()
    given = module.compute(image_embeds=[embeds], **arguments)
    prompts = module.compute(prompt_embeds=[random_detector(config=FEW).prompts(embeds).numpy()], **arguments)
    assert given["scores"] == pytest.approx(encoded["scores"], abs=1e-6)
    assert prompts["scores"] == pytest.approx(encoded["scores"], abs=1e-6)
    assert [info["role"] for info in given["models"]] == ["detector", "embedder"]


def test_videos_added_one_by_one_are_scored_together(module, video):
    for _ in range(2):
        module.add(prediction=str(video), reference={"images": [GREEN], "labels": ["Cup"]})
    result = module.compute(
        detector=KnownDetector({}),
        embedder=KnownEmbedder(TEXTS),
        prompt_embeds=[np.zeros((1, 2)), np.ones((1, 2))],
        num_frames=2,
    )
    assert result["scores"] == [0.0, 0.0]
    assert result["reasons"] == ["no reference was detected in any frame"] * 2


def test_an_open_jpeg_gives_the_score_of_its_file(module, folders, video, tmp_path):
    """As `datasets` decodes reference pictures: opened from bytes, without a file's name, and with a format."""
    picture(1).save(tmp_path / "cup.jpg", quality=60)
    jpeg = (tmp_path / "cup.jpg").read_bytes()
    arguments = {"num_frames": 2, "box_threshold": 0.5, "text_threshold": -1.0, "device": "cpu", **folders}
    images = [str(tmp_path / "cup.jpg"), Image.open(io.BytesIO(jpeg))]
    references = [{"images": [image], "labels": ["Cup"]} for image in images]
    of_file, of_picture = module.compute(predictions=[str(video)] * 2, references=references, **arguments)["scores"]
    assert of_file == of_picture != 0
    module.add(prediction=str(video), reference={"images": [Image.open(io.BytesIO(jpeg))], "labels": ["Cup"]})
    assert module.compute(**arguments)["scores"] == [of_file]


def test_broken_pictures_and_videos_cost_their_video_only(module, folders, video, tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    picture(1).save(good)
    bad.write_bytes(b"no picture")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    files = [str(good), str(bad), str(tmp_path / "missing.png"), str(good)]
    result = module.compute(
        predictions=[str(video)] * 3 + [str(tmp_path / "broken.mp4")],
        references=[{"images": [file], "labels": ["Cup"]} for file in files],
        num_frames=2,
        device="cpu",
        **folders,
    )
    assert result["statuses"] == ["scored", "failed", "failed", "failed"]
    assert "bad.png is no image" in result["reasons"][1]
    assert "missing.png" in result["reasons"][2]
    assert "broken.mp4" in result["reasons"][3]
    assert result["summary"]["num_failed"] == 3


@pytest.mark.parametrize(
    "odd",
    [
        Image.new("RGBA", (20, 20), (200, 0, 0, 0)),
        Image.new("L", (20, 20), 90),
        Image.new("RGB", (1, 1), (1, 2, 3)),
        np.zeros((3000, 2, 3), np.uint8),
        np.zeros((2500, 3000, 3), np.uint8),
    ],
    ids=["alpha", "grey", "1x1", "thin", "large"],
)
def test_odd_pictures_are_scored(module, folders, video, odd):
    result = module.compute(
        predictions=[str(video)],
        references=[{"images": [odd], "labels": ["Cup"]}],
        num_frames=2,
        device="cpu",
        **folders,
    )
    assert result["statuses"] == ["scored"]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"images": [picture(1)], "labels": []}, "1 images, 0 labels"),
        ({"images": [picture(1)], "labels": ["Cup", "Dog"]}, "1 images, 2 labels"),
        ({"images": [picture(1)], "labels": [None]}, "has no label"),
        ({"images": [picture(1)], "labels": [" "]}, "has no label"),
        ({"images": [picture(1)], "labels": [7]}, "has no label"),
        ({"images": [7], "labels": ["Cup"]}, "image 0 is a path"),
        ({"images": "cup.png", "labels": ["Cup"]}, "'images' must be a list"),
        ({"images": [picture(1)]}, "missing: labels"),
        ({"images": [], "labels": [], "colour": "x"}, "got also colour"),
        ({"images": [], "labels": [], "id": 3}, "'id' must be a text"),
        ("cup.png", "'images' and 'labels'"),
    ],
)
def test_malformed_references_are_refused_before_a_model_is_loaded(module, video, reference, message):
    with pytest.raises(ArgumentError, match=message):
        module.compute(predictions=[str(video)], references=[reference], detector="nowhere/at/all")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "best"}, "variants"),
        ({"num_frames": 0}, "number of frames"),
        ({"box_threshold": "high"}, "threshold"),
        ({"ids": ["a", "b"]}, "ids must have one value for each video"),
        ({"image_embeds": [np.zeros((2, 64))]}, r"\[1, D\]"),
        ({"image_embeds": [np.zeros((1, 64))], "prompt_embeds": [np.zeros((1, 64))]}, "not both"),
    ],
)
def test_bad_arguments_are_refused_before_a_model_is_loaded(module, video, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        module.compute(
            predictions=[str(video)],
            references=[{"images": [picture(1)], "labels": ["Cup"]}],
            detector="nowhere/at/all",
            **arguments,
        )


def test_models_that_do_not_exist_are_named(module, video, folders):
    with pytest.raises(ModelError, match="nowhere/at/all"):
        module.compute(
            predictions=[str(video)],
            references=[{"images": [picture(1)], "labels": ["Cup"]}],
            **{**folders, "detector": "nowhere/at/all"},
        )
    with pytest.raises(ArgumentError, match="loaded detector takes no mixed_precision"):
        module.compute(
            predictions=[str(video)],
            references=[{"images": [picture(1)], "labels": ["Cup"]}],
            **{**folders, "detector": random_detector()},
            mixed_precision="bf16",
        )


def test_references_of_checks_its_lists():
    record = {"images": [picture(1)], "labels": ["Cup"], "id": "singleobj_1"}
    assert references_of([record])[0].id == "singleobj_1"
    assert references_of([record], ["humanobj_2"])[0].id == "humanobj_2"
    with pytest.raises(ArgumentError, match=r"references\[0\]"):
        references_of([{"images": []}])


def test_the_released_embedder_s_fixture(shared_data, video, encoder):
    embedder = GmeEmbedder.from_pretrained(shared_data / "tiny-gme", device="cpu", dtype="float32")
    clip = Clip(shared_data / "eval-demo" / "videos" / "faceobj_14.mp4", rules=(linspace(2),))
    detector = random_detector(config=replace(FEW, max_detections=2))
    reference = NexusReference((picture(1), picture(2)), ("Man", "Cup"), "faceobj_14")
    thresholds = Thresholds(0.5, -1.0)
    outcome = NexusScore(detector, embedder, encoder, num_frames=2, thresholds=thresholds, details=True).score(
        clip, reference
    )
    records = released_loop(
        clip.frames(linspace(2)),
        [(reference.images[1], "Cup")],
        detector=detector,
        embedder=embedder,
        embeds=encoder.embed([reference.images[1]]),
        instruction=RETRIEVAL_INSTRUCTION,
        box_threshold=0.5,
        text_threshold=-1.0,
    )
    assert len(records) > 0
    assert outcome.value == pytest.approx(released_score(records), abs=1e-5)
