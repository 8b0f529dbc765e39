"""The metrics: each owns its models and turns a clip into a score.

    from opens2v_hf.metrics import GmeScore, load_metrics, score_video

Names are imported when they are first used; this package alone imports no torch.
"""

from typing import TYPE_CHECKING

from opens2v_hf._util.lazy import lazy_names

if TYPE_CHECKING:
    from opens2v_hf.metrics.aesthetics import Aesthetics
    from opens2v_hf.metrics.apply import Task
    from opens2v_hf.metrics.base import Metric, score_clip, score_many, score_video
    from opens2v_hf.metrics.copypaste import CopyPaste
    from opens2v_hf.metrics.face_reference import FaceReference
    from opens2v_hf.metrics.facesim_cur import FaceSimCur
    from opens2v_hf.metrics.facesim_multi import FaceSimMulti
    from opens2v_hf.metrics.gmescore import GmeScore
    from opens2v_hf.metrics.motion_amplitude import MotionAmplitude
    from opens2v_hf.metrics.motion_smoothness import MotionSmoothness
    from opens2v_hf.metrics.naturalscore import NaturalScore
    from opens2v_hf.metrics.nexus_reference import NexusReference
    from opens2v_hf.metrics.nexusscore import NexusScore
    from opens2v_hf.metrics.registry import METRICS, load_metrics
    from opens2v_hf.metrics.subject_identity import SubjectIdentity
    from opens2v_hf.metrics.subject_reference import SubjectReference
    from opens2v_hf.models.faces.face import FaceDetector, FaceEmbedder
    from opens2v_hf.models.info import ModelInfo
    from opens2v_hf.models.judge.options import EndpointOptions
    from opens2v_hf.models.roles import ROLES, ModelChoice
    from opens2v_hf.models.subject_embedder import SubjectEmbedder

__all__ = [
    "METRICS",
    "ROLES",
    "Aesthetics",
    "CopyPaste",
    "EndpointOptions",
    "FaceDetector",
    "FaceEmbedder",
    "FaceReference",
    "FaceSimCur",
    "FaceSimMulti",
    "GmeScore",
    "Metric",
    "ModelChoice",
    "ModelInfo",
    "MotionAmplitude",
    "MotionSmoothness",
    "NaturalScore",
    "NexusReference",
    "NexusScore",
    "SubjectEmbedder",
    "SubjectIdentity",
    "SubjectReference",
    "Task",
    "load_metrics",
    "score_clip",
    "score_many",
    "score_video",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("Aesthetics",), "opens2v_hf.metrics.aesthetics"),
        **dict.fromkeys(("Task",), "opens2v_hf.metrics.apply"),
        **dict.fromkeys(
            (
                "Metric",
                "score_clip",
                "score_many",
                "score_video",
            ),
            "opens2v_hf.metrics.base",
        ),
        **dict.fromkeys(("CopyPaste",), "opens2v_hf.metrics.copypaste"),
        **dict.fromkeys(("FaceReference",), "opens2v_hf.metrics.face_reference"),
        **dict.fromkeys(("FaceSimCur",), "opens2v_hf.metrics.facesim_cur"),
        **dict.fromkeys(("FaceSimMulti",), "opens2v_hf.metrics.facesim_multi"),
        **dict.fromkeys(("GmeScore",), "opens2v_hf.metrics.gmescore"),
        **dict.fromkeys(("MotionAmplitude",), "opens2v_hf.metrics.motion_amplitude"),
        **dict.fromkeys(("MotionSmoothness",), "opens2v_hf.metrics.motion_smoothness"),
        **dict.fromkeys(("NaturalScore",), "opens2v_hf.metrics.naturalscore"),
        **dict.fromkeys(("NexusReference",), "opens2v_hf.metrics.nexus_reference"),
        **dict.fromkeys(("NexusScore",), "opens2v_hf.metrics.nexusscore"),
        **dict.fromkeys(
            (
                "METRICS",
                "load_metrics",
            ),
            "opens2v_hf.metrics.registry",
        ),
        **dict.fromkeys(
            (
                "FaceDetector",
                "FaceEmbedder",
            ),
            "opens2v_hf.models.faces.face",
        ),
        **dict.fromkeys(("SubjectIdentity",), "opens2v_hf.metrics.subject_identity"),
        **dict.fromkeys(("SubjectReference",), "opens2v_hf.metrics.subject_reference"),
        **dict.fromkeys(("SubjectEmbedder",), "opens2v_hf.models.subject_embedder"),
        **dict.fromkeys(("ModelInfo",), "opens2v_hf.models.info"),
        **dict.fromkeys(("EndpointOptions",), "opens2v_hf.models.judge.options"),
        **dict.fromkeys(
            (
                "ModelChoice",
                "ROLES",
            ),
            "opens2v_hf.models.roles",
        ),
    },
)
