"""A small synthetic OpenS2V-5M in both released forms."""

import functools
import io
import shutil
import tarfile
import tempfile
from pathlib import Path

from opens2v_hf.data.synthetic.dataset_layout import write_dataset


@functools.cache
def folder_form() -> Path:
    """The folder form, written once in a test run; not to be changed."""
    folder = Path(tempfile.mkdtemp(prefix="opens2v5m-"))
    return write_dataset(folder, clusters=2, clips_per_cluster=2, singles=1)


def split_tar(files: dict[str, Path], folder: Path, name: str, piece_bytes: int) -> list[Path]:
    """Writes files into a tar that is cut into pieces `<name>.tar.split.NNN`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member, path in files.items():
            tar.add(path, arcname=member)
    data = buffer.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    pieces = []
    for number, begin in enumerate(range(0, len(data), piece_bytes)):
        pieces.append(folder / f"{name}.tar.split.{number:03d}")
        pieces[-1].write_bytes(data[begin : begin + piece_bytes])
    return pieces


def hub_form(target: Path, *, piece_bytes: int = 20_000) -> Path:
    """The form on the Hub: records below Jsons/, videos and backgrounds in split tars."""
    source = folder_form()
    records = target / "Jsons" / "mask_and_bbox"
    records.mkdir(parents=True)
    for path in sorted((source / "regular").iterdir()):
        shutil.copy(path, records)
        videos = sorted((source / "videos" / path.stem).iterdir())
        split_tar({f"{path.stem}/{v.name}": v for v in videos}, target / "Videos" / path.stem, path.stem, piece_bytes)
        pictures = {picture.name: picture for picture in sorted((source / "foreground" / path.stem).iterdir())}
        split_tar(pictures, target / "Background" / path.stem, path.stem, piece_bytes)
    pairs = target / "Jsons" / "cross_video_pairs"
    pairs.mkdir()
    shutil.copy(source / "cross-frames-pairs" / "cross_frames_pairs.json", pairs)
    return target
