"""Making the config "views" of a dataset's folder."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from opens2v_hf._util.files import whole_file, write_errors
from opens2v_hf._util.progress import Progress
from opens2v_hf.data.images import read_image, to_png
from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.data.opens2v5m.shards.schema import VIEWS
from opens2v_hf.data.opens2v5m.shards.write import write_shard
from opens2v_hf.errors import ArgumentError, ImageError, MaskError, SampleError
from opens2v_hf.jobs.journal import open_journal
from opens2v_hf.jobs.lock import only_run
from opens2v_hf.jobs.outcome import Outcome
from opens2v_hf.masks.apply import cut_out
from opens2v_hf.models.endpoint.engine_names import ENDPOINT_PREFIX
from opens2v_hf.models.roles import ModelChoice, load_model
from opens2v_hf.pipeline.manifest import refresh_manifest
from opens2v_hf.pipeline.pairs.pictures import frame_of
from opens2v_hf.pipeline.prices import Price, price_of
from opens2v_hf.pipeline.views.accept import Acceptance
from opens2v_hf.pipeline.views.asking import Asking, Task
from opens2v_hf.pipeline.views.choose import chosen_subjects, crop_of, shown_images
from opens2v_hf.pipeline.views.editor import (
    Editor,
    EditRequest,
)
from opens2v_hf.pipeline.views.ledger import Ledger
from opens2v_hf.pipeline.views.options import ViewOptions

SCHEMA = pa.schema([*VIEWS, ("subject_ids", pa.list_(pa.int32())), ("similarities", pa.list_(pa.float64()))])
"""Of the shards: the columns of every OpenS2V-5M, then of each view its subject's id and how alike it is to that."""

WORK_FOLDER = ".build/views"
NOTE = ".build/views.json"
_SHARDS = "data/views"
_CLIPS_OF_A_SHARD = 500


@dataclass(frozen=True)
class ViewResult:
    """Views of a dataset, and the requests that gave none.

    Attributes:
        clips: with at least one view.
        views: that were accepted.
        refused: pictures that were made and not accepted, by reason.
        not_made: subjects without a picture, by reason.
        problems: messages about single clips, at most some hundred.
        perhaps_paid: name of a subject -> the outcome of each try; such a picture is tried once more, then left.
        calls: pictures that were requested in this run.
        spent: on all pictures of the folder, as far as it is known, in `currency`.
        perhaps_spent: on those that never came, at most.
        currency: of the price table; "" without a price.
        price: where the price was read, and when.
        stopped: why not all pictures were requested; "" where they were.
        seconds: it took.
        shards: paths within the folder.
    """

    clips: int
    views: int
    refused: dict[str, int]
    not_made: dict[str, int]
    problems: tuple[str, ...]
    perhaps_paid: dict[str, list[str]]
    calls: int
    spent: float
    perhaps_spent: float
    currency: str
    price: str
    stopped: str
    seconds: float
    shards: tuple[str, ...]

    def notes(self) -> list[str]:
        """Notes for the user, a sentence each."""
        cost = f", {self.spent:.2f} {self.currency} in all runs" if self.currency else ""
        found = [f"{self.views} views of {self.clips} clips, {self.calls} pictures requested in this run{cost}"]
        found += [f"{count} views not made: {reason}" for reason, count in sorted(self.not_made.items())]
        found += [f"{count} pictures made and not accepted: {reason}" for reason, count in sorted(self.refused.items())]
        found += [f"perhaps paid: {name} ({tries[-1]})" for name, tries in self.perhaps_paid.items()]
        return [*found, *([f"views ended early: {self.stopped}"] if self.stopped else [])]


