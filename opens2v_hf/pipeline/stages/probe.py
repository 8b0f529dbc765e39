"""Facts of a file: what a decoder gives, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from opens2v_hf.errors import VideoError
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.clip_ids import clip_id
from opens2v_hf.pipeline.faults import MISSING, SourceChangedError
from opens2v_hf.pipeline.inputs import InputFile, stamp_now
from opens2v_hf.pipeline.records import ClipRecord, SourceFile
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stages.each_clip import ClipDroppedError, each_clip
from opens2v_hf.video.container import open_container, video_stream
from opens2v_hf.video.protection import is_encrypted
from opens2v_hf.video.source import Source

_HDR_TRANSFERS = {16: "PQ", 18: "HLG"}  # ITU-T H.273, table 3


class Probe:
    """Fills in what is known of a file: digest, bytes, frames, frame rate and upright size.

    Records that it takes are of whole files (`whole_file`), and so are those that it gives. Dropped are files that
    cannot be used, by the rules

    - "missing": there is no such file any more,
    - "empty": it has no bytes,
    - "encrypted": its pictures are protected,
    - "no_video": it holds no pictures that move,
    - "unreadable": it is damaged, cut off, too large or of no known format,
    - "no_frame_rate": it does not say how many frames it shows a second.

    Provenance names the codec, the pixel format, the transfer curve of HDR ("PQ", "HLG"; frames are not tone-mapped),
    and whether there is sound.
    """

    name = "probe"
    resources = Resources()

    def load(self) -> None:
        """Nothing to load."""

    def facts(self) -> Mapping[str, Any]:
        """There is nothing to choose."""
        return {}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Probe the files of some records."""
        return each_clip(self.name, clips, self._apply)

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        try:
            return self._probed(clip)
        except ClipDroppedError as error:
            if error.rule != MISSING and _was_changed(clip.source):  # e.g. it is still being copied
                raise SourceChangedError(
                    f"{clip.source.name}: was changed after it was listed; the same command reads it again"
                ) from error
            raise

    def _probed(self, clip: ClipRecord) -> list[ClipRecord]:
        path = _existing(clip.source)
        source = replace(clip.source, num_bytes=path.stat().st_size)
        header = _header(source, path)
        try:
            video = media.reader(source)
        except VideoError as error:
            raise ClipDroppedError("unreadable", str(error)) from error
        if video.fps is None:
            raise ClipDroppedError(
                "no_frame_rate", f"{source.name}: does not say how many frames it shows per second; re-encode it"
            )
        source = replace(
            source,
            sha256=_sha256(source, path),
            num_frames=video.num_frames,
            fps=video.fps,
            size=(video.height, video.width),
        )
        changes = {"id": clip_id(source.name, 0, source.num_frames), "source": source, "end": source.num_frames}
        return [clip.made_by(self.name, header, **changes)]


def _was_changed(source: SourceFile) -> bool:
    listed = InputFile(source.path, source.name, source.num_bytes, source.stamp)
    return bool(source.stamp) and stamp_now(listed) != source.stamp


def _existing(source: SourceFile) -> Path:
    try:
        path = media.local_path(source)
    except VideoError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise ClipDroppedError(MISSING, str(error)) from error
        raise  # it may be fetched another time
    if not path.is_file():
        raise ClipDroppedError(MISSING, f"{source.name}: there is no such file any more")
    if path.stat().st_size == 0:
        raise ClipDroppedError("empty", f"{source.name}: is empty (0 bytes)")
    return path


def _header(source: SourceFile, path: Path) -> dict[str, Any]:
    limits = media.limits()
    try:
        checked = Source.of(path, source.name)
        with checked.opened() as content:
            encrypted = is_encrypted(content, source.name)
        if encrypted:
            raise ClipDroppedError(
                "encrypted", f"{source.name}: its pictures are encrypted; give a copy that plays without a key"
            )
        with open_container(checked, limits) as container:
            kinds = {stream.type for stream in container.streams}
        if "video" not in kinds:
            held = ", ".join(sorted(kinds)) or "nothing"
            raise ClipDroppedError("no_video", f"{source.name}: holds no pictures (only: {held})")
        with open_container(checked, limits) as container:
            stream = video_stream(container, checked, limits)
            return {
                "codec": stream.codec.canonical_name,
                "pixel_format": str(stream.pix_fmt),
                "hdr": _HDR_TRANSFERS.get(int(stream.codec_context.color_trc)),
                "sound": "audio" in kinds,
            }
    except VideoError as error:
        raise ClipDroppedError("unreadable", str(error)) from error


def _sha256(source: SourceFile, path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ClipDroppedError(MISSING, f"{source.name}: cannot be read any more ({error.strerror})") from error
