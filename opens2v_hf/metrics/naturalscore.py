"""NaturalScore of a clip: how real it looks to a judge."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ArgumentError, JudgeError, ServiceUnavailableError, VideoError
from opens2v_hf.models.info import ModelInfo, quantization_caveats
from opens2v_hf.models.judge.base import Judge, Rating
from opens2v_hf.models.judge.batched import BatchedJudge
from opens2v_hf.models.judge.editions import EditionJudge, JudgeEdition
from opens2v_hf.models.judge.loading import load_judge
from opens2v_hf.models.judge.rubric import FULL, PROTOCOLS, RELEASED, Rubric
from opens2v_hf.models.roles import ROLES, model_caveats
from opens2v_hf.scores.natural import mean_of_runs
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.resize import resize
from opens2v_hf.video.sampling import SamplingRule, linspace, rule_named, stride

NUM_FRAMES = 16
LONG_SIDE_PX = 512
RELEASED_RUNS = 3

_LOW_DIGIT_MASS = 0.5


class NaturalScore:
    """Shows frames of a clip to a judge, in one call, and averages its scores over several runs.

    Protocol "released" (released code v1.1): 16 frames at stride max(T // 16, 1) from frame 0, so that the tail of a
    clip may never be seen; long side 512 px. Protocol "full": 16 frames spread over the whole clip, and a rubric that
    also asks about pasted-in subjects. A judge of an edition ("naturalscore-open-1") has its own frames, sizes and
    prompt: those of "full" as that edition froze them.

    Args:
        judge: loaded.
        protocol: "released" (default) or "full".
        runs: number of calls of the judge; a deterministic judge is called once.
        rubric: the judge's instructions; by default this project's own text for the protocol.
        allow_partial: average the runs that have a score; otherwise a run without one fails the video.

    Raises:
        ArgumentError: the protocol is unknown, `runs` is below 1, or the judge is of an edition and a protocol or a
            rubric is given.
    """

    name = "naturalscore"

    def __init__(
        self,
        judge: Judge,
        *,
        protocol: str | None = None,
        runs: int = RELEASED_RUNS,
        rubric: Rubric | None = None,
        allow_partial: bool = False,
    ) -> None:
        edition = judge.edition if isinstance(judge, EditionJudge) else None
        if edition is not None:
            if protocol not in (None, FULL) or rubric is not None:
                raise ArgumentError(
                    f"the judge {edition.name} has frames and a prompt of its own; leave protocol and rubric out"
                )
            protocol, rubric = FULL, edition.rubric
        protocol = RELEASED if protocol is None else protocol
        if protocol not in PROTOCOLS:
            raise ArgumentError(f"unknown protocol (got {protocol=}); known are {', '.join(PROTOCOLS)}")
        if not is_whole(runs, 1):
            raise ArgumentError(f"runs must be a whole number from 1 (got {runs=})")
        if not isinstance(rubric, Rubric | None):
            raise ArgumentError(f"rubric must be a Rubric or the path of a text file (got {rubric!r:.80})")
        self._judge = judge
        self._edition = edition
        self._protocol = protocol
        self._asked_runs = runs
        self._runs = 1 if judge.deterministic else runs
        self._rubric = rubric or Rubric.of_protocol(protocol)
        self._own_rubric = rubric is None
        self._allow_partial = allow_partial

    @classmethod
    def from_pretrained(
        cls,
        judge: str | os.PathLike[str] = ROLES["judge"].released,
        *,
        revision: str | None = None,
        protocol: str | None = None,
        runs: int = RELEASED_RUNS,
        rubric: Rubric | str | os.PathLike[str] | None = None,
        allow_partial: bool = False,
        **judge_options: Any,
    ) -> NaturalScore:
        """Load the judge by name; see `load_judge` for its names, options and errors, and the class for the rest.

        Args:
            judge: "openai:<model>", "naturalscore-open-1", "vllm:..." or "sglang:..." for an engine, a Hub id, a
                folder, or "embedded".
            revision: of a Hub repo.
            protocol: see the class.
            runs: see the class.
            rubric: a text, or the path of a file that holds one.
            allow_partial: see the class.
            **judge_options: e.g. `base_url`, `max_calls`; `device`, `dtype`.
        """
        Rubric.of_protocol(
            RELEASED if protocol is None else protocol
        )  # a bad name shows before a 16 GB model is loaded
        text = Rubric.from_file(rubric) if isinstance(rubric, str | os.PathLike) else rubric
        loaded = load_judge(judge, revision=revision, **judge_options)
        return cls(loaded, protocol=protocol, runs=runs, rubric=text, allow_partial=allow_partial)

    @property
    def sampling(self) -> SamplingRule:
        """The frames that the judge sees."""
        if self._edition is not None:
            return rule_named(self._edition.frames)
        return stride(NUM_FRAMES) if self._protocol == RELEASED else linspace(NUM_FRAMES)

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The judge."""
        return (self._judge.info,)

    @property
    def options(self) -> dict[str, Any]:
        """Settings other than the judge's weights that affect the scores."""
        frozen = self._edition
        edition = {} if frozen is None else {"edition": frozen.name, "edition_sha256": frozen.sha256}
        options: dict[str, Any] = {
            **edition,
            "protocol": self._protocol,
            "rubric": self._rubric.version,
            "runs": self._runs,
            "allow_partial": self._allow_partial,
            "long_side_px": LONG_SIDE_PX if frozen is None else frozen.long_side_px,
            "judge": dict(self._judge.options),
        }
        if self._runs != self._asked_runs:
            options["runs_note"] = (
                f"asked for {self._asked_runs}; this judge is deterministic, so all runs are the same"
            )
        return options

    @property
    def caveats(self) -> tuple[str, ...]:
        """Why the numbers are not the leaderboard's."""
        if self._edition is not None:
            return (
                edition_caveat(self._edition.name),
                *_engine_caveats(self.models),
                *quantization_caveats(self.models),
            )
        caveats = [*model_caveats(self.models), *_engine_caveats(self.models)]
        if self._protocol != RELEASED:
            caveats.append(f"protocol {self._protocol!r}, not the released one")
        if self._own_rubric:
            caveats.append(f"the rubric is this project's own text ({self._rubric.version}), not the released prompt")
        else:
            caveats.append(
                f"the rubric is the user's own ({self._rubric.version}); comparable if it is the released one"
            )
        if not self._judge.deterministic and self._runs != RELEASED_RUNS:
            caveats.append(f"{self._runs} runs, not {RELEASED_RUNS}")
        if self._allow_partial:
            caveats.append("runs without a score are left out of a video's mean")
        return tuple(caveats)

    @property
    def asks_in_batches(self) -> bool:
        """Whether all ratings are requested before any clip is scored; see `ask_ahead`."""
        return isinstance(self._judge, BatchedJudge)

    def ask_ahead(
        self,
        clips: Callable[[], Iterable[Clip]],
        *,
        say: Callable[[str], None] = lambda _: None,
        price: Callable[[int], str] = lambda _: "",
    ) -> None:
        """Ask a judge that answers in batches for many clips, and wait; see `BatchedJudge.ask`.

        Args:
            clips: gives them; called once for each round.
            say: gets messages about the progress.
            price: from a number of requests to what they cost, in words.

        Raises:
            ArgumentError: the judge does not answer in batches, or has too small a budget.
            ServiceUnavailableError: the service refuses a batch, or a batch failed.
        """
        if not isinstance(self._judge, BatchedJudge):
            raise ArgumentError(f"the judge {self._judge.info.name!r} does not answer in batches")
        self._judge.ask(lambda: self._frames_of(clips()), self._rubric, runs=self._runs, say=say, price=price)

    def _frames_of(self, clips: Iterable[Clip]) -> Iterator[list[Image.Image]]:
        for clip in clips:
            try:
                yield [shown(frame, self._edition) for frame in clip.frames(self.sampling)]
            except VideoError:  # it becomes the reason of this clip's score
                continue

    def score(self, clip: Clip, reference: object = None) -> VideoScore:
        """Score one clip; nothing but the clip is needed.

        Returns:
            Scored in [1, 5], or failed with the judge's reason. The details hold every run with its raw replies.

        Raises:
            ArgumentError: the judge cannot take the rubric.
            ServiceUnavailableError: the judge answers no further call, for whichever video.
        """
        try:
            frames = [shown(frame, self._edition) for frame in clip.frames(self.sampling)]
        except VideoError as error:
            return VideoScore.failed(str(error))
        ratings = self._judge.rate(frames, self._rubric, runs=self._runs)
        details: dict[str, Any] = {"runs": [rating.to_dict() for rating in ratings]}
        # runs with an answer stay in the details, so that the answers can be read again
        if any(rating.stopped for rating in ratings) and not any(_was_answered(rating) for rating in ratings):
            raise ServiceUnavailableError(next(rating.error for rating in ratings if rating.stopped))
        errors = list(dict.fromkeys(rating.error for rating in ratings if rating.error))
        try:
            value = mean_of_runs([rating.score for rating in ratings], allow_partial=self._allow_partial)
        except JudgeError as error:
            return VideoScore.failed("; ".join([str(error), *errors]), **details)
        remarks = [f"a run is left out: {error}" for error in errors]
        mass = min((rating.details.get("digit_mass", 1.0) for rating in ratings), default=1.0)
        if mass < _LOW_DIGIT_MASS:
            remarks.append(f"the judge hardly meant to answer with a digit (probability {mass:.3g})")
        return VideoScore.scored(value, "; ".join(remarks), **details)


def _was_answered(rating: Rating) -> bool:
    problems = rating.problems or ("",) * len(rating.replies)
    return rating.score is not None or any(not problem for problem in problems)


def _engine_caveats(models: Iterable[ModelInfo]) -> list[str]:
    return [
        f"made with the judge in {model.engine}, whose kernels round otherwise than those here, by its "
        "likeliest tokens: another edition of the column"
        for model in models
        if model.engine
    ]


def edition_caveat(name: str) -> str:
    """Why numbers of a judge's edition are not the released column's.

    Example:
        >>> edition_caveat("naturalscore-open-1")
        'by the judge naturalscore-open-1, whose numbers are ranked in an edition of their own'
    """
    return f"by the judge {name}, whose numbers are ranked in an edition of their own"


def shown(frame: np.ndarray, edition: JudgeEdition | None = None) -> Image.Image:
    """A frame as the judge gets it: its long side 512 px (released code v1.1), the other in proportion.

    Args:
        frame: uint8 [H, W, 3] RGB.
        edition: of the judge, which may have another size.
    """
    picture = Image.fromarray(frame)
    if edition is not None:
        return resize(picture, edition.frame_size(*picture.size), Image.Resampling[edition.resampling.upper()])
    scale = LONG_SIDE_PX / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return resize(picture, (width, height), Image.Resampling.LANCZOS)
