"""Work of each process of a launch in the tests of sharing work: `launched.py FOLDER`.

Reads the jobs from FOLDER/jobs.json, and writes the outcome of each, and what this process loaded and scored, to
FOLDER/<rank>.json. Ends as the command line, which scores once more; the second score in each process then waits until
that is killed.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

import evaluate

import opens2v_hf
from opens2v_hf._util.atomic import atomic_file
from opens2v_hf.cli import main as command_line
from opens2v_hf.errors import ModelError, OpenS2VError
from opens2v_hf.metrics.gmescore import GmeScore
from opens2v_hf.metrics.motion_amplitude import MotionAmplitude
from opens2v_hf.models.gme import GmeEmbedder

LONG_S = 600.0


def run(folder: Path) -> None:
    jobs = json.loads((folder / "jobs.json").read_text())
    rank = int(os.environ["RANK"])
    loaded, scored = count_calls()
    gmescore, composite = evaluate.load(jobs["module"]), evaluate.load("opens2v_eval")
    report: dict[str, Any] = {}

    def compute(job: str, prompts: list[str], module: Any = gmescore, **changed: Any) -> None:
        start = len(scored)
        given = jobs["arguments"] if module is gmescore else {}
        arguments = {"predictions": jobs["videos"], "references": prompts, **given, **changed}
        try:
            report[job] = {"answer": module.compute(**arguments)}
        except OpenS2VError as error:
            report[job] = {"error": f"{type(error).__name__}: {error}"}
        report[job]["scored"] = scored[start:]

    compute("all", jobs["prompts"])
    compute("one", jobs["prompts"][:1], predictions=jobs["videos"][:1])
    compute("raises", [*jobs["prompts"][:-1], "trip"])
    compute("differs", [f"{prompt} {rank}" for prompt in jobs["prompts"]])
    compute("alone", jobs["prompts"][:1], predictions=jobs["videos"][:1], distributed=False)
    compute("composite", jobs["prompts"], composite, metrics=["motion_amplitude"])

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        report["command"] = {"code": command_line(jobs["command"])}
    report["command"]["printed"] = printed.getvalue()
    report["loaded"] = loaded
    report["version"] = opens2v_hf.__version__
    with atomic_file(folder / f"{rank}.json", suffix=".partial", sync=False) as partial:
        partial.write_text(json.dumps(report))

    hold()
    sys.argv[1:] = jobs["held"]
    runpy.run_module("opens2v_hf", run_name="__main__", alter_sys=True)


def hold() -> None:
    """Let each process score one video."""
    score, calls = GmeScore.score, itertools.count()

    def held(self: GmeScore, clip: Any, reference: str) -> Any:
        if next(calls):
            time.sleep(LONG_S)
        return score(self, clip, reference)

    GmeScore.score = held  # type: ignore[method-assign]


def count_calls() -> tuple[list[str], list[str]]:
    """Names of models as they are loaded and of videos as they are scored; the prompt "trip" raises."""
    loaded: list[str] = []
    scored: list[str] = []
    load, score, amplitude = GmeEmbedder.from_pretrained.__func__, GmeScore.score, MotionAmplitude.score

    def counted_load(cls: type, model: Any, **arguments: Any) -> Any:
        loaded.append(str(model))
        return load(cls, model, **arguments)

    def counted_score(self: GmeScore, clip: Any, reference: str) -> Any:
        scored.append(Path(clip.name).name)
        if reference == "trip":
            raise ModelError("the weights are gone")
        return score(self, clip, reference)

    def counted_amplitude(self: MotionAmplitude, clip: Any, reference: Any = None) -> Any:
        scored.append(Path(clip.name).name)
        return amplitude(self, clip, reference)

    GmeEmbedder.from_pretrained = classmethod(counted_load)  # type: ignore[method-assign, assignment]
    GmeScore.score = counted_score  # type: ignore[method-assign]
    MotionAmplitude.score = counted_amplitude  # type: ignore[method-assign]
    return loaded, scored


if __name__ == "__main__":
    run(Path(sys.argv[1]))
