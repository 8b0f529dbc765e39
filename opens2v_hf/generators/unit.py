"""One sample of a run: its request, the call of the generator, its files."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.data.benchmark.split import EvalSplit
from opens2v_hf.errors import ArgumentError, GenerationError, OpenS2VError, ResultError
from opens2v_hf.generators.checks import CHECKS, checked_frames
from opens2v_hf.generators.files import QUALITY, check_encoded, encoder, record_of, write_file
from opens2v_hf.generators.outcome import Settings
from opens2v_hf.generators.references import as_rgb, choose
from opens2v_hf.generators.request import Generated, Generator, GeneratorInfo, Progress, Request
from opens2v_hf.jobs.outcome import Outcome, Retry
from opens2v_hf.jobs.unit import PlainGroup, Unit, digest
from opens2v_hf.metrics.pictures import load_picture
from opens2v_hf.video.writer import write_video

UNIT = "video"


def request_key(sample: EvalSample, digests: Sequence[str], info: GeneratorInfo, settings: Settings) -> str:
    """Digest of everything that decides a video.

    Args:
        sample: of the benchmark.
        digests: sha256 of its reference pictures.
        info: who makes the video.
        settings: of the run.
    """
    recipe = replace(settings.recipe, source="")
    deciding = {name: value for name, value in asdict(info).items() if name not in ("subject_driven", "notes")}
    content = [
        sample.id, sample.prompt, [subject.label for subject in sample.subjects], list(digests),
        deciding, recipe.to_dict(), settings.seed, settings.too_many_references, encoder(),
    ]  # fmt: skip
    return digest(content)


def is_made(sample: EvalSample, split: EvalSplit, folder: Path, info: GeneratorInfo, settings: Settings) -> bool:
    """Whether the video of a sample exists; False if its pictures cannot be read."""
    try:
        digests = [hashlib.sha256(split.picture_path(each).read_bytes()).hexdigest() for each in sample.subjects]
    except (OSError, OpenS2VError):
        return False
    return record_of(folder, sample.id, request_key(sample, digests, info, settings)) is not None


@dataclass(frozen=True)
class Common:
    """Objects that all samples of a run share.

    Attributes:
        generator: loaded.
        split: for the pictures.
        folder: of the videos.
        settings: of the run.
        known: a key's outcome in the journal.
        shown: whether this process shows the steps.
        took: called with the seconds that each video took.
    """

    generator: Generator
    split: EvalSplit
    folder: Path
    settings: Settings
    known: Callable[[str], Outcome | None]
    shown: bool
    took: Callable[[float], None] = lambda seconds: None


@dataclass(frozen=True)
class SampleGroup:
    """One sample as a group of units for the engine."""

    common: Common
    sample: EvalSample

    @property
    def name(self) -> str:
        """Of the sample."""
        return self.sample.id

    @property
    def unit_names(self) -> Sequence[str]:
        """A sample is one video."""
        return (UNIT,)

    def cost(self) -> float:
        """All videos of a run have the same length and size."""
        return 1.0

    def open(self) -> _OpenSample:
        """Read the pictures."""
        return _OpenSample(self.common, self.sample)


class _OpenSample(PlainGroup):
    """A sample with its pictures, which are in memory, and from which the key is computed."""

    def __init__(self, common: Common, sample: EvalSample) -> None:
        self._common = common
        self._sample = sample
        self._digests: list[str] = []
        images = []
        for subject in sample.subjects:
            content = common.split.picture_path(subject).read_bytes()
            self._digests.append(hashlib.sha256(content).hexdigest())
            picture = load_picture(content, name=subject.path)
            with Image.open(io.BytesIO(content)) as raw:
                # `load_picture` drops transparency as the metrics do, which shows the colour of transparent pixels
                images.append(as_rgb(raw if raw.has_transparency_data else picture, subject.path))
        self._images = images
        self.key = request_key(sample, self._digests, common.generator.info, common.settings)

    @property
    def units(self) -> Sequence[Unit]:
        return (Unit(UNIT, self._unit_key, self._work, about={"id": self._sample.id}),)

    def num_bytes(self) -> int:
        """Memory of the pictures."""
        return sum(image.width * image.height * 3 for image in self._images)

    def _unit_key(self) -> str:
        """The request's key; if its video was made and removed since, the next key that has no finished video."""
        key = self.key
        if record_of(self._common.folder, self._sample.id, self.key) is None:
            while (known := self._common.known(key)) is not None and not known.failed:
                key = hashlib.sha256(f"{key} again".encode()).hexdigest()
        return key

    def _work(self) -> Outcome:
        record = record_of(self._common.folder, self._sample.id, self.key)
        if record is not None:  # the journal was removed, the video was not
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
        with _step_bar(self._sample.id, shown=common.shown) as progress:
            made = common.generator.generate(request, progress)
        seconds = time.monotonic() - started
        if not isinstance(made, Generated):
            raise GenerationError(f"the generator must return a Generated (got {type(made).__name__})")
        common.took(seconds)
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
            "checks": list(CHECKS),
            "facts": dict(made.facts),
        }
        return self._write(made, record)

    def _write(self, made: Generated, record: dict[str, Any]) -> dict[str, Any]:
        common = self._common
        video, sidecar = (common.folder / f"{self._sample.id}{ending}" for ending in (".mp4", ".json"))
        try:
            # an older video must not be left with the new record
            video.unlink(missing_ok=True)
            if made.video is not None:
                record |= {"encoder": None, "video": check_encoded(made.video, self._sample.id, common.settings.recipe)}
                write_file(sidecar, json.dumps(record, indent=2, ensure_ascii=False))
                write_file(video, made.video)
                return record
            frames = self._checked(np.asarray(made.frames))
            fps = made.fps or common.settings.recipe.fps
            if fps is None:
                raise GenerationError("the frame rate of the video is not known; give the recipe an fps")
            height, width = frames.shape[1:3]
            facts = {"num_frames": len(frames), "width": width, "height": height, "fps": float(fps)}
            record |= {"encoder": encoder(), "video": facts}
            write_file(sidecar, json.dumps(record, indent=2, ensure_ascii=False))
            write_video(video, frames, fps, quality=QUALITY)
        except ArgumentError as error:
            raise GenerationError(str(error)) from error
        except (TypeError, ValueError) as error:  # of json: facts of the user's own generator
            raise GenerationError(f"the facts of {self._sample.id} must be JSON-compatible: {error}") from error
        except OSError as error:
            raise ResultError(f"cannot write {video}: {error.strerror or error}; finished videos are saved") from error
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


@contextmanager
def _step_bar(name: str, *, shown: bool) -> Iterator[Progress]:
    """A progress bar of the denoising steps of one video, on a terminal."""
    with tqdm(desc=name, unit="step", leave=False, disable=None if shown else True) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def _peak_gpu_gb() -> float | None:
    import sys

    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    peak = torch.cuda.max_memory_allocated() / 1e9
    torch.cuda.reset_peak_memory_stats()
    return round(peak, 2)
