"""Making the videos of a split: one resumable unit for each sample, shared by the processes of a launch.

In the folder, `<id>.mp4` is a video and `<id>.json` its record. A video belongs to its record as long as the record's
key is that of the request. The video is renamed into place last, so that a killed process leaves no half of one.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from opens2v_hf._util import processes as launcher
from opens2v_hf._util.atomic import atomic_file
from opens2v_hf._util.progress import Progress as ProgressBar
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.data.benchmark.split import EvalSplit
from opens2v_hf.errors import ArgumentError, GenerationError, ResultError, VideoError
from opens2v_hf.generators.checks import checked_frames
from opens2v_hf.generators.recipe import SEED, Recipe
from opens2v_hf.generators.references import TooMany, as_rgb, choose
from opens2v_hf.generators.request import Generated, Generator, GeneratorInfo, Progress, Request
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.journal import open_journal
from opens2v_hf.jobs.lock import only_run
from opens2v_hf.jobs.outcome import Outcome, Retry
from opens2v_hf.jobs.processes import joined
from opens2v_hf.jobs.run import collect, run_units
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.jobs.unit import Group, GroupOutcome, Unit
from opens2v_hf.metrics.pictures import load_picture
from opens2v_hf.video.reader import open_video
from opens2v_hf.video.writer import write_video

QUALITY = 12
"""Constant rate factor of x264: 41 dB and more on real clips; the loss that is left is that of 4:2:0 colour."""

VIDEO_TIMEOUT_S = 6 * 3600.0
"""What one video may take."""

_CHECKED_FRAMES = 8  # of a file that a service encoded
_UNIT = "video"


@dataclass(frozen=True)
class Settings:
    """What is the same for all videos of a run.

    Attributes:
        recipe: complete.
        seed: of every video.
        too_many_references: see `TooMany`.
    """

    recipe: Recipe
    seed: int = SEED
    too_many_references: TooMany = "fail"


@dataclass(frozen=True)
class GenerationRun:
    """What a run made.

    Attributes:
        generator: who made the videos.
        settings: with which settings.
        made: sample id to the record of its video, those of earlier runs included.
        failed: sample id to the reason.
        num_reused: how many videos were there already.
    """

    generator: GeneratorInfo
    settings: Settings
    made: Mapping[str, Mapping[str, Any]]
    failed: Mapping[str, str]
    num_reused: int

    @property
    def references_changed(self) -> dict[str, int]:
        """How many samples had their references cut ("first") or joined ("collage")."""
        changes = [record["references"] for record in self.made.values() if record["references"]]
        return {change: changes.count(change) for change in sorted(set(changes))}

    @property
    def prompts_cut(self) -> list[str]:
        """Samples of whose prompt the text encoder saw a part only."""
        return sorted(id_ for id_, record in self.made.items() if "prompt_cut_at_tokens" in record["facts"])

    @property
    def prompts_rewritten(self) -> list[str]:
        """Samples whose generator says that it used another prompt."""
        return sorted(
            id_
            for id_, record in self.made.items()
            if record["facts"].get("used_prompt", record["prompt"]) != record["prompt"]
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible summary."""
        return {
            "generator": asdict(self.generator),
            "recipe": self.settings.recipe.to_dict(),
            "seed": self.settings.seed,
            "too_many_references": self.settings.too_many_references,
            "references_changed": self.references_changed,
            "prompts_cut": self.prompts_cut,
            "prompts_rewritten": self.prompts_rewritten,
            "num_videos": len(self.made),
            "failed": dict(self.failed),
        }


