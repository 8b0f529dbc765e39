"""Cross-video pairs by sample and subject, and the clips that they name, in any part.

A pair names two samples by part and id and a subject in each. Here a pair is drawn as a whole: sample, part and
subject of the other side come from the same record. (The released loader, v1.1, draws the other sample's id and the
key of its subject independently, and looks the sample up in the part of the current one only.)
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from opens2v_hf._util.atomic import temporary_folder
from opens2v_hf._util.files import write_errors
from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.data.training.problems import BadPartner
from opens2v_hf.data.training.row_store import RowStore, key_of, load_array, write_locations
from opens2v_hf.data.training.row_stream import builders_of
from opens2v_hf.errors import ArgumentError, SourceError

_FORMAT = 2
_PAIR = np.dtype(
    [
        ("subject", "<i4"),
        ("other_subject", "<i4"),
        ("other", "<u8"),
        ("text_similarity", "<f4"),
        ("image_similarity", "<f4"),
    ]
)


@dataclass(frozen=True)
class PairRule:
    """Which pairs count.

    Attributes:
        min_text_similarity: GME similarity of the two labels, inclusive; the released pairs have at least 0.6.
        min_image_similarity: GME similarity of the two pictures, inclusive, likewise.
    """

    min_text_similarity: float = 0.0
    min_image_similarity: float = 0.0


@dataclass(frozen=True)
class Partner:
    """The other side of a pair.

    Attributes:
        key: of the sample, see `row_store.key_of`.
        subject_id: of the subject there.
    """

    key: int
    subject_id: int


class PairIndex:
    """The pairs of a dataset and its rows by id; made by `of` or `build`.

    Args:
        store: the rows.
        folder: of the arrays.
        rule: which pairs count.
    """

    def __init__(self, store: RowStore, folder: Path, rule: PairRule) -> None:
        self.store = store
        self.folder = folder
        self.rule = rule
        self._arrays: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def of(cls, dataset: Any, rule: PairRule | None = None, folder: Path | None = None) -> PairIndex:
        """The index of the dataset that a stream comes from, see `build`.

        Raises:
            ArgumentError: the stream does not come from "opens2v-5m".
        """
        for builder in builders_of(dataset) if isinstance(dataset, datasets.IterableDataset) else ():
            return cls.build(
                builder.root,
                rule=rule,
                folder=folder,
                token=builder.token,
                index_dir=builder.config.index_dir,
                subset=builder.config.subset,
            )
        raise ArgumentError(
            "pairs=True needs a stream of load_dataset('opens2v-5m', streaming=True); for other datasets give "
            "pairs=PairIndex.build(<the folder or URL of the whole dataset>)"
        )

    @classmethod
    def build(
        cls,
        data_dir: str,
        *,
        rule: PairRule | None = None,
        folder: Path | None = None,
        token: str | None = None,
        index_dir: str | None = None,
        subset: str = "all",
    ) -> PairIndex:
        """Builds the index of a dataset, or finds the one that was built before.

        All rows and pairs are read once. From shards that reads the columns `part` and `id` and the pairs; from
        the released layout all of its JSON.

        Args:
            data_dir: the folder or URL of the dataset, shards or released layout.
            rule: which pairs count.
            folder: of the index; by default in the cache of `datasets`, named after the files.
            token: for the Hub.
            index_dir: of the split tars, for the released layout.
            subset: of the released records.

        Raises:
            SourceError: there are no pairs, or a file cannot be read.
            ResultError: the folder cannot be written.
        """
        options = {"data_dir": data_dir, "token": token, "index_dir": index_dir, "subset": subset}
        rows = OpenS2V5M(dataset_name="opens2v-5m", config_name="regular", **options)
        pairs = OpenS2V5M(dataset_name="opens2v-5m", config_name="cross_pairs", **options)
        if folder is None:
            cache = Path(datasets.config.HF_DATASETS_CACHE) / "opens2v-5m-pairs"
            folder = cache / f"{_FORMAT}-{rows.config_id}-{pairs.config_id}"
        if not folder.is_dir():
            with write_errors(folder):
                _write(rows, pairs, folder)
        return cls(RowStore(rows, folder), folder, rule or PairRule())

    def partners(self, part: str, sample_id: str) -> dict[int, list[Partner]]:
        """The other sides of a sample's pairs, by the id of its own subject; no entry for subjects without a pair."""
        if self._arrays is None:
            self._arrays = (load_array(self.folder / "pair_keys.npy"), load_array(self.folder / "pairs.npy"))
        keys, pairs = self._arrays
        key = np.uint64(key_of(part, sample_id))
        begin, end = np.searchsorted(keys, key, "left"), np.searchsorted(keys, key, "right")
        found: dict[int, list[Partner]] = {}
        for pair in pairs[begin:end]:
            if (
                pair["text_similarity"] >= np.float32(self.rule.min_text_similarity)
                and pair["image_similarity"] >= np.float32(self.rule.min_image_similarity)
            ):  # fmt: skip
                found.setdefault(int(pair["subject"]), []).append(
                    Partner(int(pair["other"]), int(pair["other_subject"]))
                )
        return found

    def row(self, partner: Partner) -> dict[str, Any]:
        """The row of a partner, see `RowStore.read`.

        Raises:
            BadSample: it is not there or cannot be read.
        """
        try:
            row = self.store.read(partner.key)
        except SourceError as error:
            raise BadPartner(f"the other clip of its pair cannot be read: {error}") from error
        if row is None:
            raise BadPartner(
                "the other clip of its pair is not in the dataset; convert or load all parts of its cluster, or skip "
                'such samples with on_error="skip"',
            )
        return row

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": None}


def _write(rows: OpenS2V5M, pairs: OpenS2V5M, folder: Path) -> None:
    """Writes the arrays; the folder appears when all are there, and another process may write the same one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = temporary_folder(folder.parent, f".{folder.name[:40]}-")
    try:
        write_locations(rows, work)
        keys, sides = _pair_arrays(pairs)
        order = np.argsort(keys, kind="stable")
        np.save(work / "pair_keys.npy", keys[order])
        np.save(work / "pairs.npy", sides[order])
        try:
            work.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        if os.path.isdir(work):
            shutil.rmtree(work)


def _pair_arrays(builder: OpenS2V5M) -> tuple[np.ndarray, np.ndarray]:
    """Each pair twice, once from either side."""
    keys, sides = [np.empty(0, np.uint64)], [np.empty(0, _PAIR)]
    for table in builder.tables():
        columns = {name: table[name].to_pylist() for name in ("current_part", "current_id", "other_part", "other_id")}
        current = _keys(columns["current_part"], columns["current_id"])
        other = _keys(columns["other_part"], columns["other_id"])
        for here, there, side, other_side in (
            (current, other, "current", "other"),
            (other, current, "other", "current"),
        ):
            block = np.empty(len(here), _PAIR)
            block["subject"] = table[f"{side}_subject_id"].to_numpy()
            block["other_subject"] = table[f"{other_side}_subject_id"].to_numpy()
            block["other"] = there
            block["text_similarity"] = table["text_similarity"].to_numpy()
            block["image_similarity"] = table["image_similarity"].to_numpy()
            keys.append(here)
            sides.append(block)
    return np.concatenate(keys), np.concatenate(sides)


def _keys(parts: list[str], ids: list[str]) -> np.ndarray:
    return np.array([key_of(part, sample_id) for part, sample_id in zip(parts, ids, strict=True)], np.uint64)
