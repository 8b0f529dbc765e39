"""The page on which a person compares two videos: blind, by keyboard or mouse; every answer is saved at once."""

from __future__ import annotations

import html
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gradio as gr
from huggingface_hub.errors import HTTPError
from markupsafe import Markup

from opens2v_hf._util.console import remark
from opens2v_hf._util.temporary import TemporaryFolder
from opens2v_hf.data.benchmark.sample import EvalSample, Subject
from opens2v_hf.data.images import read_image
from opens2v_hf.errors import OpenS2VError
from opens2v_hf.hub.apps import frame
from opens2v_hf.reports.page import data_url
from opens2v_hf.results.answers import BEST, Answer, Choice, Pair, append_answer, read_answers, write_table
from opens2v_hf.video.container import open_container, video_stream
from opens2v_hf.video.limits import Limits
from opens2v_hf.video.reader import open_video
from opens2v_hf.video.source import Source
from opens2v_hf.video.writer import write_video

_PICTURE_PX = 384
_SHOWN_BY_BROWSERS = {"h264", "vp8", "vp9", "av1"}
_QUALITY = 10  # visually lossless
_STYLE = Path(__file__).with_name("rate.css")
_KEYS = Path(__file__).with_name("rate.js")
_HELP = """
Keys: **←** left is better, **→** right is better, **0** equal; **1** to **5** first rate the left video, then
the right one; **Enter** saves; **S** skips; **Backspace** goes back.
"""