def complete_settings(
    generator: Generator, recipe: Recipe | None = None, *, seed: int = SEED, too_many_references: TooMany = "fail"
) -> Settings:
    """Fill in what the user left open, and refuse what the generator cannot do.

    Raises:
        ArgumentError: a setting has a value that cannot be used.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**53:
        raise ArgumentError(f"seed must be a whole number from 0 to 2**53 - 1 (got {seed!r})")
    if too_many_references not in ("fail", "first", "collage"):
        raise ArgumentError(f"too_many_references must be 'fail', 'first' or 'collage' (got {too_many_references!r})")
    complete = (recipe or Recipe()).over(generator.recipe)
    if callable(check := getattr(generator, "check_recipe", None)):
        check(complete)
    if callable(set_shift := getattr(generator, "set_flow_shift", None)):
        set_shift(complete.flow_shift)
    return Settings(complete, seed, too_many_references)


def num_with_too_many(samples: Sequence[EvalSample], generator: Generator) -> int:
    """How many samples have more references than the generator takes."""
    limit = generator.max_references
    return 0 if limit is None else sum(len(sample.subjects) > limit for sample in samples)


def generate_videos(
    generator: Generator,
    split: EvalSplit,
    folder: str | os.PathLike[str],
    settings: Settings,
    *,
    ids: Collection[str] | None = None,
    retry_failed: bool = False,
    distributed: bool = True,
) -> GenerationRun:
    """Make the videos of a split, but for those that are there already.

    The same call after a crash makes what is missing and nothing twice, with any number of processes.

    Args:
        generator: loaded.
        split: of the benchmark.
        folder: of the videos; made where it is missing.
        settings: of `complete_settings`.
        ids: of the samples; all of them by default.
        retry_failed: try again also what failed for a reason that lies in the request.
        distributed: False to make all videos in this process, whatever was launched.

    Raises:
        ArgumentError: what was asked for cannot be done.
        ResultError: another run uses the folder, or it cannot be written; what is finished is kept.
        ProcessError: the videos were shared, and a process failed or died.
    """
    place = Path(folder)
    journal_folder = place.with_name(f"{place.name}.journal")
    samples = [sample for sample in split.samples if ids is None or sample.id in ids]
    if not samples:
        raise ArgumentError("no sample of the split was chosen")
    with ExitStack() as held:
        shown = not distributed or launcher.is_main_process()
        bar = held.enter_context(ProgressBar(len(samples), description=generator.info.name, unit="video", shown=shown))

        def take_folder() -> None:
            try:
                place.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ResultError(f"cannot make the folder {place}: {error.strerror or error}") from error
            held.enter_context(only_run(journal_folder))
            _refuse_strangers(place, samples)

        request = [asdict(generator.info), settings.recipe.to_dict(), settings.seed, [sample.id for sample in samples]]
        processes = held.enter_context(
            joined(lambda: request, bar.update, folder=journal_folder, prepare=take_folder, distributed=distributed)
        )
        journal = open_journal(journal_folder, rank=processes.rank, launch=processes.launch)
        held.callback(journal.close)
        common = _Common(generator, split, place, settings, lambda key: journal.get(key), shown)
        groups: list[Group] = [_SampleGroup(common, sample) for sample in samples]
        own = run_units(
            groups,
            journal=journal,
            processes=processes,
            errors=ErrorLog(journal_folder.with_suffix(".errors.log")),
            retry_failed=retry_failed,
            limits=Limits.for_videos(VIDEO_TIMEOUT_S),
        )
        processes.finish()
        others = journal.gather(journal_folder, processes.launch) if processes.count > 1 else {}
        outcomes = collect("0", len(samples), own, others, journal)
        run = _summary(generator.info, settings, samples, outcomes)
        if processes.rank == 0:
            _remove_outdated(place, run.failed)
            _write(place / "generation.json", json.dumps(run.to_dict(), indent=2, ensure_ascii=False))
    return run


def _summary(
    info: GeneratorInfo, settings: Settings, samples: Sequence[EvalSample], outcomes: Sequence[GroupOutcome]
) -> GenerationRun:
    made: dict[str, Mapping[str, Any]] = {}
    failed: dict[str, str] = {}
    reused = 0
    for sample, group in zip(samples, outcomes, strict=True):
        outcome = group.units[_UNIT]
        if outcome.failed:
            failed[sample.id] = outcome.reason
        else:
            made[sample.id] = outcome.value
            reused += outcome.known
    return GenerationRun(info, settings, made, failed, reused)


@dataclass(frozen=True)
class _Common:
    generator: Generator
    split: EvalSplit
    folder: Path
    settings: Settings
    known: Callable[[str], Outcome | None]
    shown: bool


@dataclass(frozen=True)
class _SampleGroup:
    """One sample as the engine sees it."""

    common: _Common
    sample: EvalSample

    @property
    def name(self) -> str:
        return self.sample.id

    @property
    def unit_names(self) -> Sequence[str]:
        return (_UNIT,)

    def cost(self) -> float:
        return 1.0

    def open(self) -> _OpenSample:
        return _OpenSample(self.common, self.sample)


class _OpenSample:
    """A sample whose pictures were read."""

    def __init__(self, common: _Common, sample: EvalSample) -> None:
        self._common = common
        self._sample = sample
        self._digests: list[str] = []
        images = []
        for subject in sample.subjects:
            content = common.split.picture_path(subject).read_bytes()
            self._digests.append(hashlib.sha256(content).hexdigest())
            picture = load_picture(content, name=subject.path)
            with Image.open(io.BytesIO(content)) as raw:
                # `load_picture` drops transparency as the metrics do, and uncovers whatever colour lies below it
                images.append(as_rgb(raw if raw.has_transparency_data else picture, subject.path))
        self._images = images
        self.facts: Mapping[str, Any] = {}
        self.check: Callable[[], None] | None = None
        self.key = self._request_key()

    @property
    def units(self) -> Sequence[Unit]:
        return (Unit(_UNIT, self._unit_key, self._work, about={"id": self._sample.id}),)

    def prepare(self, names: Collection[str]) -> None:
        """The pictures are read already."""

    def num_bytes(self) -> int:
        """What the pictures take in memory."""
        return sum(image.width * image.height * 3 for image in self._images)

    def is_changed(self) -> bool:
        """The pictures are in memory, and the key is theirs."""
        return False

    def _request_key(self) -> str:
        info = self._common.generator.info
        settings = self._common.settings
        recipe = replace(settings.recipe, source="")
        deciding = {name: value for name, value in asdict(info).items() if name not in ("subject_driven", "notes")}
        content = [
            self._sample.id, self._sample.prompt, [subject.label for subject in self._sample.subjects], self._digests,
            deciding, recipe.to_dict(), settings.seed, settings.too_many_references, _encoder(),
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    def _unit_key(self) -> str:
        """The request's key; where its video was made and has gone since, the next key that stands for no video."""
        key = self.key
        if _record_of(self._common.folder, self._sample.id, self.key) is None:
            while (known := self._common.known(key)) is not None and not known.failed:
                key = hashlib.sha256(f"{key} again".encode()).hexdigest()
        return key

    def _work(self) -> Outcome:
        record = _record_of(self._common.folder, self._sample.id, self.key)
        if record is not None:  # its journal has gone, the video has not
            return Outcome(record)
        try:
            return Outcome(self._make())
        except GenerationError as error:
            return Outcome(reason=str(error), retry=Retry.NEXT_RUN if error.transient else Retry.NEVER)

    def _make(self) -> dict[str, Any]:
        common, settings = self._common, self._common.settings
        recipe = settings.recipe
        images, change = choose(
            self._images,
            common.generator.max_references,
            settings.too_many_references,
            recipe.width or self._images[0].width,
            recipe.height or self._images[0].height,
        )
        labels = tuple(subject.label for subject in self._sample.subjects)[: len(images)]
        request = Request(self._sample.id, self._sample.prompt, images, labels, settings.seed, recipe)
        started = time.monotonic()
        with _StepBar(self._sample.id, shown=common.shown) as progress:
            made = common.generator.generate(request, progress)
        seconds = time.monotonic() - started
        record = {
            "key": self.key,
            "id": self._sample.id,
            "prompt": self._sample.prompt,
            "pictures": dict(zip([subject.path for subject in self._sample.subjects], self._digests, strict=True)),
            "references": change,
            "seed": settings.seed,
            "recipe": recipe.to_dict(),
            "generator": asdict(common.generator.info),
            "seconds": round(seconds, 3),
            "peak_gpu_gb": _peak_gpu_gb(),
            "facts": dict(made.facts),
        }
        return self._write(made, record)

    def _write(self, made: Generated, record: dict[str, Any]) -> dict[str, Any]:
        common = self._common
        video, sidecar = (common.folder / f"{self._sample.id}{ending}" for ending in (".mp4", ".json"))
        try:
            # an older video must not be taken for that of the new record
            video.unlink(missing_ok=True)
            if made.video is not None:
                record |= {"encoder": None, "video": _check_encoded(made.video, self._sample.id)}
                _write(sidecar, json.dumps(record, indent=2, ensure_ascii=False))
                _write(video, made.video)
                return record
            if made.frames is None:
                raise GenerationError("the generator returned neither frames nor a video")
            frames = self._checked(np.asarray(made.frames))
            fps = made.fps or common.settings.recipe.fps
            if fps is None:
                raise GenerationError("nobody says how many frames per second the video has; give the recipe an fps")
            height, width = frames.shape[1:3]
            facts = {"num_frames": len(frames), "width": width, "height": height, "fps": float(fps)}
            record |= {"encoder": _encoder(), "video": facts}
            _write(sidecar, json.dumps(record, indent=2, ensure_ascii=False))
            write_video(video, frames, fps, quality=QUALITY)
        except ArgumentError as error:
            raise GenerationError(str(error)) from error
        except (TypeError, ValueError) as error:  # of json: facts of the user's own generator
            raise GenerationError(f"the facts of {self._sample.id} must be JSON-compatible: {error}") from error
        except OSError as error:
            raise ResultError(f"cannot write {video}: {error.strerror or error}; what is finished is kept") from error
        return record

    def _checked(self, frames: np.ndarray) -> np.ndarray:
        recipe = self._common.settings.recipe
        num_frames = getattr(self._common.generator, "num_frames", None)
        return checked_frames(
            frames,
            num_frames=num_frames(recipe) if callable(num_frames) else recipe.num_frames,
            width=recipe.width,
            height=recipe.height,
        )


