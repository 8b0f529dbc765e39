"""Narrow detectors with random weights."""

import torch

from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.yolo_world.config import YoloWorldConfig
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector
from opens2v_hf.models.yolo_world.network import YoloWorld

NARROW = YoloWorldConfig(
    widen_factor=0.125,
    deepen_factor=0.33,
    guide_dim=64,
    head_embed_dims=64,
    cls_hidden=32,
    reg_hidden=32,
    image_size=128,
)


def random_network(config: YoloWorldConfig = NARROW, seed: int = 0) -> YoloWorld:
    """Weights scaled so that activations keep their size and scores lie on both sides of every threshold."""
    network = YoloWorld(config)
    generator = torch.Generator().manual_seed(seed)
    for key, value in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        if key.endswith("running_var") or (value.ndim == 1 and key.endswith("weight")):
            value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + 0.75)
        elif value.ndim <= 1:
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
        else:
            value.copy_(torch.randn(value.shape, generator=generator) * (2.5 / value[0].numel()) ** 0.5)
        if key.endswith("logit_scale"):
            value.fill_(1.0)
        if ".reg_preds." in key and key.endswith("2.bias"):
            value -= 0.7 * torch.arange(config.reg_max).repeat(4)  # near distances, or every box is the whole frame
    return network.eval().requires_grad_(False)


def random_detector(*, seed: int = 0, config: YoloWorldConfig = NARROW, **options) -> YoloWorldDetector:
    return YoloWorldDetector(random_network(config, seed), info=ModelInfo("detector", "random"), **options)
