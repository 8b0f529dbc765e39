"""OpenS2V-5M, every way to read it in one run and one table: first sample, rows/s, masks/s, MB/s, training clips/s.

    python benchmarks/opens2v5m.py                    # 96 generated clips
    python benchmarks/opens2v5m.py --clips 400 --rounds 5

Shards are read under 32 names each, so that opening the dataset hardly counts; the column "first" shows what it takes.
The dataset is generated: clips of this project's synthetic scenes at 1280 x 720, records as released, written as the
released folder form, converted to shards, and written as webdataset tars of the same rows. Files are warm. Rows are
counted as a user gets them, with all their columns as Python values; videos are bytes that are not decoded. Every way
is run `--rounds` times in turn, each in a process of its own, and the best round counts: other work on the machine
slows a round down, and nothing speeds one up. Rates are per second of wall-clock time, next to the processor time of
the best round. On a busy machine compare ratios, not rates.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import resource
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import datasets
import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from ratios import note

import opens2v_hf
from opens2v_hf.data.opens2v5m.released.samples import read_layout
from opens2v_hf.data.opens2v5m.shards.convert import convert
from opens2v_hf.data.opens2v5m.shards.convert_plan import plan_conversion
from opens2v_hf.data.synthetic.render import mask_box, render_background, render_frame
from opens2v_hf.data.synthetic.scenes import caption, draw_scene, phrase
from opens2v_hf.data.training import SubjectRule, TrainingView
from opens2v_hf.masks.rle import RLE, decode, encode
from opens2v_hf.video.reader import open_video
from opens2v_hf.video.writer import write_video

assert opens2v_hf  # imported for the bare name

PARTS = ("total_part1", "total_part2")
WIDTH, HEIGHT, FRAMES, FPS = 1280, 720, 96, 24
DIFFERENT_VIDEOS = 6
SUBJECTS = 16
ROWS_OF_A_SHARD = 24
LINKS = 31
"""Further names of each shard: opening a dataset, which is done once for millions of rows, is not to count. It takes as
long as some 50 to 100 rows, and is less than a tenth of the 1,536 rows that 48 clips give."""
TRAINING: dict[str, Any] = {"num_frames": 49, "stride": 1, "size": (480, 832)}


@dataclass(frozen=True)
class Folders:
    """The forms of the same rows, and one of the shards by itself."""

    released: Path
    shards: Path
    few: Path
    tars: Path


@dataclass(frozen=True)
class Measured:
    """One round of one way: how much, in what time."""

    count: float
    first_s: float
    wall_s: float
    processor_s: float

    @property
    def rate(self) -> float:
        return self.count / self.wall_s


# The dataset


def generate(folder: Path, clips: int) -> None:
    """The released folder form: records as released, `SUBJECTS` masks each, and videos of some 2 MB."""
    sources = [_source(folder, number) for number in range(DIFFERENT_VIDEOS)]
    for part_number, part in enumerate(PARTS):
        records = {}
        for number in range(part_number, clips, len(PARTS)):
            video, picture, record = sources[number % DIFFERENT_VIDEOS]
            sample = f"synthetic{number // 4:06d}_part{number % 4}_step1-0-{FRAMES}_step2-0-{FRAMES}_step3_step4_step5"
            for source, target in (
                (video, folder / "videos" / part / f"{sample}.mp4"),
                (picture, folder / "foreground" / part / f"{sample}.png"),
            ):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
            records[sample] = {**record, "metadata": {**record["metadata"], "path": f"{sample}.mp4"}}
        (folder / "regular").mkdir(exist_ok=True)
        (folder / "regular" / f"{part}.json").write_text(json.dumps(records))
    for video, picture, _ in sources:
        video.unlink()
        picture.unlink()


def _source(folder: Path, seed: int) -> tuple[Path, Path, dict[str, Any]]:
    scene = draw_scene(seed, "multiobject", num_subjects=3, width=WIDTH, height=HEIGHT, num_frames=FRAMES, fps=FPS)
    keys = [render_frame(scene, index).image for index in range(0, FRAMES, 12)]
    grain = np.random.default_rng(seed).integers(-10, 11, (4, HEIGHT, WIDTH, 1), np.int16)
    # Scenes are slow to draw at this size: some frames drift, under grain that makes them cost what filmed ones do.
    frames = (
        np.clip(np.roll(keys[index // 12], index % 12, axis=1) + grain[index % 4], 0, 255).astype(np.uint8)
        for index in range(FRAMES)
    )
    video, picture = folder / f"source{seed}.mp4", folder / f"source{seed}.png"
    write_video(video, frames, FPS, quality=24)
    Image.fromarray(render_background(scene)).resize((WIDTH // 2, HEIGHT // 2)).resize((WIDTH, HEIGHT)).save(picture)
    masks = render_frame(scene, 0).masks
    rng = np.random.default_rng(seed)
    annotations, stored = [], {}
    for number in range(1, SUBJECTS + 1):
        # Under 16 tags as in the released sample: the subjects again and again, with the rough edges of real masks.
        mask = masks[number % len(masks)] ^ (rng.random((HEIGHT, WIDTH)) < 4e-4)
        annotations.append(
            {
                "class_name": phrase(scene.sprites[number % len(masks)]),
                "bbox": [float(corner) for corner in mask_box(masks[number % len(masks)])],
                "gme_score": 0.5,
                "aes_score": 4.0 + number / 10,
            }
        )
        stored[str(number)] = {**encode(mask).to_dict(), "score": [0.9]}
    record = {
        "metadata": {
            "cut": [0, FRAMES],
            "crop": [0, WIDTH, 0, HEIGHT],
            "tech": 2.0,
            "motion": 0.02,
            "fps": float(FPS),
            "num_frames": FRAMES,
            "resolution": {"height": HEIGHT, "width": WIDTH},
            "aesthetic": 5.0,
            "face_cut": [0, FRAMES],
            "face_cap_qwen": caption(scene) * 8,
        },
        "word_tags": {"background": ["park"], "subject": [], "object": ["blob"], "pre_define": ["person"]},
        "annotation": {
            "ann_frame_data": {
                "ann_frame_idx": 0,
                "annotations": annotations,
                "box_format": "xyxy",
                "img_width": WIDTH,
                "img_height": HEIGHT,
                "foreground_ase_score": 5.0,
                "background_ase_score": 5.0,
            },
            "mask_map": {entry: {"class_name": a["class_name"]} for entry, a in zip(stored, annotations, strict=True)},
            "mask_annotation": {"0": stored},
        },
    }
    return video, picture, record


def write_tars(folders: Folders) -> None:
    """The same rows as webdataset keeps them: a JSON, a video and a picture a row; a tar a shard."""
    folders.tars.mkdir()
    for path in sorted((folders.shards / "data" / "regular").iterdir()):
        with tarfile.open(folders.tars / f"{path.stem}.tar", "w") as tar:
            for row in pq.read_table(path).to_pylist():
                files = {"mp4": row.pop("video")["bytes"], "png": row.pop("background")["bytes"]}
                for suffix, content in ({"json": json.dumps(row).encode()} | files).items():
                    member = tarfile.TarInfo(f"{row['id'].replace('.', '_')}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))


# Ways to read it


def _stream(folder: Path, columns: list[str] | None = None) -> datasets.IterableDataset:
    return datasets.load_dataset("opens2v-5m", data_dir=str(folder), split="train", streaming=True, columns=columns)


def _all_but_files() -> list[str]:
    from opens2v_hf.data.opens2v5m.shards.schema import REGULAR

    return [name for name in REGULAR.names if name not in ("video", "background")]


def _shard_files(folders: Folders) -> list[str]:
    return [str(path) for path in sorted((folders.shards / "data" / "regular").iterdir())]


def released_with_videos(folders: Folders) -> Iterator[Any]:
    for row in _stream(folders.released):
        yield row["video"].read_bytes(), row


def released_without(folders: Folders) -> Iterator[Any]:
    yield from _stream(folders.released, _all_but_files())


def shards_with_videos(folders: Folders) -> Iterator[Any]:
    for row in _stream(folders.shards):
        yield row["video"].read_bytes(), row


def shards_without(folders: Folders) -> Iterator[Any]:
    yield from _stream(folders.shards, _all_but_files())


def plain_datasets_with_videos(folders: Folders) -> Iterator[Any]:
    yield from datasets.load_dataset("parquet", data_files=_shard_files(folders), split="train", streaming=True)


def plain_datasets_without(folders: Folders) -> Iterator[Any]:
    yield from datasets.load_dataset(
        "parquet", data_files=_shard_files(folders), split="train", streaming=True, columns=_all_but_files()
    )


def pyarrow_with_videos(folders: Folders) -> Iterator[Any]:
    yield from _pyarrow(folders, None)


def pyarrow_without(folders: Folders) -> Iterator[Any]:
    yield from _pyarrow(folders, _all_but_files())


def _pyarrow(folders: Folders, columns: list[str] | None) -> Iterator[Any]:
    for path in _shard_files(folders):
        file = pq.ParquetFile(path, memory_map=True)
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group, columns=columns).to_pylist()


def webdataset_with_videos(folders: Folders) -> Iterator[Any]:
    import webdataset

    tars = [str(path) for path in sorted(folders.tars.iterdir())]
    for row in webdataset.WebDataset(tars, shardshuffle=False):
        yield json.loads(row["json"]), row


def masks_of_this_package(folders: Folders) -> Iterator[Any]:
    for row in _stream(folders.shards, ["subjects"]):
        for subject in row["subjects"]:
            yield subject["mask"].decode()


def masks_alone(folders: Folders) -> Iterator[Any]:
    """The codec, without the reading of rows."""
    table = pq.read_table(_shard_files(folders)[0], columns=["subjects"])
    rles = [RLE.from_dict(s["mask"]) for subjects in table["subjects"].to_pylist() for s in subjects]
    for _ in range(1 + 1000 // len(rles)):
        for rle in rles:
            yield decode(rle)


def masks_of_pycocotools(folders: Folders) -> Iterator[Any]:
    from pycocotools import mask as oracle

    table = pq.read_table(_shard_files(folders)[0], columns=["subjects"])
    stored = [s["mask"] for subjects in table["subjects"].to_pylist() for s in subjects]
    for _ in range(1 + 1000 // len(stored)):
        for mask in stored:
            yield oracle.decode(mask)


def _training_videos(folders: Folders) -> Iterator[bytes]:
    """Videos as the training view gets them, without any other column."""
    for row in _stream(folders.few, ["video"]):
        yield row["video"].read_bytes()


def decoding_alone(folders: Folders) -> Iterator[Any]:
    """The frames of the training clips as RGB, through this package's reader; none is stored."""
    for video in _training_videos(folders):
        with open_video(video) as reader:
            yield [frame.shape for frame in reader.iter_frames(range(TRAINING["num_frames"]))]