class _StepBar:
    """Shows the denoising steps of one video on a terminal."""

    def __init__(self, name: str, *, shown: bool) -> None:
        self._bar = tqdm(desc=name, unit="step", leave=False, disable=None if shown else True)

    def __enter__(self) -> Progress:
        def show(done: int, total: int) -> None:
            self._bar.total = total
            self._bar.update(done - self._bar.n)

        return show

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def _refuse_strangers(folder: Path, samples: Sequence[EvalSample]) -> None:
    """Refuse to replace videos that another program made: those have no record."""
    for sample in samples:
        if (folder / f"{sample.id}.mp4").is_file() and not (folder / f"{sample.id}.json").is_file():
            raise ResultError(
                f"{folder / sample.id}.mp4 was not made by an earlier run here, and would be replaced; choose another "
                "`out=`, or score that folder as it is"
            )


def _remove_outdated(folder: Path, failed: Collection[str]) -> None:
    """Remove videos of other requests, e.g. another seed, where the present one failed: they would be scored."""
    for sample_id in failed:
        for ending in (".mp4", ".json"):
            (folder / f"{sample_id}{ending}").unlink(missing_ok=True)


def _record_of(folder: Path, sample_id: str, key: str) -> dict[str, Any] | None:
    """The record of a video that is there and was made from this request."""
    try:
        record = json.loads((folder / f"{sample_id}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_there = isinstance(record, dict) and record.get("key") == key and (folder / f"{sample_id}.mp4").is_file()
    return record if is_there else None


def _check_encoded(content: bytes, name: str) -> dict[str, Any]:
    """Facts of a file that a service encoded, if it is a video that moves."""
    try:
        with open_video(content) as reader:
            count = reader.num_frames
            frames = reader.read(sorted({round(at) for at in np.linspace(0, count - 1, _CHECKED_FRAMES)}))
            facts = {"num_frames": count, "fps": float(reader.fps) if reader.fps else None}
    except VideoError as error:
        raise GenerationError(f"what was returned for {name} is not a video: {error}", transient=True) from error
    frames = checked_frames(frames)
    return facts | {"width": frames.shape[2], "height": frames.shape[1]}


def _encoder() -> str:
    return f"libx264 crf {QUALITY}, PyAV {importlib.metadata.version('av')}"


def _peak_gpu_gb() -> float | None:
    import sys

    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    peak = torch.cuda.max_memory_allocated() / 1e9
    torch.cuda.reset_peak_memory_stats()
    return round(peak, 2)


def _write(path: Path, content: str | bytes) -> None:
    """Write a file that is complete whenever it is there."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
