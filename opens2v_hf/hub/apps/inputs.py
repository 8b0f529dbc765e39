"""Fields next to the video: prompt, pictures, models, options. Each group reads its own fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import gradio as gr

from opens2v_hf.errors import ArgumentError
from opens2v_hf.hub.apps.examples import Example
from opens2v_hf.hub.apps.frame import on_a_space
from opens2v_hf.metrics.registry import METRICS
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.roles import ModelChoice

RELEASED = "released"
UNCHANGED = object()
"""The value of a field that an example leaves as it is."""


class Input(Protocol):
    """A group of fields."""

    def build(self) -> list[Any]:
        """The components, created in the layout of the page."""
        ...

    def read(self, values: Sequence[Any]) -> Mapping[str, Any]:
        """The values of the fields, by name.

        Raises:
            ArgumentError: they cannot be used.
        """
        ...

    def fill(self, example: Example) -> list[Any]:
        """The fields' values for an example."""
        ...


@dataclass(frozen=True)
class Prompt:
    """The text that the video was generated from; read as `prompt`."""

    def build(self) -> list[Any]:  # noqa: D102
        text = "The text that the video was generated from"
        return [gr.Textbox(label="Prompt", lines=3, placeholder=text, elem_id="prompt")]

    def read(self, values: Sequence[Any]) -> Mapping[str, Any]:  # noqa: D102
        return {"prompt": values[0] or ""}

    def fill(self, example: Example) -> list[Any]:  # noqa: D102
        return [example.prompt]


@dataclass(frozen=True)
class Pictures:
    """Reference pictures, each with a label unless all are of people; read as `images` and `labels`."""

    most: int  # how many there can be
    first: int  # how many are shown at once; the rest are folded away
    noun: str = "Reference"  # what each is called, e.g. "Reference"
    labelled: bool = True  # whether each has a field for its label; "<noun> <number>" is the label otherwise
    least: int = 1  # how many there must be

    def build(self) -> list[Any]:  # noqa: D102
        pictures: list[Any] = []
        labels: list[Any] = []

        def fields(numbers: range) -> None:
            with gr.Row():
                for number in numbers:
                    with gr.Column(min_width=120):
                        what = self._default(number)
                        pictures.append(gr.Image(label=what, type="filepath", sources=["upload"], height=160))
                        if self.labelled:
                            labels.append(
                                gr.Textbox(
                                    label=f"Label {number}",
                                    placeholder="Man, Woman, Cup, ...",
                                    elem_id=f"label-{number}",
                                )
                            )

        fields(range(1, self.first + 1))
        if self.most > self.first:
            with gr.Accordion("More pictures", open=False):
                fields(range(self.first + 1, self.most + 1))
        return [*pictures, *labels]

    def read(self, values: Sequence[Any]) -> Mapping[str, Any]:  # noqa: D102
        labels = values[self.most :] if self.labelled else [self._default(number) for number in range(1, self.most + 1)]
        given = []
        for number, (picture, written) in enumerate(zip(values[: self.most], labels, strict=True), start=1):
            label = (written or "").strip()
            if picture and not label:
                raise ArgumentError(f"reference picture {number} has no label; say in a word or two what it shows")
            if label and not picture and self.labelled:
                raise ArgumentError(f"label {number} ({label}) has no picture; upload one, or empty the label")
            if picture:
                given.append((picture, label))
        if len(given) < self.least:
            what = "at least one reference picture and label it" if self.labelled else "a picture of the person"
            raise ArgumentError(f"upload {what}")
        return {"images": tuple(picture for picture, _ in given), "labels": tuple(label for _, label in given)}

    def fill(self, example: Example) -> list[Any]:  # noqa: D102
        missing = self.most - len(example.pictures[: self.most])
        pictures = [*example.pictures[: self.most], *[None] * missing]
        return [*pictures, *example.labels[: self.most], *[""] * missing] if self.labelled else pictures

    def _default(self, number: int) -> str:
        return f"{self.noun} {number}" if self.most > 1 else self.noun


