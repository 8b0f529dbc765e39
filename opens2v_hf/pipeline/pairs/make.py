"""Making the config "cross_pairs" of a dataset's folder."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from opens2v_hf._util.files import visible_files, whole_file, write_errors
from opens2v_hf._util.progress import Progress
from opens2v_hf.data.opens2v5m.shards.parquet_file import parquet_errors
from opens2v_hf.data.opens2v5m.shards.schema import CROSS_PAIRS
from opens2v_hf.data.opens2v5m.shards.write import write_shard
from opens2v_hf.errors import JudgeError, ResultError
from opens2v_hf.jobs.journal import Journal, open_journal
from opens2v_hf.jobs.lock import only_run
from opens2v_hf.jobs.outcome import Outcome
from opens2v_hf.pipeline.manifest import refresh_manifest
from opens2v_hf.pipeline.pairs.clusters import by_look, by_source
from opens2v_hf.pipeline.pairs.options import PairOptions
from opens2v_hf.pipeline.pairs.pictures import PictureStore
from opens2v_hf.pipeline.pairs.search import Candidates, Rules, search, search_by_index
from opens2v_hf.pipeline.pairs.select import Ranked, select
from opens2v_hf.pipeline.pairs.subjects import SubjectTable, read_subjects
from opens2v_hf.pipeline.pairs.thresholds import Thresholds, thresholds_for
from opens2v_hf.pipeline.pairs.verify import Verifier

SCHEMA = pa.schema([*CROSS_PAIRS, ("found_by", pa.string()), ("context_distance", pa.int32())])
"""Of the shards: the columns of every OpenS2V-5M, then how the pair was found and in how many bits (of 64) the
perceptual hashes of its two annotated frames differ."""

WORK_FOLDER = ".build/pairs"
NOTE = ".build/pairs.json"
_SHARDS = "data/cross_pairs"
_ROWS_OF_A_SHARD = 1_000_000
_LARGE = 100_000
_THREADS = 8


@dataclass(frozen=True)
class PairResult:
    """Pairs of a dataset, and the candidates that are none.

    Attributes:
        pairs: how many there are now.
        by_cluster: pairs by kind of cluster, "source" and "visual".
        subjects: that were compared.
        left_out: rows of the vectors that could not be used, by reason.
        dropped: pairs of subjects in different clips that are none, by rule.
        thresholds: that were used, by kind of cluster.
        unanswered: candidates on which the verifier gave no verdict; they are asked about again in the next run.
        usage: what the verdicts took, also those of earlier runs: "calls", "input_tokens" and "output_tokens".
        seconds: it took.
        shards: paths within the folder.
    """

    pairs: int
    by_cluster: dict[str, int]
    subjects: int
    left_out: dict[str, int]
    dropped: dict[str, dict[str, int]]
    thresholds: dict[str, dict[str, float]]
    unanswered: int
    usage: dict[str, int]
    seconds: float
    shards: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    kind: str
    candidates: Candidates
    clusters: list[str]


def make_pairs(
    folder: str | Path, options: PairOptions | None = None, *, verifier: Verifier | None = None
) -> PairResult:
    """Find pairs among the subjects of a dataset, and replace the ones that it has.

    Nothing is decoded or embedded unless a verifier is asked; its verdicts are kept, and no candidate is asked about
    twice. The same vectors and options give the same bytes.

    Args:
        folder: of the dataset, with its shards and `vectors/`.
        options: see `PairOptions`.
        verifier: asked about each pair that would be taken; None to take all.

    Raises:
        ArgumentError: no thresholds are known for the embedder.
        ResultError: there are no vectors or shards, they do not fit, or the folder cannot be written.
        ServiceUnavailableError: the verifier answers no more. Call it again to resume.
        MissingDependencyError: an index is needed, and faiss is not installed.
    """
    options = options or PairOptions()
    root = Path(folder)
    begin = time.monotonic()
    with write_errors(root), only_run(root / WORK_FOLDER):
        parts = _parts(root)
        table, left_out = read_subjects(root, parts)
        embedder = options.embedder or dataset_embedder(root)
        dropped: dict[str, Counter[str]] = {}
        thresholds: dict[str, Thresholds] = {}
        found = []
        for kind in ("source", "visual"):
            if kind not in options.clusters:
                continue
            given = options.source if kind == "source" else options.visual
            thresholds[kind] = thresholds_for(embedder, kind, given)
            dropped[kind] = Counter()
            found.append(_find(kind, table, options, thresholds[kind], dropped[kind]))
        rows, by_cluster, unanswered, usage = _taken(root, found, table, parts, options, dropped, verifier)
        shards = _write(root, rows)
        result = PairResult(
            pairs=len(rows),
            by_cluster=by_cluster,
            subjects=len(table),
            left_out=left_out,
            dropped={kind: {rule: n for rule, n in sorted(of.items()) if n} for kind, of in dropped.items()},
            thresholds={kind: {"text": of.text, "image": of.image} for kind, of in thresholds.items()},
            unanswered=unanswered,
            usage=usage,
            seconds=round(time.monotonic() - begin, 3),
            shards=shards,
        )
        _note(root, result, embedder, verifier)
        refresh_manifest(root)
    return result


def dataset_embedder(folder: Path) -> str | None:
    """The embedder that made a dataset's vectors, as the provenance of its first clip says; None where none does.

    Raises:
        SourceError: a shard cannot be read.
    """
    for path in visible_files(folder / "data/regular", "*.parquet"):
        with parquet_errors(str(path)), pq.ParquetFile(path.absolute()) as parquet:
            if "provenance" not in parquet.schema_arrow.names:
                return None
            for batch in parquet.iter_batches(1, columns=["provenance"]):
                return _embedder_in(batch["provenance"][0].as_py())
    return None


def _embedder_in(provenance: str | None) -> str | None:
    facts = json.loads(provenance or "{}").get("scores") or {}
    return (facts.get("embedder") or {}).get("name")


def _parts(root: Path) -> dict[str, str]:
    """Clip id to its part of the dataset."""
    parts: dict[str, str] = {}
    paths = visible_files(root / "data/regular", "*.parquet")
    if not paths:
        raise ResultError(f"{root} has no shards in data/regular; build the dataset first")
    for path in paths:
        with parquet_errors(str(path)):
            columns = pq.read_table(path.absolute(), columns=["id", "part"])
        parts.update(zip(columns["id"].to_pylist(), columns["part"].to_pylist(), strict=True))
    return parts


def _find(
    kind: str, table: SubjectTable, options: PairOptions, thresholds: Thresholds, dropped: Counter[str]
) -> _Found:
    sources, names = by_source(table)
    keep = 4 * options.max_pairs_per_clip
    if kind == "source":
        found = search(table, sources, Rules(thresholds, options.near_duplicate, keep), dropped)
        return _Found(kind, found, [names[number] for number in sources[found.first]])
    # Pairs within one source are found by "source" clusters, where these are chosen.
    apart = sources if "source" in options.clusters else None
    rules = Rules(thresholds, options.near_duplicate, keep, apart)
    everything = np.zeros(len(table), np.int64)
    if options.index == "faiss" or (options.index == "auto" and len(table) > _LARGE):
        found = search_by_index(table, everything, rules, dropped, options.neighbours)
    else:
        found = search(table, everything, rules, dropped)
    leaders = by_look(found, len(table), options.max_cluster)
    together = leaders[found.first] == leaders[found.second]
    dropped["another cluster"] += int((~together).sum())
    found = found.take(together)
    clusters = [
        f"visual/{table.clip_ids[leader]}/{table.subject_ids[leader]}" for leader in leaders[found.first].tolist()
    ]
    return _Found(kind, found, clusters)


def _taken(
    root: Path,
    found: Sequence[_Found],
    table: SubjectTable,
    parts: dict[str, str],
    options: PairOptions,
    dropped: dict[str, Counter[str]],
    verifier: Verifier | None,
) -> tuple[list[dict[str, Any]], dict[str, int], int, dict[str, int]]:
    """Rows of the pairs by cluster and ids, pairs by kind, candidates without a verdict, and usage of the verdicts."""
    rows: list[dict[str, Any]] = []
    by_kind: dict[str, int] = {}
    unanswered = 0
    usage: Counter[str] = Counter()
    clips = table.clip_numbers
    used: Counter[int] = Counter()
    for one in found:
        candidates = one.candidates
        first, second = clips[candidates.first], clips[candidates.second]
        cluster = np.unique(np.array(one.clusters, dtype=np.str_), return_inverse=True)[1]
        session = None if verifier is None else _Verification(root, verifier, table, parts, one)
        try:
            taken = select(
                Ranked(first, second, cluster),
                per_clip=options.max_pairs_per_clip,
                per_cluster=options.max_pairs_per_cluster,
                used=used,
                dropped=dropped[one.kind],
                accept=session,
            )
        finally:
            if session is not None:
                session.close()
                unanswered += session.unanswered
                usage.update(session.usage)
        rows += [_row(table, parts, one, number) for number in taken]
        by_kind[one.kind] = len(taken)
    keys = ("cluster_id", "current_id", "current_subject_id", "other_id", "other_subject_id")
    rows.sort(key=lambda row: tuple(row[key] for key in keys))
    return rows, by_kind, unanswered, dict(usage)


def _row(table: SubjectTable, parts: dict[str, str], found: _Found, number: int) -> dict[str, Any]:
    candidates = found.candidates
    row: dict[str, Any] = {"cluster_id": found.clusters[number]}
    for side, index in (("current", int(candidates.first[number])), ("other", int(candidates.second[number]))):
        clip = str(table.clip_ids[index])
        row |= {
            f"{side}_id": clip,
            f"{side}_part": parts[clip],
            f"{side}_subject_id": int(table.subject_ids[index]),
            f"{side}_label": str(table.labels[index]),
            f"{side}_frame_index": int(table.frame_index[index]),
        }
    return row | {
        "text_similarity": float(candidates.text[number]),
        "image_similarity": float(candidates.image[number]),
        "found_by": found.kind,
        "context_distance": int(candidates.context[number]),
    }


class _Verification:
    """Asks a verifier, and keeps what it says in a journal."""

    def __init__(
        self, root: Path, verifier: Verifier, table: SubjectTable, parts: dict[str, str], found: _Found
    ) -> None:
        self._verifier = verifier
        self._table, self._parts, self._found = table, parts, found
        self._journal: Journal = open_journal(root / WORK_FOLDER / "verdicts")
        self._store = PictureStore(root, root / WORK_FOLDER / "index")
        self.unanswered = 0
        self.usage: Counter[str] = Counter()

    def __call__(self, numbers: Sequence[int]) -> Sequence[bool]:
        answers: list[bool] = []
        with (
            ThreadPoolExecutor(_THREADS) as threads,
            Progress(len(numbers), description="verifying pairs", unit="pair") as progress,
        ):
            for verdict in threads.map(self._ask, numbers):
                if verdict is None:
                    self.unanswered += 1
                else:
                    self.usage.update(verdict["usage"])
                answers.append(verdict is not None and verdict["accepted"])
                progress.advance(1)
        return answers

    def _ask(self, number: int) -> Mapping[str, Any] | None:
        """The verdict on a candidate; None where there is none."""
        row = _row(self._table, self._parts, self._found, number)
        key = self._key(row, number)
        known = self._journal.get(key)
        if known is not None:
            return dict(known.value)
        try:
            first, second = (
                self._store.pictures(row[f"{side}_part"], row[f"{side}_id"], row[f"{side}_subject_id"])
                for side in ("current", "other")
            )
            verdict = self._verifier.verify(first, second)
        except JudgeError:
            return None
        value = {"accepted": verdict.accepted, **asdict(verdict)}
        self._journal.add(key, Outcome(value), {name: row[name] for name in ("current_id", "other_id")})
        return value

    def _key(self, row: dict[str, Any], number: int) -> str:
        sides = [[row[f"{side}_{name}"] for name in ("id", "subject_id", "label")] for side in ("current", "other")]
        rows = (self._found.candidates.first[number], self._found.candidates.second[number])
        hashes = [int(self._table.frame_phash[index]) for index in rows]
        content = json.dumps([sides, hashes, dict(self._verifier.facts())], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def close(self) -> None:
        self._journal.close()


def _write(root: Path, rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """Write the shards, then remove those of an earlier pairing that are more."""
    names = []
    for number, part in enumerate(_parts_of(rows)):
        name = f"{_SHARDS}/cross_pairs-{number:05d}.parquet"
        write_shard(root / name, part, SCHEMA)
        names.append(name)
    for path in (root / _SHARDS).glob("cross_pairs-*.parquet"):
        if f"{_SHARDS}/{path.name}" not in names:
            path.unlink()
    return tuple(names)


def _parts_of(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), _ROWS_OF_A_SHARD):
        yield rows[start : start + _ROWS_OF_A_SHARD]


def _note(root: Path, result: PairResult, embedder: str | None, verifier: Verifier | None) -> None:
    note = {**asdict(result), "embedder": embedder, "verifier": None if verifier is None else verifier.name}
    with whole_file(root / NOTE) as temporary:
        temporary.write_text(json.dumps(note, ensure_ascii=False, indent=1), "utf-8")
