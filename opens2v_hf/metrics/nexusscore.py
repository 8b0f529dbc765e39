"""NexusScore of a clip: find its references in its frames, compare the crops, apply the rules.

Each piece of work is done once: one decode a clip, each reference encoded and embedded once, the detector's backbone
once a distinct frame, its neck and head batched over references, each distinct label and each distinct crop embedded
once.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

from opens2v_hf.errors import ArgumentError, ImageError, VideoError
from opens2v_hf.metrics.nexus_reference import NexusReference, as_array
from opens2v_hf.metrics.pictures import load_picture
from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION, edition_of, retrieval_instruction_of, similarities
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import RELEASED_NUM_FRAMES, frame_caveats, model_caveats
from opens2v_hf.models.yolo_world.boxes import Detections
from opens2v_hf.scores.nexus import (
    VARIANTS,
    NexusBox,
    Thresholds,
    is_empty,
    judge,
    nexus_score,
    pixel_corners,
    summarize_reference,
)
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.scores.variants import check_variant
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace

_CROP_PIXELS = 64_000_000  # held at a time: some 200 MB

_Place = tuple[int, tuple[int, int, int, int]]  # of a crop: its frame, and its corners in it


class Detector(Protocol):
    """Interface of a detector; see `YoloWorldDetector`."""

    info: ModelInfo

    def prompts(self, image_embeds: Any) -> Any:
        """Prompts [K, D] from picture embeddings [K, D]."""
        ...

    def detect(self, frames: Any, prompt_embeds: Any) -> list[list[Detections]]:
        """For each frame, for each prompt: its detections."""
        ...


class PromptEncoder(Protocol):
    """Interface of a prompt encoder; see `ClipPromptEncoder`."""

    info: ModelInfo

    def embed(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Picture embeddings [N, D]."""
        ...


class Embedder(Protocol):
    """Interface of an embedder; see `GmeEmbedder`."""

    info: ModelInfo

    def embed_texts(self, texts: Sequence[str], instruction: str | None = None) -> torch.Tensor:
        """L2-normalised vectors [N, D]."""
        ...

    def embed_images(self, images: Sequence[Image.Image], instruction: str | None = None) -> torch.Tensor:
        """L2-normalised vectors [N, D]."""
        ...


