"""Examples to click: videos of simulated models for a synthetic scene, drawn when the page is built."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from opens2v_hf.data.synthetic.eval_layout import REFERENCE_PX, eval_scene
from opens2v_hf.data.synthetic.render import reference_picture
from opens2v_hf.data.synthetic.scenes import caption, label
from opens2v_hf.data.synthetic.simulated import simulate
from opens2v_hf.video.writer import write_video

_NUM_FRAMES = 16


@dataclass(frozen=True)
class Example:
    """What a visitor could fill in.

    Attributes:
        name: says what the video shows.
        video: its file.
        prompt: that it was made from.
        pictures: files of the reference pictures.
        labels: one for each picture.
        sample_id: of the synthetic sample.
    """

    name: str
    video: str
    prompt: str
    pictures: tuple[str, ...]
    labels: tuple[str, ...]
    sample_id: str


def draw_example(sample_id: str, model: str) -> Example:
    """Draw what a simulated model makes of a sample, and the sample's pictures.

    Args:
        sample_id: of the synthetic sample, e.g. "singleobj_1".
        model: one of `opens2v_hf.data.synthetic.simulated.SIMULATED_MODELS`.

    Raises:
        ArgumentError: there is no such sample or model.
    """
    scene = eval_scene(sample_id, num_frames=_NUM_FRAMES)
    folder = Path(_folder().name)
    video = folder / f"{sample_id}-{model}.mp4"
    write_video(video, simulate(model, scene), fps=scene.fps)
    pictures = []
    for number, sprite in enumerate(scene.sprites, start=1):
        path = folder / f"{sample_id}-{number}.png"
        reference_picture(sprite, REFERENCE_PX).save(path)
        pictures.append(str(path))
    labels = tuple(label(sprite) for sprite in scene.sprites)
    name = f"{label_of(model)}: {', '.join(labels)}"
    return Example(name, str(video), caption(scene), tuple(pictures), labels, sample_id)


def label_of(model: str) -> str:
    """A simulated model's name in words.

    >>> label_of("wrong_subject")
    'Wrong subject'
    """
    return model.replace("_", " ").capitalize()


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Kept until the program ends; gradio copies what is clicked on, and deletes its copies by age."""
    return tempfile.TemporaryDirectory(prefix="opens2v-examples-")
