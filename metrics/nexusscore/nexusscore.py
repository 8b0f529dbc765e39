"""NexusScore as a module of `evaluate`."""

from __future__ import annotations

import evaluate

_DESCRIPTION = """
NexusScore is the subject-consistency metric of OpenS2V-Eval, a benchmark of subject-to-video generation. In 32 frames
of a video an image-prompted detector looks for the subject of each reference picture; what it finds is compared with
the picture and with its label by GME embeddings.
"""

_CITATION = """
@inproceedings{yuan2025opens2v,
  title={OpenS2V-Nexus: A Detailed Benchmark and Million-Scale Dataset for Subject-to-Video Generation},
  author={Yuan, Shenghai and others},
  booktitle={NeurIPS Datasets and Benchmarks},
  year={2025},
  note={arXiv:2505.20292}
}
"""

_INPUTS = """
Args:
    predictions: generated videos: paths, the bytes of files, or dicts with "path" or "bytes"; mixed as one likes.
    references: for each video a dict with "images" (paths, bytes, PIL images or uint8 arrays) and "labels", one for
        each picture; "id" may stand in it too.
    ids: sample ids, one for each video. The released rules on labels of people go by them; without an id none applies.
    variant: "released" (default, the leaderboard's), "coverage" (mean over frames and references of the best kept
        similarity, 0 where the subject is not found), "paper" or "v1.0".
    detector: Hub id, folder or checkpoint of a YOLO-World detector with image prompts, "embedded" for the small one of
        opens2v-hf, or a loaded `YoloWorldDetector`. Default: the released one of BestWishYsh/OpenS2V-Weight.
    prompt_encoder: Hub id or folder of a CLIP image tower, "embedded", or a loaded `ClipPromptEncoder`. Default: the
        released openai/clip-vit-base-patch32. Not loaded where embeddings are given.
    embedder: Hub id or folder of a GME (Qwen2-VL) embedder, "embedded", or a loaded `GmeEmbedder`. Default: the
        released Alibaba-NLP/gme-Qwen2-VL-7B-Instruct.
    detector_revision, prompt_encoder_revision, embedder_revision: of Hub repos.
    image_embeds: for each video [K, D] picture embeddings in place of the prompt encoder's; None for one that has none.
    prompt_embeds: for each video [K, D] normalised prompts in place of the projected embeddings.
    num_frames: sampled evenly over each video. Default (released): 32.
    box_threshold: boxes are kept above this score of the detector. Default (released): 0.6.
    text_threshold: boxes are kept above this similarity with the label. Default (released): 0.30.
    label_instruction: that labels are embedded with. Default: the embedder's retrieval instruction.
    device: "auto" (default), "cuda", "cuda:1", "mps" or "cpu".
    dtype: of the embedder: "auto" (default: float16 on CUDA, float32 elsewhere), "float16", "bfloat16" or "float32".
    mixed_precision: of the detector: "no" (default, as released), "fp16" or "bf16".
    detector_batch_size: frames, or pairs of frame and reference, that the detector computes at a time. Default: 4.
    batch_tokens: tokens that the embedder computes at a time. Default: 8192.
    backend: decoder of videos: "auto" (default), "decord" or "pyav".
    details: also return the record of every box. Default: False.
    distributed: under `accelerate launch` the processes share the videos; False to score all in each. Default: True.
    Other arguments go to `GmeEmbedder.from_pretrained`: min_pixels, max_pixels, device_map, quantization_config, ...

Returns:
    nexusscore: mean over the videos that could be scored; None where there is none.
    scores: of each video; None for one that could not be scored or to which no reference applies.
    reasons, statuses: "scored", "not_applicable" or "failed", and why.
    references: for each video and each of its references that applies: in how many frames it was detected and found,
        the best similarities, and how many boxes each rule dropped.
    summary: the mean with its 95 % bootstrap interval, and how many videos were scored, failed or do not apply.
    models, options: the models with their revisions, and what else decides the numbers.
    comparable, note: whether the numbers can be set beside the leaderboard's, and why not.
    details: on request, for each video its boxes by frame, reference and falling score.

Examples:
    >>> import opens2v_hf, evaluate
    >>> nexusscore = evaluate.load("nexusscore")
    >>> nexusscore.compute(predictions=["singleobj_3.mp4"], ids=["singleobj_3"],
    ...                    references=[{"images": ["cup.png"], "labels": ["Cup"]}])  # doctest: +SKIP
"""


