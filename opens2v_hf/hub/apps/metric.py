"""The builder of the metrics' pages: input fields, the score and its reasons."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import gradio as gr

from opens2v_hf.errors import ArgumentError, OpenS2VError
from opens2v_hf.evaluation.composite import load_composite
from opens2v_hf.hub.apps import frame
from opens2v_hf.hub.apps.examples import Example, draw_example
from opens2v_hf.hub.apps.inputs import UNCHANGED, Input, Models, Option
from opens2v_hf.metrics.base import Metric, answer, score_clip
from opens2v_hf.metrics.model_cache import ModelCache
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip

MOST_FRAMES = 1200
"""Longer videos are refused: a page computes for one visitor at a time."""

FAILED = "the page could not compute it; try again, or score the video on your own machine with `opens2v score`"

IN_ORDER: dict[str, Any] = {"concurrency_id": "fresh", "concurrency_limit": 1}
"""The answers to several examples come in the order in which they were chosen."""


@dataclass(frozen=True)
class Shown:
    """The displayed parts of a score."""

    heading: str  # the score with its name
    lines: Sequence[str]  # Markdown, a paragraph each
    note: str  # why it is not comparable with the leaderboard; empty if it is
    views: Sequence[Any]  # a value for each of the page's views


Score = Callable[[str, Mapping[str, Any]], Shown]
"""From a video's file and the values of the fields to the displayed score.

Raises:
    OpenS2VError: the reason if there is no score.
"""


@dataclass
class Turn:
    """A visitor's videos are counted, and which of them was asked about last."""

    video: int = 0
    asked: int = 0


@dataclass(frozen=True)
class Page:
    """A metric's page."""

    title: str  # name of the metric
    about: str  # Markdown that says what it measures
    inputs: Sequence[Input]  # groups of fields next to the video
    score: Score  # see `Score`
    views: Sequence[Callable[[], Any]]  # each makes a component below the score
    examples: Sequence[tuple[str, str] | tuple[str, str, int]]  # sample and simulated model of each example to click

    def build(self) -> gr.Blocks:
        """The interface; no model is loaded before the first video is scored."""
        with gr.Blocks(title=self.title, analytics_enabled=False, delete_cache=frame.DELETE_CACHE_S) as demo:
            gr.Markdown(f"# {self.title}\n\n{self.about}")
            with gr.Row():
                with gr.Column():
                    video = gr.Video(label="Video", sources=["upload"], height=260)
                    with gr.Row(elem_id="examples"):
                        buttons = [gr.Button("", size="sm", min_width=140) for _ in self.examples]
                    fields = [group.build() for group in self.inputs]
                    button = gr.Button("Score", variant="primary")
                with gr.Column():
                    text = gr.Markdown(elem_id="verdict")
                    views = [view() for view in self.views]
            components = [video, *(component for group in fields for component in group)]
            outputs = [text, *views]
            nothing = ["", *[None] * len(views)]
            # an old score must not be taken for that of the new video, nor an answer that comes late
            turn = gr.State(Turn())
            cleared = button.click(partial(self.ask, nothing), turn, outputs, api_visibility="private")
            scored = cleared.then(self.score_in_turn, [turn, *components], outputs, api_name="score")
            scored.failure(lambda: frame.refusal(FAILED), None, text, api_visibility="private")
            video.input(partial(self.replace, nothing), turn, outputs, api_visibility="private")
            for example, one in zip(self.examples, buttons, strict=True):
                drawn = draw_example(*example)
                one.value = f"Example: {drawn.name}"
                one.click(
                    partial(self.replace, [*self.filled(drawn), *nothing]), turn, [*components, *outputs],
                    trigger_mode="always_last", api_visibility="private", **IN_ORDER,
                )  # fmt: skip
        return demo

    def launch(self) -> None:
        """Serve the page, as a Space does."""
        frame.launch(self.build())

    def ask(self, nothing: list[Any], turn: Turn) -> list[Any]:
        """The empty outputs, once a visitor has asked for the score of the present video."""
        turn.asked = turn.video
        return nothing

    def replace(self, values: list[Any], turn: Turn) -> list[Any]:
        """The values that come with another video."""
        turn.video += 1
        return values

    def score_in_turn(self, turn: Turn, *values: Any) -> list[Any]:
        """`run`, whose answer changes nothing once there is another video."""
        found = self.run(*values)
        return found if turn.asked == turn.video else [gr.skip() for _ in found]

    def filled(self, example: Example) -> list[Any]:
        """The values of all fields for an example."""
        values = [example.video, *(value for group in self.inputs for value in group.fill(example))]
        return [gr.skip() if value is UNCHANGED else value for value in values]

    def run(self, video: str | None, *values: Any) -> list[Any]:
        """Score one uploaded video.

        Args:
            video: its file.
            *values: of the fields, in their order.

        Returns:
            The score or the reason why there is none, as Markdown; and the value of each view.
        """
        uploads = [value for value in (video, *values) if isinstance(value, str) and os.path.isfile(value)]
        try:
            if video is None:
                raise ArgumentError("upload a video first")
            _check_length(video)
            shown = self.score(video, self.read(values))
        except OpenS2VError as error:
            return [frame.refusal(_by_name(str(error), uploads)), *[None] * len(self.views)]
        note = [f"**Not comparable with the leaderboard:** {frame.plain(shown.note)}."] if shown.note else []
        text = "\n\n".join([f"## {shown.heading}", *shown.lines, *note])
        return [text, *shown.views]

    def read(self, values: Sequence[Any]) -> dict[str, Any]:
        """The values of the fields, by name.

        Raises:
            ArgumentError: a value is invalid.
        """
        found: dict[str, Any] = {}
        rest = list(values)
        for group, count in zip(self.inputs, self._counts(), strict=True):
            found |= group.read(rest[:count])
            rest = rest[count:]
        return found

    def _counts(self) -> list[int]:
        example = Example("", "", "", (), (), "")
        return [len(group.fill(example)) for group in self.inputs]


