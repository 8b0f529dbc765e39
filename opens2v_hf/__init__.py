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

from typing import TYPE_CHECKING

from opens2v_hf._util.lazy import lazy_names
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

# What needs heavy libraries is imported only when it is used.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "opens2v_hf._api": "build compare convert doctor explain push report show",
        "opens2v_hf.evaluation.api": "score",
        "opens2v_hf.generators.api": "generate",
        "opens2v_hf.leaderboard.reproduction.reproduce": "reproduce",
        "opens2v_hf.models.roles": "ModelChoice",
        "opens2v_hf.results.result": "RunResult",
    },
)
