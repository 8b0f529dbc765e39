"""Train the embedded detector and its prompt encoder on synthetic scenes and write their folders.

    python -m opens2v_hf.embedded.training.detector --out opens2v_hf/embedded/weights --seed 0 --steps 1800

Both are trained jointly and from scratch: pictures of subjects are searched for in frames that show them, and in frames
that show others, some of them similar. The targets are scores above 0.6 where NexusScore keeps a box and below 0.5
elsewhere, with a binary cross-entropy for each cell. The features of a cell are compared with every reference of the
batch, not only with the one that guided it, which gives many more negatives for one matrix product.

The committed weights were trained in three runs, each starting from the one before (`--start-from`): 700 steps at a
learning rate of 3e-3, then 600 and 500 at 2e-3. In the first two, environments of scenes were targets, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Subset
from transformers import CLIPVisionModelWithProjection

from opens2v_hf.embedded.training.detector_calibration import calibrate
from opens2v_hf.embedded.training.detector_data import FEATURES, NO_FEATURE, Batch, DetectorBatches, draw_references
from opens2v_hf.embedded.training.detector_evaluation import evaluate_detector
from opens2v_hf.embedded.training.detector_loss import detection_loss, subject_cells
from opens2v_hf.embedded.training.detector_network import (
    CONFIG,
    PROMPT_DIM,
    DetectorWithEncoder,
    build_image_processor,
)
from opens2v_hf.embedded.training.optimisation import loaded, minimise, print_figures, training_parser, warm_up
from opens2v_hf.models.files import WEIGHTS_NAME, read_weights
from opens2v_hf.models.yolo_world.weights import save_weights

_FEATURE_SCALE = 16.0
"""Prompts have length 1; classifiers read them at this one."""


_CALIBRATION_STEPS = 16
_NUM_REFERENCES = 2400
_REFERENCE_BATCH = 96
_ENCODER_LEARNING_RATE = 3e-3


class PromptReader(nn.Module):
    """Reads off a prompt what its picture shows, and off a cell what it lies on.

    For the training only: it teaches both networks the same attributes, in one space.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers = nn.ModuleList(nn.Linear(PROMPT_DIM, len(values)) for values in FEATURES.values())

    def forward(self, prompts: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy over the features that the pictures have; prompts [Q, D], features as in `Batch`."""
        losses = [
            F.cross_entropy(reader(_FEATURE_SCALE * prompts), column, reduction="sum")
            for reader, column in zip(self.readers, features.unbind(1), strict=True)
        ]
        return torch.stack(losses).sum() / (features != NO_FEATURE).sum().clamp(min=1)


def teach_encoder(networks: DetectorWithEncoder, reader: PromptReader, seed: int, steps: int) -> None:
    """Train the prompt encoder alone on references, to predict their attributes.

    A detector that starts with equal prompts first learns to find everything, which takes long to unlearn; and a step
    without frames costs a tenth of one with them.
    """
    pixels, features = draw_references(seed, _NUM_REFERENCES)
    warm_up(
        lambda chosen: reader(networks.prompts(pixels[chosen]), features[chosen]),
        [*networks.encoder.parameters(), *networks.detector.image_prompt_encoder.parameters(), *reader.parameters()],
        num_examples=len(pixels),
        batch_size=_REFERENCE_BATCH,
        steps=steps,
        learning_rate=_ENCODER_LEARNING_RATE,
        weight_decay=0.03,
    )


def train(options: argparse.Namespace) -> tuple[DetectorWithEncoder, list[dict[str, float]]]:
    """Train the networks.

    Returns:
        Both, calibrated, and the parts of the loss at every step.
    """
    torch.manual_seed(options.seed)
    networks, reader = DetectorWithEncoder().train(), PromptReader()
    if options.start_from is None:
        teach_encoder(networks, reader, options.seed, options.encoder_steps)
    else:
        networks.detector.load_state_dict(read_weights(options.start_from / "detector" / WEIGHTS_NAME))
        encoder = CLIPVisionModelWithProjection.from_pretrained(
            options.start_from / "prompt_encoder", dtype=torch.float32
        )
        networks.encoder.load_state_dict(encoder.state_dict())
    data = DetectorBatches(options.seed, options.steps + _CALIBRATION_STEPS, options.pictures, options.references)
    batches = loaded(Subset(data, range(options.steps)), options.workers)
    history = teach_both(networks, reader, batches, options.steps, options.learning_rate) if options.steps else []
    networks.eval()
    calibrate(networks, (data[options.steps + further] for further in range(_CALIBRATION_STEPS)))
    return networks, history


def teach_both(
    networks: DetectorWithEncoder, reader: PromptReader, batches: Iterable[Batch], steps: int, learning_rate: float
) -> list[dict[str, float]]:
    """Train detector and prompt encoder jointly, a step a batch; the parts of the loss at every step."""

    def parts_of(batch: Batch) -> dict[str, torch.Tensor]:
        prompts = networks.prompts(batch.references)
        pictures = batch.pictures.to(memory_format=torch.channels_last).float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            output, cells = networks(pictures, prompts, batch.picture_of_reference)
        parts = detection_loss(output, batch, CONFIG.reg_max)
        parts["prompt"] = reader(prompts, batch.features)
        parts["cell"] = reader(*subject_cells(cells, batch))
        return parts

    return minimise(
        parts_of,
        [*networks.parameters(), *reader.parameters()],
        batches,
        steps=steps,
        learning_rate=learning_rate,
        weight_decay=0.03,
        max_norm=5.0,
        final_div_factor=100,
    )


def save(networks: DetectorWithEncoder, folder: Path) -> tuple[Path, Path]:
    """Write the folders `detector` and `prompt_encoder`; weights in float16."""
    detector, encoder = folder / "detector", folder / "prompt_encoder"
    weights = {
        key: value.half() if value.is_floating_point() else value
        for key, value in networks.detector.state_dict().items()
    }
    save_weights(weights, CONFIG, detector)
    networks.encoder.half().save_pretrained(encoder)
    build_image_processor().save_pretrained(encoder)
    return detector, encoder


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """The command line; returns the figures that it prints."""
    parser = training_parser(
        "Train the embedded detector and prompt encoder on synthetic scenes.",
        steps=1800,
        steps_help="about 0.9 s each on one core; 0 to calibrate only",
        learning_rate=3e-3,
    )
    parser.add_argument("--encoder-steps", type=int, default=300, help="before, for the prompt encoder alone")
    parser.add_argument("--pictures", type=int, default=24, help="frames in a batch")
    parser.add_argument("--references", type=int, default=2, help="searched for in each frame")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    networks, _ = train(options)
    figures = evaluate_detector(*save(networks, options.out))
    return print_figures(figures)


if __name__ == "__main__":
    main()
