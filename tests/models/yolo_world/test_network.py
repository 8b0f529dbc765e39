"""The network against the released code's outputs at every stage, and against itself in other formulations."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.detectors import NARROW, random_network
from PIL import Image

from opens2v_hf.models.yolo_world.blocks import NORM_EPS, PyramidPooling
from opens2v_hf.models.yolo_world.boxes import decode, expected_distances, non_maximum_suppression
from opens2v_hf.models.yolo_world.config import YoloWorldConfig
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector
from opens2v_hf.models.yolo_world.network import YoloWorld
from opens2v_hf.models.yolo_world.preprocess import letterbox

LOGITS, DISTANCES, BOXES, SCORES = 1e-3, 3e-3, 0.05, 2e-4  # tolerances that come with the fixture


@pytest.fixture(scope="module")
def tiny(shared_data):
    return shared_data / "tiny-yolo-world"


@pytest.fixture(scope="module")
def expected(tiny):
    return np.load(tiny / "outputs_fp32.npz")


@pytest.fixture(scope="module")
def frame(tiny):
    return np.asarray(Image.open(tiny / "input.png").convert("RGB"))


@pytest.fixture(scope="module", params=["float32", "float64"])
def detector(tiny, request):
    return YoloWorldDetector.from_pretrained(tiny, device="cpu", dtype=request.param)


def close(actual, wanted, tolerance):
    assert tuple(actual.shape) == wanted.shape
    assert np.abs(np.asarray(actual) - wanted).max() <= tolerance


def same_boxes(found, boxes, scores):
    assert len(found) == len(scores)
    left = list(range(len(scores)))
    for box, score in zip(found.boxes, found.scores, strict=True):
        fits = [i for i in left if np.abs(boxes[i] - box).max() <= BOXES and abs(scores[i] - score) <= SCORES]
        assert fits, f"no released box near {box} with score {score}"
        left.remove(fits[0])


def test_the_letterboxed_picture(frame, tiny, expected):
    picture, place = letterbox(frame, 320)
    released = np.asarray(Image.open(tiny / "letterboxed_rgb.png"))
    np.testing.assert_array_equal(picture[..., ::-1], released)
    np.testing.assert_allclose(place.scale, expected["scale_factor"], rtol=1e-15)
    assert [place.top, 320 - place.height - place.top] == expected["pad_param"][:2].tolist()


def test_the_prompts(detector, expected):
    close(detector.prompts(expected["clip_image_embeds"]), expected["prompt_embeds"], 1e-6)


def test_every_stage(detector, frame, expected):
    network, reg_max = detector.network, detector.config.reg_max
    pictures = torch.from_numpy(letterbox(frame, 320)[0].copy()).permute(2, 0, 1)[None].to(detector.dtype) / 255
    prompts = torch.from_numpy(expected["prompt_embeds"]).to(detector.dtype)
    backbone = network.backbone["image_model"]
    with torch.inference_mode():
        stem = backbone.stem(pictures)
        close(stem, expected["probe_stem"], LOGITS)
        close(backbone.stage1(stem), expected["probe_stage1"], LOGITS)
        features = network.image_features(pictures)
        for level, tensor in enumerate(features.levels):
            close(tensor, expected[f"backbone_{level}"], LOGITS)
        close(features.levels.stride32, expected["probe_stage4_sppf"], LOGITS)

        first = network.neck.top_down_layers[0]
        parts, projected = features.top
        weights = first.attn_block.weights(parts[:, -projected.shape[1] :], prompts[:1, None])
        close(first.attn_block.apply_weights(projected, weights), expected["probe_td0_attn"], LOGITS)
        close(first.guided(features.top, prompts[:1, None]), expected["probe_td0"], LOGITS)

        merged = network.neck(features, prompts[:1, None])
        for level, tensor in enumerate(merged):
            close(tensor, expected[f"neck_{level}"], LOGITS)
        close(network.bbox_head["head_module"].cls_preds[0](merged.stride8), expected["probe_cls_embed_0"], LOGITS)
        output = network.predict(features, prompts[:1, None])
        mixed = network.predict(features, prompts[None])
        for level in range(3):
            close(output.logits[level], expected[f"cls_logits_{level}"], LOGITS)
            close(expected_distances(output.bins[level], reg_max), expected[f"bbox_dist_{level}"], DISTANCES)
            close(mixed.logits[level], expected[f"k3_cls_logits_{level}"], LOGITS)
        boxes, _ = decode(output, reg_max)
        close(boxes[0], expected["decoded_bboxes_net"], BOXES)


def test_suppression_keeps_the_released_boxes(expected):
    assert np.array_equal(non_maximum_suppression(expected["pre_bboxes"], 0.7), expected["nms_keep"])


def test_the_detections(detector, frame, expected):
    (found,) = detector.detect([frame], expected["prompt_embeds"][:1])[0]
    same_boxes(found, expected["final_bboxes"], expected["final_scores"])


def test_the_keys_are_the_released_ones(shared):
    lines = (shared / "conformance" / "yolo_world_v2_l_image_prompt_keys.txt").read_text().splitlines()
    released = {line.split("\t")[0]: line.split("\t")[1] for line in lines if line}
    with torch.device("meta"):
        state = YoloWorld(YoloWorldConfig()).state_dict()
    assert len(state) == 655
    assert {key: str(tuple(value.shape)) for key, value in state.items()} == {key: released[key] for key in state}
    unused = {key.split(".")[1] for key in released if key not in state}
    assert unused == {"text_model", "image_encoder", "img_mean", "img_std"}


@pytest.fixture(scope="module")
def network():
    return random_network().double()


def test_pooling_windows_of_5_9_and_13_cells():
    pooling = PyramidPooling(8).eval().double()
    x = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.inference_mode():
        first = pooling.conv1(x)
        wide = [first] + [F.max_pool2d(first, size, 1, size // 2) for size in (5, 9, 13)]
        assert torch.equal(pooling(x), pooling.conv2(torch.cat(wide, dim=1)))


def test_attention_equals_a_loop_over_places_heads_and_prompts(network):
    block = network.neck.top_down_layers[0].attn_block
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 32, 2, 3, generator=generator, dtype=torch.float64)
    prompts = torch.randn(1, 2, 64, generator=generator, dtype=torch.float64)
    with torch.inference_mode():
        got = block.weights(x, prompts)
        for head in range(8):
            for row in range(2):
                for column in range(3):
                    cell = x[0, 4 * head : 4 * head + 4, row, column]
                    matches = [
                        sum(
                            cell[i] * (block.guide_fc.weight[4 * head + i] @ prompt + block.guide_fc.bias[4 * head + i])
                            for i in range(4)
                        )
                        for prompt in prompts[0]
                    ]
                    wanted = 1 / (1 + torch.exp(-(max(matches) / 2 + block.bias[head])))  # sqrt of 4 channels a head
                    assert abs(got[0, head, row, column] - wanted) < 1e-12


def test_a_class_logit_equals_its_formula(network):
    contrast = network.bbox_head["head_module"].cls_contrasts[1]
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1, 64, 1, 1, generator=generator, dtype=torch.float64)
    prompt = torch.randn(1, 1, 64, generator=generator, dtype=torch.float64)
    with torch.inference_mode():
        norm = contrast.norm
        feature = (x.flatten() - norm.running_mean) / (norm.running_var + NORM_EPS).sqrt() * norm.weight + norm.bias
        unit = prompt.flatten() / prompt.flatten().square().sum().sqrt()
        wanted = (feature * unit).sum() * contrast.logit_scale.exp() + contrast.bias
        assert abs(contrast(x, prompt).item() - wanted.item()) < 1e-12


def test_prompts_batched_on_b_equal_prompts_one_by_one(network):
    generator = torch.Generator().manual_seed(3)
    pictures = torch.rand(2, 3, NARROW.image_size, NARROW.image_size, generator=generator, dtype=torch.float64)
    prompts = F.normalize(torch.randn(3, 64, generator=generator, dtype=torch.float64), dim=-1)
    with torch.inference_mode():
        features = network.image_features(pictures)
        pair = torch.arange(6)
        batched = network.predict(features.select(pair // 3), prompts[pair % 3][:, None])
        for index in range(6):
            alone = network.predict(network.image_features(pictures[index // 3][None]), prompts[index % 3][None, None])
            for level in range(3):
                assert (batched.logits[level][index] - alone.logits[level][0]).abs().max() < 1e-9
                assert (batched.bins[level][index] - alone.bins[level][0]).abs().max() < 1e-9


def test_prompts_batched_on_k_would_mix(network):
    generator = torch.Generator().manual_seed(4)
    picture = torch.rand(1, 3, NARROW.image_size, NARROW.image_size, generator=generator, dtype=torch.float64)
    prompts = F.normalize(torch.randn(2, 64, generator=generator, dtype=torch.float64), dim=-1)
    with torch.inference_mode():
        features = network.image_features(picture)
        alone = network.predict(features, prompts[:1, None]).logits.stride8[:, 0]
        mixed = network.predict(features, prompts[None]).logits.stride8[:, 0]
    assert (alone - mixed).abs().max() > 1e-4
