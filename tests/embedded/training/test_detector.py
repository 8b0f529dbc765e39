from argparse import Namespace

import numpy as np
import pytest
import torch
from PIL import Image

from opens2v_hf.embedded.training import detector as training
from opens2v_hf.embedded.training.detector_data import FEATURES, NO_FEATURE
from opens2v_hf.models.clip_prompt import ClipPromptEncoder
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector


@pytest.fixture
def train_briefly(monkeypatch):
    monkeypatch.setattr(training, "_NUM_REFERENCES", 16)
    monkeypatch.setattr(training, "_REFERENCE_BATCH", 4)
    monkeypatch.setattr(training, "_CALIBRATION_STEPS", 2)
    return lambda seed=0: training.train(
        Namespace(
            seed=seed,
            steps=2,
            encoder_steps=2,
            pictures=2,
            references=2,
            learning_rate=1e-3,
            workers=0,
            start_from=None,
        )
    )


def test_the_same_seed_gives_the_same_networks(train_briefly):
    (first, history), (second, _), (other, _) = train_briefly(), train_briefly(), train_briefly(seed=1)
    assert set(history[0]) == {"score", "contrast", "box", "side", "prompt", "cell"}
    for one, two in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)
    key = "detector.neck.top_down_layers.0.main_conv.conv.weight"
    assert not torch.equal(first.state_dict()[key], other.state_dict()[key])


def test_what_is_saved_detects_as_what_was_trained(train_briefly, tmp_path):
    networks, _ = train_briefly()
    detector_folder, encoder_folder = training.save(networks, tmp_path)
    detector = YoloWorldDetector.from_pretrained(detector_folder, device="cpu")
    encoder = ClipPromptEncoder.from_pretrained(encoder_folder, device="cpu")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8))
    frame = np.random.default_rng(1).integers(0, 256, (112, 168, 3), dtype=np.uint8)

    prompts = detector.prompts(encoder.embed([picture]))
    pixels = training.build_image_processor()([picture], return_tensors="pt")["pixel_values"]
    networks = networks.float().eval()
    with torch.inference_mode():
        torch.testing.assert_close(networks.prompts(pixels), prompts, atol=5e-3, rtol=0)
        features = detector.features(frame[None]).features
        found = detector.network.predict(features, prompts[:, None])
        wanted = networks.detector.predict(features, prompts[:, None])
    for one, two in zip(found.logits, wanted.logits, strict=True):
        torch.testing.assert_close(one, two, atol=5e-2, rtol=0)  # weights are stored in half precision


def test_reading_prompts_is_a_mean_over_the_features_that_there_are():
    torch.manual_seed(0)
    reader = training.PromptReader()
    prompts = torch.nn.functional.normalize(torch.randn(2, training.PROMPT_DIM), dim=-1)
    features = torch.full((2, len(FEATURES)), NO_FEATURE)
    features[0, 0], features[1, 0], features[1, 4] = 3, 1, 2
    scores = [[layer(training._FEATURE_SCALE * prompt) for layer in reader.readers] for prompt in prompts]
    costs = [-scores[i][f].log_softmax(-1)[value] for i, f, value in ((0, 0, 3), (1, 0, 1), (1, 4, 2))]
    torch.testing.assert_close(reader(prompts, features), sum(costs) / 3)
