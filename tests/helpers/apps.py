"""The pages of the metrics, as their folders make them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any
from unittest.mock import patch

METRICS = Path(__file__).resolve().parents[2] / "metrics"
NAMES = tuple(sorted(path.parent.name for path in METRICS.glob("*/app.py")))


def load_page(name: str) -> Any:
    """The page that `metrics/<name>/app.py` makes."""
    spec = importlib.util.spec_from_file_location(f"{name}_app", METRICS / name / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PAGE


def components(page: Any) -> list[Any]:
    """The fields other than the video, in the order in which `run` takes them."""
    import gradio as gr

    # the fields need no server, and making one takes most of the time
    with patch("gradio.blocks.App.create_app"), gr.Blocks():
        return [component for group in page.inputs for component in group.build()]


def run(page: Any, video: Any, **filled: Any) -> tuple[str, Any]:
    """What the page answers with some fields filled in, by label, and the rest as they are at first."""
    values = []
    for component in components(page):
        values.append(filled.pop(component.label, getattr(component, "value", None)))
    assert not filled, f"the page has no field {filled}"
    text, *views = page.run(None if video is None else str(video), *values)
    return text, views


def run_example(page: Any, place: int) -> tuple[str, Any]:
    """What the page answers after a click on one of its examples."""
    import gradio as gr

    from opens2v_hf.hub.apps.examples import draw_example

    video, *filled = page.filled(draw_example(*page.examples[place]))
    fields = components(page)
    values = [field.value if value == gr.skip() else value for field, value in zip(fields, filled, strict=True)]
    text, *views = page.run(video, *values)
    return text, views