class Session:
    """The questions to one rater, and the answers.

    Args:
        pairs: in the order of the questions.
        samples: id to sample.
        fetch: model and id to the local file of the video.
        picture_path: to the local file of a reference's picture.
        answers: that the rater has given before.
        rater: name of the rater.
        question: text of the question.
        seed: of the order, for the record.
        out: file of the answers.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        samples: Mapping[str, EvalSample],
        fetch: Callable[[str, str], Path],
        picture_path: Callable[[Subject], Path],
        answers: Iterable[Answer],
        *,
        rater: str,
        question: str,
        seed: int,
        out: Path,
    ) -> None:
        self.pairs, self.rater, self.question, self.seed, self.out = pairs, rater, question, seed, out
        self._samples, self._fetch, self._picture_path = samples, fetch, picture_path
        self._answered = {answer.key for answer in answers}
        # the page's addresses must not name a model, and the rest of the machine's files stay out of reach
        self._copies = TemporaryFolder("rate")
        self.folder = self._copies.path

    @property
    def table(self) -> Path:
        """The file that gets the tidy table."""
        return self.out.with_suffix(".csv")

    def first_open(self) -> int:
        """The index of the first pair without an answer; the number of pairs where all have one."""
        return next((i for i, pair in enumerate(self.pairs) if pair.key not in self._answered), len(self.pairs))

    def answer(self, index: int, choice: Choice, left: int | None, right: int | None) -> None:
        """Save an answer; the last one writes the table.

        Raises:
            ArgumentError: a value is missing or out of range.
            ResultError: it cannot be written.
        """
        pair = self.pairs[index]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        given = Answer(**asdict(pair), rater=self.rater, choice=choice, rating_left=left, rating_right=right,
                       question=self.question, seed=self.seed, answered_at=now)  # fmt: skip
        append_answer(self.out, given)
        self._answered.add(pair.key)
        if self.first_open() == len(self.pairs):
            write_table(self.table, read_answers(self.out))

    def show(self, index: int) -> str:
        """The pair as HTML, without the names of the models."""
        if index == len(self.pairs):
            done = Markup("<p>All {} pairs are answered. The answers are in {}, the table in {}. Thank you.</p>")
            return done.format(len(self.pairs), self.out.name, self.table.name)
        pair = self.pairs[index]
        sample = self._samples[pair.item]
        for old in self.folder.iterdir():
            if old.name not in (f"{index}", f"{index - 1}"):
                shutil.rmtree(old, ignore_errors=True)
        pictures = Markup("").join(self._picture(subject) for subject in sample.subjects)
        videos = Markup("").join(
            self._video(model, pair.item, self.folder / f"{index}" / f"{side}.mp4", side)
            for side, model in (("left", pair.left), ("right", pair.right))
        )
        return Markup(
            '<p class="place">Pair {} of {}</p><p class="prompt">{}</p><div class="references">{}</div>'
            '<div class="videos">{}</div>'
        ).format(index + 1, len(self.pairs), sample.prompt, pictures, videos)

    def _picture(self, subject: Subject) -> Markup:
        caption = Markup("<figcaption>{}</figcaption>").format(subject.label)
        try:
            picture = read_image(self._picture_path(subject))
        except OpenS2VError as error:
            remark(f"not shown: {error}")
            return Markup('<figure><p class="broken">This picture cannot be shown.</p>{}</figure>').format(caption)
        picture.thumbnail((_PICTURE_PX, _PICTURE_PX))
        return Markup('<figure><img alt="{}" src="{}">{}</figure>').format(subject.label, data_url(picture), caption)

    def _video(self, model: str, item: str, copy: Path, side: str) -> Markup:
        try:
            if not copy.exists():
                _copy_for_browsers(self._fetch(model, item), copy)
        except (
            OpenS2VError,
            OSError,
            HTTPError,
        ) as error:  # the message has the model's name, so it must not be on the blind page
            remark(f"not shown: {error}")
            shown = Markup('<p class="broken">This video cannot be shown; the terminal says why. Skip this pair.</p>')
        else:
            shown = Markup('<video src="gradio_api/file={}" controls autoplay loop muted playsinline></video>').format(
                copy.as_posix()
            )
        return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(shown, side.capitalize())


def rate_page(session: Session) -> gr.Blocks:
    """The page; see the module."""

    def show(index: int) -> tuple[Any, ...]:
        return index, session.show(index), None, None, None

    def save(index: int, choice: Choice | None, left: int | None, right: int | None) -> tuple[Any, ...]:
        if index < len(session.pairs):
            if choice is None or (choice != "skip" and (left is None or right is None)):
                gr.Warning("Choose the better video or equal, and rate both.")
                return (gr.skip(),) * 5
            try:
                session.answer(index, choice, left, right)
            except OpenS2VError as error:
                gr.Warning(html.escape(str(error)))
                return (gr.skip(),) * 5
        return show(session.first_open())

    with gr.Blocks(title="Which video is better?", analytics_enabled=False, fill_width=True) as demo:
        gr.Markdown(f"## {frame.plain(session.question)}")
        index = gr.State(0)
        pair = gr.HTML(elem_id="pair", apply_default_css=False)
        choices = [("← Left", "left"), ("0 Equal", "tie"), ("Right →", "right")]
        choice = gr.Radio(choices, label="Better", elem_id="choice")
        ratings = list(range(1, BEST + 1))
        with gr.Row():
            left = gr.Radio(ratings, label=f"Left, {BEST} is best", elem_id="rate-left", min_width=150)
            right = gr.Radio(ratings, label=f"Right, {BEST} is best", elem_id="rate-right", min_width=150)
        with gr.Row():
            back = gr.Button("Back", elem_id="back", min_width=90)
            skip = gr.Button("Skip", elem_id="skip", min_width=90)
            keep = gr.Button("Save", variant="primary", elem_id="save", min_width=90)
        gr.Markdown(_HELP)
        shown = [index, pair, choice, left, right]
        demo.load(lambda: show(session.first_open()), None, shown)
        keep.click(save, [index, choice, left, right], shown)
        skip.click(lambda index: save(index, "skip", None, None), index, shown)
        back.click(lambda index: show(max(0, index - 1)), index, shown)
    return demo


def serve(session: Session) -> None:
    """Serve the page on this machine until the program is stopped."""
    keys = f"<script>{_KEYS.read_text(encoding='utf-8')}</script>"
    allowed = [os.fspath(session.folder)]
    frame.launch(
        rate_page(session),
        css_paths=[frame.STYLE, _STYLE],
        head=keys,
        allowed_paths=allowed,
        footer_links=["gradio", "settings"],
    )


def _copy_for_browsers(video: Path, copy: Path) -> None:
    copy.parent.mkdir(exist_ok=True)
    source, limits = Source.of(video), Limits.from_environment()
    with open_container(source, limits) as container:
        codec = video_stream(container, source, limits).codec_context
        formats = container.format.name.split(",")
        plays = codec.name in _SHOWN_BY_BROWSERS and codec.pix_fmt == "yuv420p" and {"mp4", "webm"} & {*formats}
    if plays:
        shutil.copyfile(video, copy)
        return
    with open_video(video) as reader:
        even = (slice(reader.height // 2 * 2), slice(reader.width // 2 * 2))
        write_video(copy, (image[even] for image in reader.iter_frames()), reader.fps or 24, quality=_QUALITY)
