"""What the tests of the training view share: streams of the synthetic dataset, and what is known of it."""

import functools
import hashlib
import json
import tempfile
from pathlib import Path

import datasets
from helpers.opens2v5m import folder_form

import opens2v_hf
from opens2v_hf.data.opens2v5m.released.samples import read_layout
from opens2v_hf.data.opens2v5m.shards import write as shards
from opens2v_hf.data.opens2v5m.shards.convert import convert
from opens2v_hf.data.opens2v5m.shards.convert_plan import plan_conversion
from opens2v_hf.data.synthetic.dataset_plan import DatasetClip, plan_dataset
from opens2v_hf.data.training.sample import TrainingSample

assert opens2v_hf  # imported for the bare name


@functools.cache
def shard_form(videos: str = "embed") -> Path:
    """Several small shards with several row groups; not to be changed."""
    folder = Path(tempfile.mkdtemp(prefix="opens2v5m-training-"))
    size = shards.ROW_GROUP_BYTES
    shards.ROW_GROUP_BYTES = 100_000
    try:
        convert(plan_conversion(read_layout(str(folder_form())), videos=videos, json_step=12_000), folder)
    finally:
        shards.ROW_GROUP_BYTES = size
    return folder


LAYOUTS = {
    "folder": folder_form,
    "embedded shards": functools.partial(shard_form, "embed"),
    "reference shards": functools.partial(shard_form, "reference"),
}


def stream(layout: str | Path = "embedded shards", **options) -> datasets.IterableDataset:
    """Rows of the config "regular"."""
    return _loaded(layout) if layout in LAYOUTS and not options else _load(layout, **options)


def _load(layout: str | Path, **options) -> datasets.IterableDataset:
    folder = LAYOUTS[layout]() if layout in LAYOUTS else layout
    return datasets.load_dataset("opens2v-5m", data_dir=str(folder), split="train", streaming=True, **options)


_loaded = functools.cache(_load)  # a view reads a shard of it anew each time, and does not change it


@functools.cache
def records() -> dict[str, dict]:
    """The released records by "<part>/<id>"."""
    paths = sorted((folder_form() / "regular").iterdir())
    return {f"{path.stem}/{key}": value for path in paths for key, value in json.loads(path.read_text()).items()}


@functools.cache
def clips() -> dict[str, DatasetClip]:
    """What the records were made from, by "<part>/<id>"."""
    files = plan_dataset(clusters=2, clips_per_cluster=2, singles=1)
    return {f"{clip.part}/{clip.id}": clip for file in files for clip in file.clips}


def name_of(sample: TrainingSample) -> str:
    return f"{sample.part}/{sample.id}"


def fingerprint(sample: TrainingSample) -> str:
    """Changes with anything that a trainer is fed."""
    digest = hashlib.sha256(f"{name_of(sample)} {sample.frame_indices} {sample.caption}".encode())
    digest.update(sample.clip.numpy().tobytes())
    for picture in sample.subjects:
        digest.update(f"{picture.label} {picture.source} {picture.source_subject_id}".encode())
        digest.update(picture.image.numpy().tobytes())
    if sample.background is not None:
        digest.update(sample.background.numpy().tobytes())
    return digest.hexdigest()


def samples_of(batch: list[TrainingSample]) -> list[TrainingSample]:
    """Leaves a DataLoader's batch as it is."""
    return batch
