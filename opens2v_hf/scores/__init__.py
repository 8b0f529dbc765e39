"""Formulas: numbers in, numbers out; no model and no file.

Five functions have the names of their modules, and are imported from there: `opens2v_hf.scores.scorecard.scorecard`,
`opens2v_hf.scores.motion_amplitude.motion_amplitude`, `opens2v_hf.scores.motion_smoothness.motion_smoothness`,
`opens2v_hf.scores.subject_identity.subject_identity` and `opens2v_hf.scores.copypaste.copypaste`.
"""

from typing import TYPE_CHECKING

from opens2v_hf._util.lazy import lazy_names

if TYPE_CHECKING:
    from opens2v_hf.scores.aesthetics import aesthetics_score
    from opens2v_hf.scores.copypaste import copy_excess
    from opens2v_hf.scores.faces import facesim_cur, facesim_multi
    from opens2v_hf.scores.gme import gme_score
    from opens2v_hf.scores.motion_amplitude import motion_magnitude
    from opens2v_hf.scores.natural import expected_score, read_score
    from opens2v_hf.scores.nexus import NexusBox, Thresholds, Verdict, coverage, nexus_score, released
    from opens2v_hf.scores.outcome import Status, Summary, VideoScore, summarize
    from opens2v_hf.scores.scorecard import COLUMNS, Scorecard, normalise, total_of, weights

__all__ = [
    "COLUMNS",
    "NexusBox",
    "Scorecard",
    "Status",
    "Summary",
    "Thresholds",
    "Verdict",
    "VideoScore",
    "aesthetics_score",
    "copy_excess",
    "coverage",
    "expected_score",
    "facesim_cur",
    "facesim_multi",
    "gme_score",
    "motion_magnitude",
    "nexus_score",
    "normalise",
    "read_score",
    "released",
    "summarize",
    "total_of",
    "weights",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "opens2v_hf.scores.aesthetics": "aesthetics_score",
        "opens2v_hf.scores.copypaste": "copy_excess",
        "opens2v_hf.scores.faces": "facesim_cur facesim_multi",
        "opens2v_hf.scores.gme": "gme_score",
        "opens2v_hf.scores.motion_amplitude": "motion_magnitude",
        "opens2v_hf.scores.natural": "expected_score read_score",
        "opens2v_hf.scores.nexus": "NexusBox Thresholds Verdict coverage nexus_score released",
        "opens2v_hf.scores.outcome": "Status Summary VideoScore summarize",
        "opens2v_hf.scores.scorecard": "COLUMNS Scorecard normalise total_of weights",
    },
)
