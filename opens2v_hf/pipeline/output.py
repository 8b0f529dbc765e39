"""Write the output of a unit: a shard, its vectors, and last the note that marks it as finished."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf._util.files import whole_file
from opens2v_hf.data.opens2v5m.shards.schema import BUILT, EMBEDDED, stored_schema
from opens2v_hf.data.opens2v5m.shards.write import sha256_of, write_shard
from opens2v_hf.jobs.outcome import plain
from opens2v_hf.pipeline.apply import UnitResult
from opens2v_hf.pipeline.faults import MAY_PASS
from opens2v_hf.pipeline.readers import OUTPUT, Reader
from opens2v_hf.pipeline.records import ClipRecord, Subject
from opens2v_hf.pipeline.rows import as_text
from opens2v_hf.pipeline.stage import Dropped
from opens2v_hf.pipeline.units import FORMAT, BuildUnit

DUPLICATE_ID = "duplicate_id"

_WHOLE_RECORDS = 4  # of each stage and rule of a unit, for the report's samples

SCORES = ("technical", "motion", "aesthetic", "foreground_aesthetic", "background_aesthetic")


def write_unit(folder: Path, unit: BuildUnit, key: str, result: UnitResult, reader: Reader) -> dict[str, Any]:
    """Write the remaining clips of a unit. The same clips give the same shard and vectors, byte for byte.

    Raises:
        ResultError: it cannot be written.
    """
    dropped = list(result.dropped)
    clips = list(_unique(result.clips, dropped))
    written: dict[str, Mapping[str, Any]] = {}
    stored = stored_schema(BUILT, EMBEDDED)
    (folder / unit.note).unlink(missing_ok=True)  # it does not describe what is written now
    shard, vectors = folder / unit.shard, folder / unit.vectors
    rows = write_shard(shard, _noted(reader.rows(unit, clips, dropped.append), written), stored)
    if not rows:
        shard.unlink(missing_ok=True)
    left = [clip for clip in clips if clip.id in written]
    has_vectors = _write_vectors(vectors, left, written)
    note = plain(
        {
            "format": FORMAT,
            "unit": unit.name,
            "key": key,
            "files": [
                {"name": as_text(file.name), "num_bytes": file.num_bytes, **_facts(file.name, result)}
                for file in unit.files
            ],
            "shard": unit.shard if rows else None,
            "rows": rows,
            "sha256": sha256_of(shard) if rows else None,
            "vectors": unit.vectors if has_vectors else None,
            "vectors_sha256": sha256_of(vectors) if has_vectors else None,
            "clip_seconds": sum(clip.num_frames / clip.source.fps for clip in left),
            "stages": [
                {
                    "name": step.name,
                    "taken": step.taken,
                    "kept": step.kept,
                    "seconds": round(step.seconds, 3),
                    "usage": dict(step.usage),
                }
                for step in result.steps
            ],
            "errors": sum(entry.rule in MAY_PASS for entry in dropped),
            "dropped": list(_described(dropped)),
        }
    )
    with whole_file(folder / unit.note) as temporary:
        temporary.write_text(json.dumps(note), "utf-8")
    return note


def drops_by_stage(note: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """Stage to rule to how many clips, subjects and tags fell by it, of the note of a unit."""
    found: dict[str, Counter[str]] = {}
    for entry in note["dropped"]:
        found.setdefault(entry["stage"], Counter())[entry["rule"]] += 1
    return found


def _unique(clips: Sequence[ClipRecord], dropped: list[Dropped]) -> Iterator[ClipRecord]:
    seen: set[str] = set()
    for clip in clips:
        if clip.id in seen:
            dropped.append(
                Dropped(clip.id, OUTPUT, DUPLICATE_ID, f"another clip has the same id {clip.id}", record=clip)
            )
        else:
            seen.add(clip.id)
            yield clip


def _noted(rows: Iterator[dict[str, Any]], written: dict[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows, whose ids and origins are noted as they pass."""
    for row in rows:
        written[row["id"]] = row["source"] or {"file": row["video"]["path"], **row["cut"]}
        yield row


def _facts(name: str, result: UnitResult) -> dict[str, Any]:
    """Data of a source file, from its clips."""
    records = (*result.clips, *(entry.record for entry in result.dropped if entry.record is not None))
    source = next((record.source for record in records if record.source.name == name and record.source.fps), None)
    if source is None:
        return {"sha256": None, "seconds": None}
    return {"sha256": source.sha256 or None, "seconds": round(source.num_frames / source.fps, 3)}


def _described(dropped: Sequence[Dropped]) -> Iterator[dict[str, Any]]:
    counts: Counter[tuple[str, str]] = Counter()
    for entry in dropped:
        kind = (entry.stage, entry.rule)
        counts[kind] += 1
        record = entry.record
        described: dict[str, Any] = {
            "clip_id": as_text(entry.clip_id),
            "stage": entry.stage,
            "rule": entry.rule,
            "reason": as_text(entry.reason),
            "subject": as_text(entry.subject),
        }
        if record is not None:
            described["file"] = as_text(record.source.name)
            described["scores"] = {name: getattr(record, name) for name in SCORES if getattr(record, name) is not None}
            if counts[kind] <= _WHOLE_RECORDS:
                described["record"] = _sample(record)
        yield described


def _sample(clip: ClipRecord) -> dict[str, Any]:
    """Data for showing a clip."""
    return {
        "path": as_text(clip.source.path),
        "start": clip.start,
        "end": clip.end,
        "frame_index": clip.frame_index,
        "crop_xyxy": clip.crop_xyxy,
        "caption": as_text(clip.caption),
        "subjects": [
            {
                "id": subject.id,
                "label": as_text(subject.label),
                "box_xyxy": subject.box_xyxy,
                "mask": None if subject.mask is None else subject.mask.to_dict(),
            }
            for subject in clip.subjects
        ],
    }


def _write_vectors(path: Path, clips: Sequence[ClipRecord], origins: Mapping[str, Mapping[str, Any]]) -> bool:
    """A row a subject; see `pairs.subjects.SubjectTable`. A subject without vectors gets zeros."""
    subjects = [(clip, subject) for clip in clips for subject in clip.subjects]
    widths = {len(subject.image_vector) for _, subject in subjects if subject.image_vector is not None}
    if not widths:
        path.unlink(missing_ok=True)
        return False
    width = widths.pop()
    arrays: dict[str, Any] = {
        "clip_ids": np.array([clip.id for clip, _ in subjects], np.str_),
        "subject_ids": np.array([subject.id for _, subject in subjects], np.int32),
        "labels": np.array([as_text(subject.label) for _, subject in subjects], np.str_),
        "image": np.stack([_vector(subject, "image_vector", width) for _, subject in subjects]),
        "text": np.stack([_vector(subject, "text_vector", width) for _, subject in subjects]),
        "frame_phash": np.array([clip.frame_phash or 0 for clip, _ in subjects], np.uint64),
        "starts": np.array([origins[clip.id]["start"] for clip, _ in subjects], np.int32),
        "ends": np.array([origins[clip.id]["end"] for clip, _ in subjects], np.int32),
        "files": np.array([origins[clip.id]["file"] for clip, _ in subjects], np.str_),
        "frame_index": np.array([clip.frame_index or 0 for clip, _ in subjects], np.int32),
    }
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    return True


def _vector(subject: Subject, name: str, width: int) -> np.ndarray:
    vector = getattr(subject, name)
    return np.zeros(width, np.float16) if vector is None else vector.astype(np.float16)
