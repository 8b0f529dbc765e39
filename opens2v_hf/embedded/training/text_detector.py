r"""Train the embedded text detector on synthetic scenes and write its folder.

    python -m opens2v_hf.embedded.training.text_detector --out FIRST --seed 0 --steps 360
    python -m opens2v_hf.embedded.training.text_detector --out SECOND --start-from FIRST --seed 1 --steps 300
    python -m opens2v_hf.embedded.training.text_detector --out opens2v_hf/embedded/weights/text_detector \
        --start-from SECOND --seed 2 --steps 480

It starts from the embedded detector, whose prompts are pictures. First a text tower is trained to embed a phrase as the
mean of the prompts of its pictures. The detector then finds almost every phrase, but also things that differ from it in
one word. So both are then trained jointly, with the loss of the detector and phrases instead of pictures. The threshold
is the lowest one with few false boxes in other scenes than those of training and evaluation.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch.utils.data import Subset

from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.data.synthetic.render import environment_picture, reference_picture
from opens2v_hf.data.synthetic.scenes import Background, PersonSprite
from opens2v_hf.embedded.training.detector_calibration import calibrate
from opens2v_hf.embedded.training.detector_data import Batch, Subject
from opens2v_hf.embedded.training.detector_loss import detection_loss
from opens2v_hf.embedded.training.detector_network import CONFIG
from opens2v_hf.embedded.training.optimisation import loaded, minimise, print_figures, training_parser, warm_up
from opens2v_hf.embedded.training.text_detector_data import (
    TextDetectorBatches,
    TextReference,
    all_subjects,
    scene_words,
    tokens_of,
)
from opens2v_hf.embedded.training.text_detector_evaluation import evaluate_text_detector, scores_of, threshold_for
from opens2v_hf.embedded.training.text_detector_network import DetectorWithText, build_tokenizer
from opens2v_hf.models.captioner.scene_captioner import WORDS_FILE
from opens2v_hf.models.clip_prompt import ClipPromptEncoder
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.text_detector.loading import load_text_detector
from opens2v_hf.models.text_detector.yolo_world import save_text_detector
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector

_CALIBRATION_STEPS = 16
_TEXT_LEARNING_RATE = 2e-3
_LOWEST_THRESHOLD = 0.05
_MAX_FALSE = 0.04
"""Share of absent things that may be found in the scenes from which the threshold is chosen; the aim is 0.05 in others.
A wrong subject is worse for a dataset than a missing one."""
_FIRST_THRESHOLD_SEED = 900_000
"""Of the scenes from which the threshold is chosen: neither trained on nor among those of the evaluation."""


def teach_text(networks: DetectorWithText, detector: YoloWorldDetector, encoder: ClipPromptEncoder, steps: int) -> None:
    """Train the text tower to embed a phrase as the encoder embeds pictures of what it names."""
    tokens, targets = teaching_prompts(detector, encoder, all_subjects())
    warm_up(
        lambda chosen: (1 - (networks.prompts(tokens[chosen]) * targets[chosen]).sum(dim=1)).mean(),
        list(networks.encoder.parameters()),
        num_examples=len(tokens),
        batch_size=96,
        steps=steps,
        learning_rate=_TEXT_LEARNING_RATE,
        weight_decay=0.01,  # the default of AdamW
    )


def teaching_prompts(
    detector: YoloWorldDetector, encoder: ClipPromptEncoder, subjects: Sequence[Subject]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Target embeddings of phrases: those of the subjects, then the labels of their classes, each once.

    Returns:
        Tokens int64 [N, L], and L2-normalised prompts [N, D]: means over pictures of what is named.
    """
    phrases = [TextReference(subject).text for subject in subjects]
    own = torch.stack([detector.prompts(encoder.embed(_pictures(subject))).mean(dim=0) for subject in subjects])
    labels = [TextReference(s, by_label=True).text for s in subjects if not isinstance(s, Background)]
    of_label = {
        text: own[[index for index, other in enumerate(labels) if other == text]].mean(dim=0)
        for text in dict.fromkeys(labels)
    }
    targets = torch.cat([own, torch.stack(list(of_label.values()))])
    # made under inference mode, in which nothing can be learnt from
    return tokens_of([*phrases, *of_label]), torch.nn.functional.normalize(targets, dim=1).clone()


