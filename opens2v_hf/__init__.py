"""OpenS2V-Nexus for the Hugging Face ecosystem.

Importing it lets `datasets` and `evaluate` load this project's datasets and metrics by bare name:

    load_dataset("opens2v-eval", "open-domain"), load_dataset("opens2v-5m", streaming=True)
    evaluate.load("nexusscore"), evaluate.load("gmescore"), ...

And its functions do what the commands of the same names do:

    score(videos, split=..., out=...)      all metrics for the videos of a model; resumable
    score(model="org/model", out=...)      the same, after making its videos
    generate(model, split=..., out=...)    only the videos
    reproduce("VACE-1.3B", out=...)        a published row again, compared with the published numbers
    compare(a, b)                          which differences between two results are real
    report(results, out)                   one HTML page about results
    explain(video, id=...)                 why a NexusScore is what it is
    push(result, "org/model")              scores to the Hub
    build(source, out)                     a dataset like OpenS2V-5M of a folder of videos
    show(sample), convert(source, target)  a page about a sample of OpenS2V-5M; Parquet shards
    doctor()                               what is installed, used and missing

`RunResult` is what `score` gives, and `RunResult.load(path)` reads one. A `ModelChoice` names a model with the
arguments of loading it.
"""

from typing import TYPE_CHECKING, Any

from opens2v_hf._version import __version__
from opens2v_hf.hub import names as _names

if TYPE_CHECKING:
    from opens2v_hf._api import build, compare, convert, doctor, explain, push, report, show
    from opens2v_hf.evaluation.api import score
    from opens2v_hf.generators.api import generate
    from opens2v_hf.leaderboard.reproduction.reproduce import reproduce
    from opens2v_hf.models.roles import ModelChoice
    from opens2v_hf.results.result import RunResult

_names.install()

__all__ = [
    "ModelChoice",
    "RunResult",
    "__version__",
    "build",
    "compare",
    "convert",
    "doctor",
    "explain",
    "generate",
    "push",
    "report",
    "reproduce",
    "score",
    "show",
]

_LAZY = {
    "score": "opens2v_hf.evaluation.api",
    "generate": "opens2v_hf.generators.api",
    "reproduce": "opens2v_hf.leaderboard.reproduction.reproduce",
    "RunResult": "opens2v_hf.results.result",
    "ModelChoice": "opens2v_hf.models.roles",
    **dict.fromkeys(("build", "compare", "convert", "doctor", "explain", "push", "report", "show"), "opens2v_hf._api"),
}


def __getattr__(name: str) -> Any:
    """Import what needs heavy libraries only when it is used."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