def metric_page(
    metric: str,
    title: str,
    about: str,
    *,
    inputs: Sequence[Input] = (),
    released: str = "",
    others: Mapping[str, str] | None = None,
    reference: Callable[[Mapping[str, Any]], Any] = lambda given: None,
    lines: Callable[[Metric[Any], VideoScore], Sequence[str]] = lambda metric, outcome: (),
    view: Callable[[], Any],
    shown: Callable[[Mapping[str, Any]], Any],
    digits: int = 4,
    keyed: frozenset[str] = frozenset(),
    examples: Sequence[tuple[str, str] | tuple[str, str, int]],
) -> Page:
    """The page of one metric.

    Args:
        metric: its name.
        title: its name in words.
        about: what it measures, as Markdown.
        inputs: fields next to the video and the models; an `Option` is one of the metric's.
        released: says what its released models are and need; empty for a metric without models.
        others: see `Models`.
        reference: from the values of the fields to the reference that the metric's `score` takes.
        lines: text below the score, as Markdown.
        view: makes the component below the score, see `opens2v_hf.hub.apps.views`.
        shown: from the outcome's details to the value of that component.
        digits: of the score.
        keyed: see `Models`.
        examples: see `Page`.
    """
    models = (Models([metric], released, others or {}, keyed),) if released else ()
    options = [group.name for group in inputs if isinstance(group, Option)]

    def score(video: str, given: Mapping[str, Any]) -> Shown:
        wanted = reference(given)
        (loaded,) = load([metric], given.get("models", {}), {metric: {name: given[name] for name in options}})
        outcome = score_clip(loaded, video, wanted)
        if outcome.value is None:
            raise OpenS2VError(outcome.reason)
        remark = frame.plain(_by_name(outcome.reason, [video, *given.get("images", ())]))
        said = [*lines(loaded, outcome), *([remark] if remark else [])]
        note = answer(loaded, [outcome])["note"]
        return Shown(f"{title} {outcome.value:.{digits}f}", said, note, [shown(outcome.all_details())])

    return Page(title, about, (*inputs, *models), score, (view,), examples)


def load(
    metrics: Sequence[str], models: Mapping[str, Any], options: Mapping[str, Mapping[str, Any]]
) -> list[Metric[Any]]:
    """Metrics with their models, which stay loaded until others are requested."""
    return load_composite(metrics, _kept(), models=models, options=options)


@cache
def _kept() -> ModelCache:
    return ModelCache()


def _by_name(text: str, paths: Sequence[str]) -> str:
    """The text with names of files in place of their paths on the machine that serves the page."""
    for path in paths:
        text = text.replace(path, os.path.basename(path))
    return text


def _check_length(video: str) -> None:
    frames = Clip(video, rules=()).num_frames
    if frames > MOST_FRAMES:
        raise ArgumentError(
            f"{os.path.basename(video)}: a video must have at most {MOST_FRAMES} frames here (got {frames}); score it "
            "on your own machine"
        )