class NexusScore(evaluate.Metric):
    """Loads its models at the first `compute()` and keeps each while the arguments that choose it stay the same."""

    def _info(self) -> evaluate.MetricInfo:
        from datasets import Features

        from opens2v_hf.run.metrics.inputs import VideoInput
        from opens2v_hf.run.metrics.reference_input import ReferenceInput

        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=Features({"predictions": VideoInput(), "references": ReferenceInput()}),
            reference_urls=["https://arxiv.org/abs/2505.20292"],
        )

    def add(self, *, prediction=None, reference=None, **inputs):
        """Keep one video and its reference for `compute`."""
        from opens2v_hf.run.metrics.reference_input import exact_pictures

        super().add(prediction=prediction, reference=exact_pictures(reference), **inputs)

    def add_batch(self, *, predictions=None, references=None, **inputs):
        """Keep several videos and their references for `compute`."""
        from opens2v_hf.run.metrics.reference_input import exact_pictures

        if isinstance(references, list | tuple):
            references = [exact_pictures(reference) for reference in references]
        super().add_batch(predictions=predictions, references=references, **inputs)

    def _compute(
        self,
        predictions,
        references,
        ids=None,
        variant="released",
        detector=None,
        prompt_encoder=None,
        embedder=None,
        detector_revision=None,
        prompt_encoder_revision=None,
        embedder_revision=None,
        image_embeds=None,
        prompt_embeds=None,
        num_frames=32,
        box_threshold=0.6,
        text_threshold=0.30,
        label_instruction=None,
        device=None,
        dtype=None,
        mixed_precision=None,
        detector_batch_size=None,
        batch_tokens=None,
        backend="auto",
        details=False,
        distributed=True,
        **embedder_arguments,
    ):
        from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION
        from opens2v_hf.run.kept_models import KeptModels
        from opens2v_hf.run.metrics.nexus_reference import references_of
        from opens2v_hf.run.metrics.nexusscore import NexusScore as Metric
        from opens2v_hf.run.metrics.nexusscore import score_references
        from opens2v_hf.scores.nexus import Thresholds, check_variant
        from opens2v_hf.video.sampling import linspace

        # a bad argument shows before models of many gigabytes are loaded
        check_variant(variant)
        linspace(num_frames)
        thresholds = Thresholds(box_threshold, text_threshold)
        samples = references_of(references, ids, image_embeds=image_embeds, prompt_embeds=prompt_embeds)
        kept = self.__dict__.setdefault("_kept", KeptModels())
        of_detector = {
            "revision": detector_revision,
            "mixed_precision": mixed_precision,
            "batch_size": detector_batch_size,
        }
        of_embedder = {"revision": embedder_revision, "dtype": dtype, "batch_tokens": batch_tokens} | embedder_arguments
        models = {
            "detector": kept.get("detector", detector, of_detector, device=device),
            "embedder": kept.get("embedder", embedder, of_embedder, device=device),
        }
        if prompt_encoder is not None or any(sample.needs_encoder for sample in samples):
            of_encoder = {"revision": prompt_encoder_revision}
            models["prompt_encoder"] = kept.get("prompt_encoder", prompt_encoder, of_encoder, device=device)
        metric = Metric(
            **models,
            variant=variant,
            num_frames=num_frames,
            thresholds=thresholds,
            label_instruction=RETRIEVAL_INSTRUCTION if label_instruction is None else label_instruction,
            details=details,
        )
        return score_references(metric, list(predictions), samples, backend=backend, distributed=distributed)