def make_views(
    folder: str | Path, options: ViewOptions, *, editor: Editor | None = None, embedder: Any = None
) -> ViewResult:
    """Make views of subjects of a dataset, or resume it; the shards of the config "views" are replaced.

    Each request is written down before it is sent and each picture is stored when it arrives, so that none is paid for
    twice, whenever the process is killed.

    Args:
        folder: of the dataset, with its shards.
        options: see `ViewOptions`.
        editor: makes the pictures; by default what `options.model` names.
        embedder: compares them with their subjects; by default what `options.embedder` names.

    Raises:
        ArgumentError: an option cannot be used.
        ModelError: a model cannot be loaded.
        SourceError: the shards cannot be read.
        ResultError: the folder cannot be written, or another run works in it.
        ServiceUnavailableError: the endpoint answers no more; the views until then are written.
    """
    root = Path(folder)
    price = None
    if options.model.startswith(ENDPOINT_PREFIX):
        price = price_of(options.model.removeprefix(ENDPOINT_PREFIX).strip(), options.prices)
    editor = editor or _editor(options, price)
    if embedder is None:
        arguments = {} if options.device is None else {"device": options.device}
        embedder = load_model("embedder", ModelChoice(options.embedder, arguments))
    acceptance = Acceptance(embedder, options)
    with write_errors(root), only_run(root / WORK_FOLDER):
        run = _Run(root, options, editor, acceptance, price)
        try:
            return run.result()
        finally:
            run.close()


def _editor(options: ViewOptions, price: Price | None) -> Editor:
    if options.model.startswith(ENDPOINT_PREFIX):
        from opens2v_hf.pipeline.views.endpoint import EndpointEditor

        return EndpointEditor(options, price)
    from opens2v_hf.pipeline.views.local import PipelineEditor

    return PipelineEditor(options)


