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
    from opens2v_hf.models.endpoint.options import EndpointOptions
    from opens2v_hf.models.faces.face import FaceDetector, FaceEmbedder
    from opens2v_hf.models.info import ModelInfo
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
        "opens2v_hf.metrics.aesthetics": "Aesthetics",
        "opens2v_hf.metrics.apply": "Task",
        "opens2v_hf.metrics.base": "Metric score_clip score_many score_video",
        "opens2v_hf.metrics.copypaste": "CopyPaste",
        "opens2v_hf.metrics.face_reference": "FaceReference",
        "opens2v_hf.metrics.facesim_cur": "FaceSimCur",
        "opens2v_hf.metrics.facesim_multi": "FaceSimMulti",
        "opens2v_hf.metrics.gmescore": "GmeScore",
        "opens2v_hf.metrics.motion_amplitude": "MotionAmplitude",
        "opens2v_hf.metrics.motion_smoothness": "MotionSmoothness",
        "opens2v_hf.metrics.naturalscore": "NaturalScore",
        "opens2v_hf.metrics.nexus_reference": "NexusReference",
        "opens2v_hf.metrics.nexusscore": "NexusScore",
        "opens2v_hf.metrics.registry": "METRICS load_metrics",
        "opens2v_hf.metrics.subject_identity": "SubjectIdentity",
        "opens2v_hf.metrics.subject_reference": "SubjectReference",
        "opens2v_hf.models.faces.face": "FaceDetector FaceEmbedder",
        "opens2v_hf.models.info": "ModelInfo",
        "opens2v_hf.models.endpoint.options": "EndpointOptions",
        "opens2v_hf.models.roles": "ROLES ModelChoice",
        "opens2v_hf.models.subject_embedder": "SubjectEmbedder",
    },
)
