"""Samples, readers, builders and writers of the two datasets."""

from typing import TYPE_CHECKING

from opens2v_hf._util.lazy import lazy_names

if TYPE_CHECKING:
    from opens2v_hf.data.benchmark.sample import EvalSample, Subject
    from opens2v_hf.data.benchmark.split import EvalSplit, open_split
    from opens2v_hf.data.opens2v5m.filters import QualityFilter
    from opens2v_hf.data.training import SubjectRule, TrainingView, collate
    from opens2v_hf.masks.apply import cut_out

__all__ = [
    "EvalSample",
    "EvalSplit",
    "QualityFilter",
    "Subject",
    "SubjectRule",
    "TrainingView",
    "collate",
    "cut_out",
    "open_split",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "opens2v_hf.data.benchmark.sample": "EvalSample Subject",
        "opens2v_hf.data.benchmark.split": "EvalSplit open_split",
        "opens2v_hf.data.opens2v5m.filters": "QualityFilter",
        "opens2v_hf.data.training": "SubjectRule TrainingView collate",
        "opens2v_hf.masks.apply": "cut_out",
    },
)
