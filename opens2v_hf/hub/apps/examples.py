"""Examples to click: videos of simulated models for a synthetic scene, drawn when the page is built."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from opens2v_hf._util.temporary import TemporaryFolder
from opens2v_hf.data.synthetic.eval_layout import REFERENCE_PX, eval_scene
from opens2v_hf.data.synthetic.references import subject_reference, subject_views
from opens2v_hf.data.synthetic.render import reference_picture
from opens2v_hf.data.synthetic.scenes import caption, label
from opens2v_hf.data.synthetic.simulated import simulate
from opens2v_hf.video.writer import write_video

_NUM_FRAMES = 16


@dataclass(frozen=True)
class Example:
    """Example inputs of a page."""

    name: str  # says what the video shows
    video: str  # its file
    prompt: str  # that it was made from
    pictures: tuple[str, ...]  # files of the reference pictures
    labels: tuple[str, ...]  # one for each picture
    sample_id: str  # of the synthetic sample


def draw_example(sample_id: str, model: str, num_views: int = 0) -> Example:
    """Draw what a simulated model makes of a sample, and the sample's pictures.

    Args:
        sample_id: of the synthetic sample, e.g. "singleobj_1".
        model: one of `opens2v_hf.data.synthetic.simulated.SIMULATED_MODELS`.
        num_views: other views of the first subject, among the pictures after its own.

    Raises:
        ArgumentError: the sample or the model is unknown.
    """
    scene = eval_scene(sample_id, num_frames=_NUM_FRAMES)
    folder = _folder().path
    video = folder / f"{sample_id}-{model}.mp4"
    write_video(video, simulate(model, scene), fps=scene.fps)
    pictures = []
    for number, sprite in enumerate(scene.sprites, start=1):
        path = folder / f"{sample_id}-{number}.png"
        # a view is compared with the picture that a model was given, background and all
        picture = subject_reference(scene, number - 1) if num_views else reference_picture(sprite, REFERENCE_PX)
        picture.save(path)
        pictures.append(str(path))
        if number == 1 and num_views:
            for position, view in enumerate(subject_views(scene, 0, num_views), start=1):
                path = folder / f"{sample_id}-{number}-view-{position}.png"
                view.save(path)
                pictures.append(str(path))
    shown = [label(sprite) for sprite in scene.sprites]
    labels = (*[shown[0]] * (1 + num_views), *shown[1:])
    name = f"{label_of(model)}: {', '.join(shown)}"
    return Example(name, str(video), caption(scene), tuple(pictures), labels, sample_id)


def label_of(model: str) -> str:
    """A simulated model's name in words.

    >>> label_of("wrong_subject")
    'Wrong subject'
    """
    return model.replace("_", " ").capitalize()


@cache
def _folder() -> TemporaryFolder:
    """The folder of this program; gradio copies an example that is clicked, and deletes its copies by age."""
    return TemporaryFolder("examples")
