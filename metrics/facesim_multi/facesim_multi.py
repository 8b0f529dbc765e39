"""FaceSim for several people as a module of `evaluate`."""

from __future__ import annotations

import evaluate

_DESCRIPTION = """
Identity of several people in a subject-to-video generation: in each of 32 frames faces are assigned to the reference
people, one to one and optimally; the score is the mean over frames and people of how much the assigned face is theirs,
by CurricularFace, 0 where one has none. It stands beside FaceSim-Cur of OpenS2V-Eval, which looks at one face only and
skips the samples of several people. Scores lie in [0, 1]; higher is better.
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
        each picture; "id" may stand in it too. The pictures labelled "Man" or "Woman" are compared.
    ids: sample ids for messages, one for each video.
    face_detector: "embedded" for the small one of opens2v-hf (not comparable with the leaderboard); Hub id, folder or
        ONNX file of a detector of InsightFace, which is an extra: pip install 'opens2v-hf[faces]'; or a loaded one.
        Default: the released one of BestWishYsh/OpenS2V-Weight.
    face_embedder: Hub id, folder or file of a CurricularFace IR net, "embedded", or a loaded `IrFaceEmbedder`.
        Default: the released IR-101 of BestWishYsh/OpenS2V-Weight.
    face_detector_revision, face_embedder_revision: of Hub repos.
    num_frames: sampled evenly over each video. Default: 32.
    device: "auto" (default), "cuda", "cuda:1", "mps" or "cpu".
    dtype: of the embedder: "float32" (default, as released), "float16" or "bfloat16".
    batch_size: faces that the embedder computes at a time. Default: 32.
    backend: decoder of videos: "auto" (default), "decord" or "pyav".
    details: also return what was found in every frame. Default: False.
    distributed: under `accelerate launch` the processes share the videos; False to score all in each. Default: True.

Returns:
    facesim_multi: mean over the videos that could be scored; None where there is none.
    scores: of each video; None for one that could not be scored or has no person among its references.
    references: for each video, for each of its people: similarity, and in how many frames a face was assigned.
    reasons, statuses: "scored", "not_applicable" or "failed", and why.
    summary: the mean with its 95 % bootstrap interval, and how many videos were scored, failed or do not apply.
    models, options: the models with their revisions, and what else decides the numbers.
    comparable, note: whether the numbers can be set beside the leaderboard's, and why not.

Examples:
    >>> import opens2v_hf, evaluate
    >>> facesim_multi = evaluate.load("facesim_multi")
    >>> facesim_multi.compute(predictions=["video.mp4"],
    ...                       references=[{"images": ["a.png", "b.png"], "labels": ["Man", "Woman"]}])  # doctest: +SKIP
"""


class FaceSimMulti(evaluate.Metric):
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
        face_detector=None,
        face_embedder=None,
        face_detector_revision=None,
        face_embedder_revision=None,
        num_frames=32,
        device=None,
        dtype=None,
        batch_size=None,
        backend="auto",
        details=False,
        distributed=True,
    ):
        from opens2v_hf.run.kept_models import KeptModels
        from opens2v_hf.run.metrics.face_reference import face_references_of
        from opens2v_hf.run.metrics.facesim_multi import FaceSimMulti as Metric
        from opens2v_hf.run.metrics.facesim_multi import score_people
        from opens2v_hf.video.sampling import linspace

        linspace(num_frames)  # a bad argument shows before a model is loaded
        people = face_references_of(references, ids)
        kept = self.__dict__.setdefault("_kept", KeptModels())
        of_embedder = {"revision": face_embedder_revision, "dtype": dtype, "batch_size": batch_size}
        metric = Metric(
            kept.get("face_detector", face_detector, {"revision": face_detector_revision}, device=device),
            kept.get("face_embedder", face_embedder, of_embedder, device=device),
            num_frames=num_frames,
        )
        return score_people(
            metric, list(predictions), people, backend=backend, details=details, distributed=distributed
        )