def _pictures(subject: Subject) -> list[Image.Image]:
    if isinstance(subject, Background):
        return [environment_picture(replace(subject, seed=seed)) for seed in range(3)]
    if not isinstance(subject, PersonSprite):
        return [reference_picture(subject)]
    skins = [replace(subject, skin=skin) for skin in words.SKIN]
    crops = ("whole", "face") if subject.figure == "face" else ("whole",)
    return [reference_picture(person, crop=crop) for person in skins for crop in crops]


def train(options: argparse.Namespace) -> tuple[DetectorWithText, list[dict[str, float]]]:
    """Train the networks.

    Returns:
        Both, calibrated, and the parts of the loss at every step.
    """
    torch.manual_seed(options.seed)
    networks = DetectorWithText(build_tokenizer()).train()
    if options.start_from is None:
        finder = YoloWorldDetector.from_pretrained(options.detector, device="cpu")
        networks.detector.load_state_dict(finder.network.state_dict())
        teach_text(
            networks,
            finder,
            ClipPromptEncoder.from_pretrained(options.prompt_encoder, device="cpu"),
            options.text_steps,
        )
    else:
        earlier: Any = load_text_detector(options.start_from, device="cpu")
        networks.detector.load_state_dict(earlier.detector.network.state_dict())
        networks.encoder.load_state_dict(earlier.text_tower.state_dict())
    # the projector of pictures' embeddings has no part in what follows
    learnt = [weight for name, weight in networks.named_parameters() if "image_prompt_encoder" not in name]

    def parts_of(batch: Batch) -> dict[str, torch.Tensor]:
        prompts = networks.prompts(batch.references)
        pictures = batch.pictures.to(memory_format=torch.channels_last).float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            output, _ = networks(pictures, prompts, batch.picture_of_reference)
        return detection_loss(output, batch, CONFIG.reg_max)

    data = TextDetectorBatches(options.seed, options.steps + _CALIBRATION_STEPS, options.pictures, options.references)
    batches = loaded(Subset(data, range(options.steps)), options.workers)
    history = []
    if options.steps:
        history = minimise(
            parts_of,
            learnt,
            batches,
            steps=options.steps,
            learning_rate=options.learning_rate,
            weight_decay=0.03,
            max_norm=5.0,
        )
    networks.eval()
    calibrate(networks, (data[options.steps + further] for further in range(_CALIBRATION_STEPS)))
    return networks, history


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """The command line; returns the figures that it prints."""
    parser = training_parser(
        "Train the embedded text detector on synthetic scenes.",
        steps=360,
        steps_help="about 0.9 s each on one core; 0 to calibrate only",
        learning_rate=1e-3,
    )
    parser.add_argument("--detector", default=EMBEDDED, help="that finds what pictures show, to begin with")
    parser.add_argument("--prompt-encoder", default=EMBEDDED, help="of that detector")
    parser.add_argument("--text-steps", type=int, default=600, help="before, for the text tower alone")
    parser.add_argument("--pictures", type=int, default=24, help="frames in a batch")
    parser.add_argument("--references", type=int, default=2, help="searched for in each frame")
    parser.add_argument("--threshold-scenes", type=int, default=400, help="from which the threshold is chosen")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    networks, _ = train(options)
    save = partial(save_text_detector, networks.detector, networks.encoder, build_tokenizer(), options.out)
    save(score_threshold=_LOWEST_THRESHOLD)
    finder = load_text_detector(options.out, device="cpu")
    scores = scores_of(finder, options.threshold_scenes, _FIRST_THRESHOLD_SEED)
    save(score_threshold=threshold_for(scores, _MAX_FALSE))
    (options.out / WORDS_FILE).write_text(json.dumps(scene_words(), indent=1) + "\n", encoding="utf-8")
    figures = evaluate_text_detector(options.out)
    return print_figures(figures)


if __name__ == "__main__":
    main()