class NexusScore:
    """Subject consistency of a clip; the formulas are in `opens2v_hf.scores.nexus`.

    Args:
        detector: finds a reference in frames.
        embedder: compares crops with pictures and labels.
        prompt_encoder: makes picture embeddings for the detector; may be None if every reference has its own.
        variant: "released" (the leaderboard's), "v1.0" or "coverage".
        num_frames: sampled evenly over the clip; released: 32.
        thresholds: of the rules.
        label_instruction: that labels are embedded with; by default the one for retrieval of the embedder.
        details: whether a score carries the record of every box. Crops of boxes that the score threshold drops are
            embedded only then.

    Raises:
        ArgumentError: the variant, the number of frames or the instruction cannot be used.
    """

    name = "nexusscore"
    reports_references = True

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        prompt_encoder: PromptEncoder | None = None,
        *,
        variant: str = "released",
        num_frames: int = RELEASED_NUM_FRAMES,
        thresholds: Thresholds | None = None,
        label_instruction: str | None = None,
        details: bool = False,
    ) -> None:
        if not isinstance(label_instruction, str | None):
            raise ArgumentError(f"label_instruction must be a text (got {label_instruction!r:.80})")
        self.variant = check_variant(variant, VARIANTS, "NexusScore")
        self.detector = detector
        self.embedder = embedder
        self.prompt_encoder = prompt_encoder
        self.sampling = linspace(num_frames)
        self.thresholds = thresholds or Thresholds()
        self._label_instruction = label_instruction
        self.details = details

    @property
    def companion(self) -> NexusScore:
        """The companion metric over the same boxes: "coverage", or "released" for that one.

        It is named after its variant, e.g. "nexusscore_coverage"; its value for a video is in `variants` of this
        metric's score.
        """
        sibling = copy.copy(self)
        sibling.variant = "released" if self.variant == "coverage" else "coverage"
        sibling.name = f"{type(self).name}_{sibling.variant}"
        sibling.reports_references = False  # this metric reports them
        return sibling

    @property
    def label_instruction(self) -> str:
        """That labels are embedded with."""
        return retrieval_instruction_of(self.embedder) if self._label_instruction is None else self._label_instruction

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """Detector, prompt encoder (where there is one) and embedder."""
        encoder = () if self.prompt_encoder is None else (self.prompt_encoder.info,)
        return (self.detector.info, *encoder, self.embedder.info)

    @property
    def options(self) -> dict[str, Any]:
        """Settings other than the models that affect the scores."""
        return {
            "variant": self.variant,
            "num_frames": self.sampling.count,
            "box_score_threshold": self.thresholds.box_score,
            "text_similarity_threshold": self.thresholds.text_similarity,
            "label_instruction": self.label_instruction,
            "detector": dict(getattr(self.detector, "options", {})),
            **getattr(self.embedder, "options", {}),
        }

    @property
    def caveats(self) -> tuple[str, ...]:
        """Differences from how the leaderboard's numbers were made."""
        found = model_caveats(self.models)
        if self.prompt_encoder is None:
            found.append("made with given prompts")
        if getattr(self.detector, "options", {}).get("mixed_precision", "no") != "no":
            found.append("made with a detector in mixed precision; the leaderboard's computes in float32")
        if self.variant != "released":
            found.append(f"the variant {self.variant!r}; the leaderboard's is 'released'")
        found += frame_caveats(self.sampling.count)
        if self.thresholds != Thresholds():
            found.append("made with other thresholds than the leaderboard's")
        if edition := edition_of(self.embedder):
            found.append(f"{edition}, for whose similarities the threshold for text was not chosen")
        elif self.label_instruction != RETRIEVAL_INSTRUCTION:
            found.append("labels embedded with another instruction than the leaderboard's")
        return tuple(found)

    def score(self, clip: Clip, reference: NexusReference) -> VideoScore:
        """Score a clip against its references.

        Returns:
            The score; `NOT_APPLICABLE` where the label rules leave no reference; `FAILED` where the video or a picture
            cannot be read, or a similarity is no number. A video in which nothing is detected scores 0, with a remark
            (the released code stops there and leaves the video out). It has `variants` and `references`
            (`ReferenceSummary`). Details: "frames_detected", "frame_indices", and on request "boxes", which `evidence`
            then holds as `NexusBox`, in the released loop's order: by frame, by reference, by falling score.

        Raises:
            ArgumentError: embeddings are missing, or do not fit the detector.
        """
        looked_for = reference.applicable
        if not looked_for:
            return VideoScore.not_applicable(reference.why_none_applies)
        try:
            pictures = [
                load_picture(reference.images[position], name=f"picture {position} of {reference.id or clip.name}")
                for position, _ in looked_for
            ]
            frames = clip.frames(self.sampling)
        except (ImageError, VideoError) as error:
            return VideoScore.failed(str(error))
        indices = self.sampling.indices(clip.num_frames)
        # A clip with fewer frames than `num_frames` is sampled with repeats; each frame is read once.
        positions = {index: position for position, index in enumerate(indices)}
        distinct = [frames[position] for position in positions.values()]
        prompts = self._prompts(reference, [position for position, _ in looked_for], pictures)
        detections = self.detector.detect(distinct, prompts)

        texts = [text for _, text in looked_for]
        compared = self._compare(distinct, detections, pictures, texts)
        order = {index: place for place, index in enumerate(positions)}
        boxes = [
            box
            for frame, index in enumerate(indices)
            for (position, _), found in zip(looked_for, compared[order[index]], strict=True)
            for box in (NexusBox(frame, position, *values) for values in found)
        ]
        return self._outcome(clip, boxes, looked_for, indices)

    def _outcome(
        self, clip: Clip, boxes: list[NexusBox], looked_for: Sequence[tuple[int, str]], indices: Sequence[int]
    ) -> VideoScore:
        details: dict[str, Any] = {
            "frames_detected": len({box.frame for box in boxes}),
            "frame_indices": list(indices),
        }
        if self.details:
            details["boxes"] = [box.to_dict() for box in boxes]
        positions = [position for position, _ in looked_for]
        by_variant = {
            variant: nexus_score(variant, boxes, num_frames=len(indices), references=positions) for variant in VARIANTS
        }
        value = by_variant[self.variant]
        outcome = VideoScore.failed(f"{clip.name}: the similarity of a kept box is not a number; try dtype='float32'")
        if math.isfinite(value):
            outcome = VideoScore.scored(value, "; ".join(_remarks(boxes)))
        return replace(
            outcome,
            details=details,
            variants={name: number if math.isfinite(number) else None for name, number in by_variant.items()},
            references=[
                summarize_reference(boxes, position, text, num_frames=len(indices)).to_dict()
                for position, text in looked_for
            ],
            evidence=tuple(boxes) if self.details else (),
        )

    def _prompts(self, reference: NexusReference, positions: Sequence[int], pictures: Sequence[Image.Image]) -> Any:
        if reference.prompt_embeds is not None:
            return torch.as_tensor(as_array(reference.prompt_embeds))[list(positions)]
        if reference.image_embeds is not None:
            return self.detector.prompts(torch.as_tensor(as_array(reference.image_embeds))[list(positions)])
        if self.prompt_encoder is None:
            raise ArgumentError("NexusScore needs a prompt encoder, or embeddings with every reference")
        return self.detector.prompts(self.prompt_encoder.embed(pictures))

    def _compare(
        self,
        frames: Sequence[np.ndarray],
        detections: Sequence[Sequence[Detections]],
        pictures: Sequence[Image.Image],
        texts: Sequence[str],
    ) -> list[list[list[tuple[Any, ...]]]]:
        """For each frame, for each reference, for each box: the values of `NexusBox` after its place."""
        distinct_texts = list(dict.fromkeys(texts))
        of_pictures = self.embedder.embed_images(pictures)
        of_texts = self.embedder.embed_texts(distinct_texts, self.label_instruction)
        text_columns = [len(pictures) + distinct_texts.index(text) for text in texts]
        box_dtype = next((str(found.scores.dtype) for row in detections for found in row), "float32")
        thresholds = self.thresholds.rounded(
            box_dtype=box_dtype, similarity_dtype=str(of_pictures.dtype).removeprefix("torch.")
        )
        wanted = {
            (frame, pixel_corners(box)): None
            for frame, row in enumerate(detections)
            for found in row
            for box, score in zip(found.boxes.tolist(), found.scores.tolist(), strict=True)
            if self.details or score > thresholds.box_score
        }
        places = [place for place in wanted if not is_empty(place[1])]
        compared = self._compare_crops(frames, places, torch.cat([of_pictures, of_texts]))

        def values(frame: int, reference: int, box: list[float], score: float) -> tuple[Any, ...]:
            corners = pixel_corners(box)
            row = compared.get((frame, corners))
            g_i, g_t = (None, None) if row is None else (row[reference], row[text_columns[reference]])
            return tuple(box), score, g_i, g_t, judge(score, corners, g_i, g_t, thresholds)

        return [
            [
                [
                    values(frame, reference, box, score)
                    for box, score in zip(found.boxes.tolist(), found.scores.tolist(), strict=True)
                ]
                for reference, found in enumerate(row)
            ]
            for frame, row in enumerate(detections)
        ]

    def _compare_crops(
        self, frames: Sequence[np.ndarray], places: Sequence[_Place], anchors: torch.Tensor
    ) -> dict[_Place, list[float]]:
        """The similarities of every crop with each of `anchors` [A, D]; few crops are held as pixels at a time."""
        found: dict[_Place, list[float]] = {}
        for chunk in _chunks(places):
            crops = [Image.fromarray(frames[frame]).crop(corners) for frame, corners in chunk]
            vectors = self.embedder.embed_images(crops)
            columns = [similarities(vectors, anchor).tolist() for anchor in anchors]
            found.update((place, list(row)) for place, row in zip(chunk, zip(*columns, strict=True), strict=True))
        return found


def _remarks(boxes: Sequence[NexusBox]) -> Iterator[str]:
    """Remarks about a score, for users."""
    if not boxes:
        yield "no reference was detected in any frame"
    elif not any(box.kept for box in boxes):
        yield "references were detected, and no box passes the rules"
    if count := sum(box.text_similarity is not None and math.isnan(box.text_similarity) for box in boxes):
        what = "1 box has" if count == 1 else f"{count} boxes have"
        yield f"{what} a similarity that is not a number and is dropped; try dtype='float32'"


def _chunks(places: Sequence[_Place]) -> Iterator[list[_Place]]:
    chunk: list[_Place] = []
    pixels = 0
    for place in places:
        left, top, right, bottom = place[1]
        area = (right - left) * (bottom - top)
        if chunk and pixels + area > _CROP_PIXELS:
            yield chunk
            chunk, pixels = [], 0
        chunk.append(place)
        pixels += area
    if chunk:
        yield chunk
