"""Networks get their pixels with channels first in memory, as the released code gives them.

The values of a permuted view are the same, but other kernels run on it, whose rounding differs.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from opens2v_hf.models.aesthetic import AestheticEncoder
from opens2v_hf.models.clip_prompt import ClipPromptEncoder
from opens2v_hf.models.faces.embedder import IrFaceEmbedder
from opens2v_hf.models.faces.loading import load_face_detector
from opens2v_hf.models.gme import GmeEmbedder
from opens2v_hf.models.q_align.scorer import QAlignScorer
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector

FRAME = np.random.default_rng(0).integers(0, 256, (48, 83, 3), dtype=np.uint8)
PICTURE = Image.fromarray(FRAME)
USES = {
    "detector": (YoloWorldDetector.from_pretrained, "network", lambda model: model.features(FRAME[None])),
    "face_detector": (load_face_detector, "network", lambda model: model.detect(FRAME)),
    "face_embedder": (IrFaceEmbedder.from_pretrained, "network", lambda model: model.embed([FRAME[:48, :48]] * 2)),
    "aesthetic_encoder": (AestheticEncoder.from_pretrained, "model", lambda model: model.embed([PICTURE] * 2)),
    "prompt_encoder": (ClipPromptEncoder.from_pretrained, "model", lambda model: model.embed([PICTURE] * 2)),
    "embedder": (GmeEmbedder.from_pretrained, "model", lambda model: model.embed_images([PICTURE] * 2)),
    "quality_scorer": (QAlignScorer.from_pretrained, "network", lambda model: model.score_frames([FRAME] * 2)),
}


@pytest.mark.parametrize("role", USES)
def test_the_first_convolution_gets_a_contiguous_tensor(role):
    load, attribute, use = USES[role]
    model = load("embedded", device="cpu")
    seen = []
    for layer in getattr(model, attribute).modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Conv3d):
            layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    use(model)
    assert seen[0].shape[1] == 3
    assert seen[0].is_contiguous()