def decoding_with_pyav(folders: Folders) -> Iterator[Any]:
    """The same with a bare loop over PyAV, which checks nothing and cannot seek."""
    for video in _training_videos(folders):
        with av.open(io.BytesIO(video), "r") as container:
            container.streams.video[0].thread_type = "AUTO"
            frames = islice(container.decode(video=0), TRAINING["num_frames"])
            yield [frame.to_ndarray(format="rgb24").shape for frame in frames]


def training_view(folders: Folders) -> Iterator[Any]:
    """Clips, captions and three subject pictures each."""
    yield from _view(folders, background=False)


def training_view_with_backgrounds(folders: Folders) -> Iterator[Any]:
    """And a PNG of the whole frame, which `decoding_alone` has not to decode."""
    yield from _view(folders, background=True)


def _view(folders: Folders, *, background: bool) -> TrainingView:
    rule = SubjectRule("white", max_iou=1.0)
    return TrainingView(_stream(folders.few), start="first", subjects=rule, background=background, **TRAINING)


@dataclass(frozen=True)
class Way:
    name: str
    read: Callable[[Folders], Iterator[Any]]
    unit: str
    against: str = ""
    target: float | None = None


WAYS = (
    Way("all columns: pyarrow (the limit)", pyarrow_with_videos, "rows"),
    Way("all columns: shards, this package", shards_with_videos, "rows", "all columns: pyarrow (the limit)", 0.9),
    Way("all columns: shards, plain datasets", plain_datasets_with_videos, "rows", "all columns: pyarrow (the limit)"),
    Way("all columns: webdataset", webdataset_with_videos, "rows", "all columns: pyarrow (the limit)"),
    Way("all columns: released form", released_with_videos, "rows", "all columns: pyarrow (the limit)"),
    Way("without files: plain datasets", plain_datasets_without, "rows"),
    Way("without files: shards, this package", shards_without, "rows", "without files: plain datasets", 0.6),
    Way("without files: pyarrow", pyarrow_without, "rows", "without files: plain datasets"),
    Way("without files: released form", released_without, "rows", "without files: plain datasets"),
    Way("masks: pycocotools", masks_of_pycocotools, "masks"),
    Way("masks: codec, this package", masks_alone, "masks", "masks: pycocotools", 4.0),
    Way("masks: streamed and decoded", masks_of_this_package, "masks", "masks: pycocotools"),
    Way("training: decoding alone", decoding_alone, "clips"),
    Way("training: decoding with bare PyAV", decoding_with_pyav, "clips", "training: decoding alone"),
    Way("training: view", training_view, "clips", "training: decoding alone", 0.95),
    Way("training: view with backgrounds", training_view_with_backgrounds, "clips", "training: decoding alone"),
)


