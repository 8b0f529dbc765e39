"""Judge editions: an open-weight judge of which everything that decides its scores is frozen as data.

A record is stored next to this module as JSON, and its SHA-256 in `SHA256`: who changes either makes another judge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.endpoint.engine_names import VLLM_ARGUMENTS, EngineName
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.base import Judge, Rating
from opens2v_hf.models.judge.rubric import Rubric

if TYPE_CHECKING:
    from PIL import Image

OPEN_1 = "naturalscore-open-1"

SHA256 = {OPEN_1: "e6479d607a02a418ee1254ad24e56cb3bf2a8cddc0ac1e8a5a93b9d17da33bdd"}
"""Edition to the checksum of its record."""

_SERVED = ("base_url", "api_key", "concurrency", "max_calls", "max_tokens", "max_attempts", "timeout_s", "max_wait_s")
"""Options of an endpoint that decide no score."""
_LOCAL = ("device", "device_map", "max_memory")
"""The same of a model that runs here."""


@dataclass(frozen=True)
class JudgeEdition:
    """A judge, frozen.

    Attributes:
        name: of the edition.
        model: Hub id of an open-weight model.
        revision: commit of its repo.
        dtype: of the weights as they compute.
        frames: name of the rule by which frames are sampled.
        long_side_px: of a frame as the judge gets it.
        side_multiple_px: both sides are rounded to multiples of it, in which the model's own processor, and that of any
            server, leaves a frame as it is.
        resampling: filter of resizing, "lanczos".
        image_format: of frames that are sent to a server.
        frames_first: whether the frames come before the prompt.
        reading: how the score is read.
        top_logprobs: how many first tokens a server lists.
        prompt: in full.
    """

    name: str
    model: str
    revision: str | None
    dtype: str
    frames: str
    long_side_px: int
    side_multiple_px: int
    resampling: str
    image_format: str
    frames_first: bool
    reading: str
    top_logprobs: int
    prompt: str

    @property
    def sha256(self) -> str:
        """Checksum of the record: of its JSON with sorted keys and without blanks."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def prompt_sha256(self) -> str:
        """Checksum of the prompt."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()

    @property
    def rubric(self) -> Rubric:
        """The prompt as judges take it."""
        return Rubric(self.name, self.prompt)

    def frame_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height that the judge gets a frame in.

        Example:
            >>> judge_edition("naturalscore-open-1").frame_size(832, 480)
            (512, 288)
        """
        scale = self.long_side_px / max(width, height)
        step = self.side_multiple_px
        sides = [max(step, round(side * scale / step) * step) for side in (width, height)]
        return sides[0], sides[1]


def judge_edition(name: str) -> JudgeEdition:
    """The record of an edition.

    Raises:
        ArgumentError: there is no such edition.
        ModelError: the record in this installation is not the frozen one.
    """
    if name not in SHA256:
        raise ArgumentError(f"there is no judge edition {name!r} (there is: {', '.join(SHA256)})")
    path = Path(__file__).with_name(f"{name}.json")
    edition = JudgeEdition(**json.loads(path.read_text(encoding="utf-8")))
    if edition.sha256 != SHA256[name]:
        raise ModelError(f"{path} was changed: its checksum is not that of {name}; reinstall opens2v-hf")
    return edition


