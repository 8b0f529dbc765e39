"""From the released layout to Parquet shards for the Hub, in parallel, resumable, the same bytes each time.

A finished conversion:

    data/regular/*.parquet  data/cross_pairs/*.parquet  data/views/*.parquet
    conversion.json         the shards with their rows and checksums
    rejected.jsonl          each record that was left out, its file and byte offset, and the reason
    index/                  the indices of the split tars, where there are any

While it runs, `.conversion/` holds a note of each shard that is done.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.files import check_no_url, whole_file, write_errors
from opens2v_hf._util.progress import Progress
from opens2v_hf._version import __version__
from opens2v_hf.data.opens2v5m.released.byte_source import shown_url
from opens2v_hf.data.opens2v5m.released.json_stream import Malformed
from opens2v_hf.data.opens2v5m.released.media_folder import INDEX_SUFFIX, MediaFolder
from opens2v_hf.data.opens2v5m.released.samples import pair_rows, regular_rows, view_row
from opens2v_hf.data.opens2v5m.released.tar_index import build_index
from opens2v_hf.data.opens2v5m.shards.blobs import read_blob
from opens2v_hf.data.opens2v5m.shards.convert_plan import Plan, Unit
from opens2v_hf.data.opens2v5m.shards.schema import (
    CROSS_PAIRS,
    EMBEDDED,
    REFERENCED,
    REGULAR,
    VIEWS,
    stored_schema,
)
from opens2v_hf.data.opens2v5m.shards.write import sha256_of, write_shard
from opens2v_hf.errors import ArgumentError, ResultError, SampleError, SourceError

_LOGGER = logging.getLogger(__name__)

MANIFEST = "conversion.json"
REJECTED = "rejected.jsonl"
INDEX_FOLDER = "index"
WORK_FOLDER = ".conversion"


@dataclass(frozen=True)
class Shard:
    """A finished shard.

    Attributes:
        path: within the converted dataset; None where its unit has no row.
        rows: how many it has.
        sha256: of its bytes.
        rejected: what was left out.
    """

    path: str | None
    rows: int
    sha256: str | None
    rejected: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Conversion:
    """A finished conversion.

    Attributes:
        folder: of the shards.
        rows: by config.
        rejected: how many records were left out.
    """

    folder: Path
    rows: dict[str, int]
    rejected: int


_SHARD = TypeAdapter(Shard)
_CONVERSION = TypeAdapter(Conversion)


@checked
def convert(plan: Plan, folder: Path, *, processes: int = 1) -> Conversion:
    """Converts, or resumes a conversion that was stopped at any moment.

    Args:
        plan: what to do.
        folder: of the converted dataset; empty, missing, or that of the same conversion.
        processes: how many shards are made at a time.

    Raises:
        ArgumentError: the folder is, or is in, the one that is converted.
        ResultError: the folder is that of another conversion or holds other files, another process converts to it, or
            it cannot be written. Call it again to resume.
        SourceError: a released file cannot be read, or a process was killed. Call it again to resume.
    """
    _check_target(folder, plan)
    if os.path.isfile(folder / MANIFEST):  # unlike `Path.is_file`, it takes names that no system has
        manifest = _owned(folder / MANIFEST, plan)
        try:
            conversion = _CONVERSION.validate_python({"folder": folder, **manifest})
        except ValidationError as error:
            raise ResultError(f"{folder / MANIFEST} is damaged ({_first(error)}); convert to another folder") from error
        shutil.rmtree(folder / WORK_FOLDER, ignore_errors=True)
        return conversion
    with write_errors(folder), _only_conversion(folder):
        return _convert(plan, folder, processes)


def _convert(plan: Plan, folder: Path, processes: int) -> Conversion:
    _claim(folder, plan)
    for leftover in (folder / "data").glob("*/.*.tmp"):
        leftover.unlink()
    build_indices(plan, folder / INDEX_FOLDER)
    layout = replace(plan.layout, index_dir=str(folder / INDEX_FOLDER))
    plan = replace(plan, layout=layout)
    undone = [unit for unit in plan.units if _done(folder, unit) is None]
    total = sum(unit.stop - unit.start for unit in plan.units if unit.config != "views")
    left = sum(unit.stop - unit.start for unit in undone if unit.config != "views")
    with Progress(total, description="converting", unit="B", initial=total - left) as progress:
        for unit in _run(plan, folder, undone, processes):
            if unit.config != "views":
                progress.advance(unit.stop - unit.start)
    return _finish(plan, folder)


def build_indices(plan: Plan, folder: Path) -> list[Path]:
    """Builds the indices of the split tars of a plan's parts, and copies those that are there already.

    Args:
        plan: its layout and its parts count.
        folder: where the indices go.

    Returns:
        The indices; none where no part has a split tar.

    Raises:
        SourceError: a tar is damaged or incomplete.
        ResultError: the folder cannot be written.
    """
    parts = dict.fromkeys(unit.file.name for unit in plan.units if unit.config == "regular" and unit.file is not None)
    layout = plan.layout
    with write_errors(folder):
        media = [folder_of(part) for part in parts for folder_of in (layout.videos, layout.backgrounds)]
        paths = [_build_index(one, folder) for one in media]
    return [path for path in paths if path is not None]


def _build_index(media: MediaFolder, folder: Path) -> Path | None:
    path = folder / f"{media.index_name}{INDEX_SUFFIX}"
    tar = media.tar()
    if tar is None:
        return None
    if path.is_file():
        return path
    if media.has_index():
        media.copy_index(path)
        return path
    with Progress(tar.size, description=f"indexing {media.index_name}", unit="B") as progress:
        build_index(tar, path, progress=progress.update)
    return path


def _run(plan: Plan, folder: Path, units: list[Unit], processes: int) -> Iterator[Unit]:
    """Converts the units, at most a few ahead of the slowest; yields each that is done."""
    if processes <= 1:
        for unit in units:
            _convert_unit(plan, folder, unit)
            yield unit
        return
    # Not forked: threads of fsspec and Arrow do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting = iter(units)
        running: dict[Future[None], Unit] = {}
        try:
            while True:
                while len(running) < 2 * processes and (following := next(waiting, None)) is not None:
                    # A plan lists all units, a process needs one.
                    running[pool.submit(_convert_unit, replace(plan, units=()), folder, following)] = following
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    finished = running.pop(future)
                    future.result()
                    yield finished
        except BrokenProcessPool as error:
            raise SourceError(
                f"a process that converted to {folder} was killed, perhaps for want of memory; "
                "run the same command again with fewer processes to resume"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _convert_unit(plan: Plan, folder: Path, unit: Unit) -> None:
    rejected: list[Malformed] = []
    schema = {
        "regular": stored_schema(REGULAR, EMBEDDED if plan.videos == "embed" else REFERENCED),
        "cross_pairs": CROSS_PAIRS,
        "views": VIEWS,
    }[unit.config]
    path = folder / unit.shard
    rows = write_shard(path, _unit_rows(plan, unit, rejected), schema)
    shard = Shard(
        path=unit.shard if rows else None,
        rows=rows,
        sha256=sha256_of(path) if rows else None,
        rejected=tuple(
            {"config": unit.config, **asdict(entry), "source": shown_url(entry.source)} for entry in rejected
        ),
    )
    _write_json(_note(folder / WORK_FOLDER, unit), asdict(shard))


def _unit_rows(plan: Plan, unit: Unit, rejected: list[Malformed]) -> Iterator[dict[str, Any]]:
    layout = plan.layout
    if unit.file is None:
        for sample_id in layout.view_ids()[unit.start : unit.stop]:
            try:
                yield view_row(layout, sample_id)
            except (SampleError, SourceError) as error:
                rejected.append(Malformed(layout.location.join("gpt-frames-pairs").root, sample_id, 0, str(error)))
    elif unit.config == "cross_pairs":
        yield from pair_rows(
            layout, unit.file, start=unit.start, stop=unit.stop, on_error="skip", report=rejected.append
        )
    else:
        seen: set[str] = set()
        for row in regular_rows(
            layout,
            unit.file,
            start=unit.start,
            stop=unit.stop,
            on_error="skip",
            report=rejected.append,
            need_videos=True,
        ):
            if row["id"] in seen:
                rejected.append(Malformed(unit.file.url, row["id"], unit.start, "its id occurs twice in its part"))
                continue
            seen.add(row["id"])
            try:
                for column in ("video", "background"):
                    row[column] = _stored_blob(row[column], plan)
            except SourceError as error:
                rejected.append(Malformed(unit.file.url, row["id"], unit.start, str(error)))
                continue
            yield row


def _stored_blob(blob: dict[str, Any] | None, plan: Plan) -> dict[str, Any] | None:
    if blob is None:
        return None
    if plan.videos == "embed":
        return {"bytes": read_blob(blob), "path": blob["path"].rpartition("/")[2]}
    root = plan.layout.location.root

    def moved(url: str) -> str:
        return url if plan.url_base is None else plan.url_base.rstrip("/") + url.removeprefix(root)

    if blob.get("spans"):
        return {**blob, "spans": [{**span, "url": moved(span["url"])} for span in blob["spans"]]}
    return {"path": moved(blob["path"]), "spans": None}


def _check_target(folder: Path, plan: Plan) -> None:
    check_no_url(folder)
    root = plan.layout.location.root
    if "://" not in root and Path(os.path.realpath(folder)).is_relative_to(Path(os.path.realpath(root))):
        raise ArgumentError(f"{folder} must be outside of {root}, which is to be converted; choose another folder")
    if os.path.exists(folder) and not folder.is_dir():
        raise ResultError(f"{folder} is a file; give the folder that the converted dataset is to be written to")


@contextmanager
def _only_conversion(folder: Path) -> Iterator[None]:
    """Keep other conversions out of the folder while the block lasts; the system frees the lock of a killed process."""
    work = folder / WORK_FOLDER
    is_new = not work.exists()
    work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work / "lock")
    try:
        lock.acquire(timeout=0)
    except NotImplementedError as error:
        raise ResultError(f"{work} cannot be locked ({error}); choose a folder on another disk") from error
    except Timeout:
        raise ResultError(
            f"another process converts to {folder}; wait until it has ended, or choose another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()
        if is_new and work.is_dir() and [path.name for path in work.iterdir()] == ["lock"]:  # nothing was begun
            shutil.rmtree(work)


def _claim(folder: Path, plan: Plan) -> None:
    """Notes whose folder this is, and refuses that of another conversion."""
    claim = folder / WORK_FOLDER / "plan.json"
    if claim.is_file():
        _owned(claim, plan)
        return
    others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if others:
        raise ResultError(f"{folder} must be empty, or that of a conversion (it holds {others[0]!r}); choose another")
    _write_json(claim, {"fingerprint": plan.fingerprint})


def _owned(path: Path, plan: Plan) -> dict[str, Any]:
    """The content of a manifest or claim, which must be of this conversion."""
    content = _read_json(path)
    if content.get("fingerprint") != plan.fingerprint:
        raise ResultError(
            f"{path} is of a conversion of other files, or with other options; choose an empty folder, or remove "
            "this one"
        )
    return content


def _finish(plan: Plan, folder: Path) -> Conversion:
    work = folder / WORK_FOLDER
    shards = [(unit, _shard_of(folder, unit)) for unit in plan.units]
    rejected = [entry for _, shard in shards for entry in shard.rejected]
    with whole_file(folder / REJECTED) as temporary:
        lines = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in rejected)
        temporary.write_text(lines, "utf-8", "backslashreplace")  # names of files may be no text
    rows: dict[str, int] = {}
    for unit, shard in shards:
        rows[unit.config] = rows.get(unit.config, 0) + shard.rows
    manifest = {
        "fingerprint": plan.fingerprint,
        "written_by": f"opens2v-hf {__version__}",
        "videos": plan.videos,
        "source": plan.url_base or shown_url(plan.layout.location.root),
        "rows": rows,
        "rejected": len(rejected),
        "shards": [
            {"path": shard.path, "rows": shard.rows, "sha256": shard.sha256} for _, shard in shards if shard.path
        ],
    }
    _write_json(folder / MANIFEST, manifest)
    shutil.rmtree(work, ignore_errors=True)  # the lock is in it, which some systems keep while it is open
    return Conversion(folder, rows, len(rejected))


def _note(work: Path, unit: Unit) -> Path:
    return work / "done" / unit.config / f"{unit.name}.json"


def _done(folder: Path, unit: Unit) -> Shard | None:
    """The shard of a unit that is done; None where it is not, where its file is gone or its note is damaged."""
    path = _note(folder / WORK_FOLDER, unit)
    if not path.is_file():
        return None
    try:
        shard = _SHARD.validate_python(_read_json(path))
    except (ResultError, ValidationError) as error:
        _LOGGER.warning("%s is damaged, its shard is made again (%s)", path, str(error).splitlines()[0])
        return None
    return shard if shard.path is None or (folder / shard.path).is_file() else None


def _shard_of(folder: Path, unit: Unit) -> Shard:
    shard = _done(folder, unit)
    if shard is None:
        raise ResultError(f"{unit.shard} was removed from {folder} meanwhile; run the same command again to resume")
    return shard


def _first(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8", "backslashreplace")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it is no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path} cannot be read ({error}); remove {path.parent} and convert again") from error
    return content