def _measure(read: Callable[[Folders], Iterator[Any]], folders: Folders, seconds: float, answer: Connection) -> None:
    """Reads all there is, again and again for at least so many seconds."""
    wall, processor = time.perf_counter(), _processor_s()
    rows = read(folders)
    next(rows)
    first = time.perf_counter() - wall
    count = 1 + sum(1 for _ in rows)
    while time.perf_counter() - wall < seconds:
        count += sum(1 for _ in read(folders))
    answer.send(Measured(count, first, time.perf_counter() - wall, _processor_s() - processor))


def _processor_s() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def measure(way: Way, folders: Folders, seconds: float) -> Measured:
    """One round, in a process of its own; what it imports is not counted."""
    mine, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_measure, args=(way.read, folders, seconds, theirs))
    process.start()
    theirs.close()
    try:
        return mine.recv()
    except EOFError:
        raise SystemExit(f"{way.name}: the process ended with an error, see above") from None
    finally:
        process.join()
        if process.exitcode:
            print(f"{way.name}: its process ended with status {process.exitcode}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=96, help="rows of the dataset, some 2.5 MB each")
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a round of a way lasts at least")
    parser.add_argument("--folder", type=Path, default=None, help="where the files are written for the time of the run")
    parser.add_argument("--only", default="", help="ways whose names begin so, e.g. 'training'")
    arguments = parser.parse_args()
    if arguments.clips < 8:
        parser.error("--clips must be at least 8")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        folders = Folders(
            Path(folder) / "released", Path(folder) / "shards", Path(folder) / "few", Path(folder) / "tars"
        )
        folders.released.mkdir()
        print(f"generating {arguments.clips} clips", flush=True)
        generate(folders.released, arguments.clips)
        layout = read_layout(str(folders.released))
        step = ROWS_OF_A_SHARD * layout.parts[0].size // (arguments.clips // len(PARTS))
        begin = time.perf_counter()
        convert(plan_conversion(layout, json_step=step), folders.shards)
        converting = time.perf_counter() - begin
        converted = sum(path.stat().st_size for path in (folders.shards / "data").rglob("*.parquet")) / 1e6
        (folders.few / "data" / "regular").mkdir(parents=True)
        shutil.copy(_shard_files(folders)[0], folders.few / "data" / "regular")
        ways = [way for way in WAYS if way.name.startswith(arguments.only)]
        try:
            import webdataset
        except ImportError:
            print("webdataset is not installed (pip install webdataset): its row is left out")
            ways = [way for way in ways if way.read is not webdataset_with_videos]
        else:
            print(f"webdataset {webdataset.__version__}")
            write_tars(folders)
        for path in map(Path, _shard_files(folders)):
            for number in range(LINKS):
                path.with_name(f"{path.stem}-{number}.parquet").hardlink_to(path)
        print(f"convert: {converted:.0f} MB in {converting:.1f} s, {converted / converting:.0f} MB/s, one process\n")
        rounds: dict[str, list[Measured]] = {way.name: [] for way in ways}
        for _ in range(arguments.rounds):
            for way in ways:
                rounds[way.name].append(measure(way, folders, arguments.seconds))
        print_table(ways, rounds)


def print_table(ways: list[Way], rounds: dict[str, list[Measured]]) -> None:
    best = {name: max(found, key=lambda measured: measured.rate) for name, found in rounds.items()}
    print("| way | first | rate | processor time | ratio | by processor time | against | target |")
    print("|---|---|---|---|---|---|---|---|")
    for way in ways:
        found = best[way.name]
        first = min(measured.first_s for measured in rounds[way.name])
        cells = ["", "", "", ""]
        if way.against in best:
            base = best[way.against]
            per_unit, base_per_unit = found.processor_s / found.count, base.processor_s / base.count
            cells = [
                f"{found.rate / base.rate:.2f}",
                f"{base_per_unit / per_unit:.2f}",
                way.against.partition(": ")[2],
                "" if way.target is None else f">= {way.target}",
            ]
            note(f"{way.name}, by processor time", cells[2], base_per_unit / per_unit, goal=way.target)
        print(
            f"| {way.name} | {1000 * first:.0f} ms | {found.rate:.1f} {way.unit}/s "
            f"| {1000 * found.processor_s / found.count:.2f} ms a {way.unit[:-1]} | {' | '.join(cells)} |"
        )


if __name__ == "__main__":
    main()