@dataclass(frozen=True)
class Models:
    """The metrics' models: a set of the list or, on one's own machine, any by name; read as `models`."""

    metrics: Sequence[str]  # names of the metrics
    released: str  # says what the released models are and need
    # further models of the first metric's only role, and their descriptions
    others: Mapping[str, str] = field(default_factory=dict)
    keyed: frozenset[str] = frozenset()  # names of models that need the visitor's own API key

    @property
    def roles(self) -> dict[str, str]:
        """Role to the released model."""
        return {role: name for metric in self.metrics for role, name in METRICS[metric].models.items()}

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Label and value of each set."""
        return [
            (f"{EMBEDDED}: small, runs anywhere, not comparable with the leaderboard", EMBEDDED),
            (f"{RELEASED}: {self.released}", RELEASED),
            *((f"{name}: {about}", name) for name, about in self.others.items()),
        ]

    def build(self) -> list[Any]:  # noqa: D102
        chosen = gr.Radio(self.choices, value=EMBEDDED, label="Models", elem_id="models")
        key = gr.Textbox(
            label="API key (used for this request only)", type="password", visible=False, elem_id="api-key"
        )
        if self.keyed:
            chosen.change(
                lambda name: gr.Textbox(visible=self._asks_for_key(name)), chosen, key, api_visibility="private"
            )
        with gr.Accordion("Other models", open=False, visible=not on_a_space()):
            named = [
                gr.Textbox(
                    label=role.replace("_", " ").capitalize(),
                    placeholder="Hub id or folder; empty: as chosen above",
                    elem_id=f"model-{role.replace('_', '-')}",
                )
                for role in self.roles
            ]
        return [chosen, key, *named]

    def read(self, values: Sequence[Any]) -> Mapping[str, Any]:  # noqa: D102
        chosen, key, *named = values
        given = {role: name.strip() for role, name in zip(self.roles, named, strict=True) if name and name.strip()}
        if given and on_a_space():
            raise ArgumentError(f"this Space offers no other {', '.join(given)}; choose one of the list")
        if chosen not in [value for _, value in self.choices]:
            raise ArgumentError(f"the models must be one of the list (got {chosen!r})")
        if chosen == EMBEDDED:
            names = dict.fromkeys(self.roles, EMBEDDED)
        else:
            names = self.roles if chosen == RELEASED else dict.fromkeys(self.roles, chosen)
        return {"models": {role: self._choice(name, key) for role, name in (names | given).items()}}

    def fill(self, example: Example) -> list[Any]:  # noqa: D102
        return [UNCHANGED] * (2 + len(self.roles))

    def _asks_for_key(self, chosen: str) -> bool:
        names = self.roles.values() if chosen == RELEASED else [chosen]
        return any(name in self.keyed for name in names)

    def _choice(self, name: str, key: str | None) -> ModelChoice:
        if name not in self.keyed:
            return ModelChoice(name)
        # the visitor's key or none, and never a key of the machine that serves this page; 12 calls are one video in
        # three runs with a few retries
        return ModelChoice(name, {"api_key": key or "", "max_calls": 12})


@dataclass(frozen=True)
class Option:
    """One of a metric's options; read under its name."""

    name: str  # of the option
    component: Any  # that shows it, created in the layout of the page

    def build(self) -> list[Any]:  # noqa: D102
        return [self.component()]

    def read(self, values: Sequence[Any]) -> Mapping[str, Any]:  # noqa: D102
        return {self.name: values[0]}

    def fill(self, example: Example) -> list[Any]:  # noqa: D102
        return [example.sample_id if self.name == "id" else UNCHANGED]


def choice(name: str, title: str, **values: str) -> Option:
    """An option with a few values.

    Args:
        name: of the option.
        title: shown above it.
        **values: each with its description; the first is the default.
    """
    shown = [(f"{value}: {about}" if about else value, value) for value, about in values.items()]
    return Option(name, lambda: gr.Radio(shown, value=next(iter(values)), label=title))