class _Run:
    def __init__(
        self, root: Path, options: ViewOptions, editor: Editor, acceptance: Acceptance, price: Price | None
    ) -> None:
        self._root = root
        self._work = root / WORK_FOLDER
        self._options = options
        self._editor = editor
        self._acceptance = acceptance
        self._price = price
        self._ledger = Ledger(self._work / "ledger", options, price, is_paid=editor.is_paid)
        self._measures = open_journal(self._work / "measures")
        self._asking = Asking(self._work / "pictures", options, editor, self._ledger)
        self._refused: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self._clips = self._views = 0

    def close(self) -> None:
        self._ledger.close()
        self._measures.close()

    def result(self) -> ViewResult:
        begin = time.monotonic()
        shards = self._write(self._rows())
        lost = self._ledger.perhaps_paid
        result = ViewResult(
            clips=self._clips,
            views=self._views,
            refused=dict(self._refused),
            not_made=dict(self._asking.not_made),
            problems=tuple(self._asking.problems),
            perhaps_paid={self._names.get(key, key): tries for key, tries in lost.items()},
            calls=self._asking.calls,
            spent=round(self._ledger.spent, 6),
            perhaps_spent=round(self._ledger.perhaps_spent, 6),
            currency="" if self._price is None else self._price.currency,
            price="" if self._price is None else f"{self._price.source} ({self._price.date})",
            stopped=self._asking.stopped,
            seconds=round(time.monotonic() - begin, 3),
            shards=shards,
        )
        note = {"model": self._editor.name, "embedder": self._options.embedder, **asdict(result)}
        with whole_file(self._root / NOTE) as temporary:
            temporary.write_text(json.dumps(note, ensure_ascii=False, indent=1), "utf-8")
        refresh_manifest(self._root)
        if self._asking.failure is not None:
            raise type(self._asking.failure)(
                f"{self._asking.failure}. {self._views} views are written; the same call resumes from there"
            )
        return result

    def _write(self, rows: Iterator[dict[str, Any]]) -> tuple[str, ...]:
        names: list[str] = []
        while True:
            name = f"{_SHARDS}/views-{len(names):05d}.parquet"
            if not write_shard(self._root / name, islice(rows, _CLIPS_OF_A_SHARD), SCHEMA):
                break
            names.append(name)
        for path in (self._root / _SHARDS).glob("views-*.parquet"):
            if f"{_SHARDS}/{path.name}" not in names:
                path.unlink()
        return tuple(names)

    def _rows(self) -> Iterator[dict[str, Any]]:
        """Rows of clips with views in the order of the shards; requests for some clips ahead are under way."""
        ahead: deque[tuple[Mapping[str, Any], np.ndarray, list[Task], list[Future[Path | None]]]] = deque()
        builder = OpenS2V5M(dataset_name="opens2v-5m", config_name="regular", data_dir=str(self._root))
        clips = builder.as_streaming_dataset(split="train")
        with (
            ThreadPoolExecutor(self._options.concurrency) as threads,
            Progress(
                self._options.max_clips or _num_rows(builder), description="making views", unit="clip"
            ) as progress,
        ):
            try:
                for row, frame, tasks in islice(self._tasks(clips), self._options.max_clips):
                    ahead.append((row, frame, tasks, [threads.submit(self._asking.picture, task) for task in tasks]))
                    if len(ahead) > self._options.concurrency:
                        yield from self._row(*ahead.popleft())
                    progress.advance(1)
                while ahead:
                    yield from self._row(*ahead.popleft())
            finally:
                # After an error or Ctrl-C, requests under way are waited for, and no further one is sent.
                self._asking.stopped = self._asking.stopped or ("interrupted" if ahead else "")

    def _tasks(self, clips: Any) -> Iterator[tuple[Mapping[str, Any], np.ndarray, list[Task]]]:
        for row in clips:
            try:
                subjects = chosen_subjects(row, self._options)
                if not subjects:
                    continue
                frame = frame_of(row)
                tasks = [self._task(row, frame, subject) for subject in subjects]
            except (SampleError, MaskError, ArgumentError) as error:
                self._asking.problem("unreadable clip", f"{row['id']}: {error}")
                continue
            yield row, frame, tasks

    def _task(self, row: Mapping[str, Any], frame: np.ndarray, subject: Mapping[str, Any]) -> Task:
        options = self._options
        crop = crop_of(frame, subject["box"])
        prompt = options.prompt.format(tag=subject["label"].replace("_", " "))
        # By what the shards contain and not by pixels: with another version of a decoder nothing is requested again.
        follows = {
            "part": row["part"],
            "id": row["id"],
            "subject": subject["id"],
            "label": subject["label"],
            "box": list(subject["box"]),
            "prompt": prompt,
            "seed": options.seed,
            "with_frame": options.with_frame,
            "editor": dict(self._editor.facts()),
        }
        key = hashlib.sha256(json.dumps(follows, sort_keys=True).encode()).hexdigest()
        name = f"{row['id']}, subject {subject['id']} ({subject['label']})"
        self._names[key] = name
        return Task(
            key,
            name,
            subject,
            crop,
            cut_out(frame, subject["mask"].rle, background="black"),
            EditRequest(shown_images(frame, crop, with_frame=options.with_frame), prompt, options.seed),
        )

    def _row(
        self,
        row: Mapping[str, Any],
        frame: np.ndarray,
        tasks: list[Task],
        pictures: list[Future[Path | None]],
    ) -> Iterator[dict[str, Any]]:
        views: list[dict[str, Any]] = []
        subjects: list[int] = []
        similarities: list[float] = []
        for task, picture in zip(tasks, pictures, strict=True):
            path = picture.result()
            if path is None:
                continue
            try:
                measured = self._measured(task, path)
            except ImageError as error:
                self._asking.problem("file is gone", f"{task.name}: {error}")
                continue
            if measured["refused_for"]:
                self._refused[measured["refused_for"]] += 1
                continue
            label = task.subject["label"]
            image = {"bytes": path.read_bytes(), "path": f"{len(views)}_{label.replace(' ', '_')}.png"}
            views.append({"index": len(views), "tag": label, "image": image})
            subjects.append(task.subject["id"])
            similarities.append(measured["similarity"])
        if not views:
            return
        self._clips += 1
        self._views += len(views)
        main = {"bytes": to_png(frame), "path": "main_image.png"}
        yield {
            "id": row["id"], "main_image": main, "views": views, "subject_ids": subjects, "similarities": similarities,
        }  # fmt: skip

    def _measured(self, task: Task, path: Path) -> dict[str, Any]:
        """The verdict of `Acceptance.judge`; the embedding is computed once for a picture."""
        threshold = [self._acceptance.min_similarity, self._options.near_copy, self._options.embedder]
        key = hashlib.sha256(json.dumps([task.key, *threshold]).encode()).hexdigest()
        known = self._measures.get(key)
        if known is not None:
            return dict(known.value)
        measured = self._acceptance.judge(read_image(path), task.cut_out, task.crop)
        self._measures.add(key, Outcome(measured), task.about)
        return measured


def _num_rows(builder: OpenS2V5M) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(url).num_rows for url in builder.shard_urls)