def weights_of(name: str, options: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """Hub id and revision of the weights behind a judge's name; None where no weights are loaded here.

    Example:
        >>> weights_of("org/model", {"revision": "main"}), weights_of("naturalscore-open-1", {"base_url": "http://x/v1"})
        (('org/model', 'main'), None)
    """
    if name not in SHA256:
        return name, options.get("revision")
    edition = judge_edition(name)
    return None if options.get("base_url") is not None else (edition.model, edition.revision)


class EditionJudge:
    """A judge whose frames, prompt and reading are those of an edition.

    Args:
        edition: the record.
        judge: that answers: loaded here, or behind a server.
    """

    deterministic = True

    def __init__(self, edition: JudgeEdition, judge: Judge) -> None:
        self.edition = edition
        self._judge = judge

    @property
    def info(self) -> ModelInfo:
        """The model; behind a server with the revision that the user says it serves."""
        info = self._judge.info
        return info if info.device is not None else ModelInfo("judge", self.edition.model, self.edition.revision)

    @property
    def options(self) -> Mapping[str, Any]:
        """Settings that change the score, JSON-compatible."""
        served = {} if self._judge.info.device is not None else {"served": "the revision is as the user states it"}
        return {**self._judge.options, **served}

    def rate(self, frames: Sequence[Image.Image], rubric: Rubric, *, runs: int = 1) -> list[Rating]:
        """See `Judge.rate`."""
        if rubric.text != self.edition.prompt:
            raise ArgumentError(f"the judge {self.edition.name} has a prompt of its own; leave the rubric out")
        return self._judge.rate(frames, rubric, runs=runs)


def load_edition(
    edition: JudgeEdition, *, revision: str | None = None, engine: str | None = None, **options: Any
) -> EditionJudge:
    """Load the judge of an edition.

    Args:
        edition: the record.
        revision: commit; for a model behind a server it must be given, as the statement of what is served there.
        engine: "vllm" for vLLM in this process; None for transformers, or with `base_url` a server.
        **options: `device`, `device_map` or `max_memory` of a model that runs here; `base_url` and what else
            decides no score for one behind a server (vLLM, SGLang, ...) that serves the model by its Hub id;
            `gpu_memory_utilization`, `max_model_len` and `tensor_parallel_size` of vLLM in this process.

    Raises:
        ArgumentError: an option would change the edition, or the revision is not its own.
        ModelError: the model cannot be loaded.
    """
    from opens2v_hf.models.judge.endpoint import EndpointJudge

    base_url = options.get("base_url")
    known = _SERVED if base_url is not None else VLLM_ARGUMENTS if engine is not None else _LOCAL
    given = {name: value for name, value in options.items() if value is not None}
    if base_url is not None:
        for name in ("device", "dtype"):  # of the other models
            given.pop(name, None)
    if foreign := sorted(set(given) - set(known)):
        raise ArgumentError(
            f"the judge {edition.name} takes no {', '.join(foreign)}: everything that decides its scores is frozen; it "
            f"takes {', '.join(known)}" + ("" if known is not _LOCAL else ", or `base_url=` of a server")
        )
    if revision is not None and revision != edition.revision:
        raise ArgumentError(f"the judge {edition.name} is {edition.model} at {edition.revision} (got {revision=})")
    if base_url is None:
        return EditionJudge(edition, _local(edition, engine, given))
    if revision is None and edition.revision is not None:
        raise ArgumentError(
            f"a server does not say which revision it has loaded; start it with {edition.model} at {edition.revision}, "
            f"and state that with `judge_revision={edition.revision}`"
        )
    judge = EndpointJudge(
        edition.model,
        image_format=edition.image_format,
        frames_first=edition.frames_first,
        reading=edition.reading,
        top_logprobs=edition.top_logprobs,
        **given,
    )
    return EditionJudge(edition, judge)


def _local(edition: JudgeEdition, engine: str | None, options: Mapping[str, Any]) -> Judge:
    # imported here, so that asking a server needs no torch
    from opens2v_hf.models.judge.local import LocalJudge
    from opens2v_hf.models.judge.vllm import VllmJudge, load_vllm_judge

    judge: LocalJudge | VllmJudge
    if engine is None:
        judge = LocalJudge.from_pretrained(edition.model, revision=edition.revision, dtype=edition.dtype, **options)
    else:
        name = EngineName(engine, edition.model)
        judge = load_vllm_judge(name, revision=edition.revision, dtype=edition.dtype, **options)
    if judge.options["chat_template"] == "plain":
        raise ModelError(
            f"the tokenizer of {edition.model!r} has no chat template, which a server would take from its "
            "repo; load the whole repo"
        )
    return judge
