"""Names of clips: which file of the input, and where in it."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from opens2v_hf.pipeline.records import ClipRecord, SourceFile

_MAX_STEM = 80
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}\.mp4")
_NOT_IN_IDS = re.compile(r"[^\w.-]+")


def whole_file(source: SourceFile) -> ClipRecord:
    """A record of a file of which nothing is known yet; the stage "probe" fills in its frames."""
    return ClipRecord(file_id(source.name), source)


def file_id(name: str) -> str:
    """A name for a file of the input that can be part of any path.

    The stem of a plain name; of others (with folders, other endings or characters that paths and shells give a meaning)
    what is left of it, and a digest that keeps apart what would become alike.

    Example:
        >>> file_id("beach_01.mp4"), file_id("holiday/Été à la mer.mov")
        ('beach_01', 'Été-à-la-mer-321cfe63')
    """
    if _PLAIN.fullmatch(name):
        return name.removesuffix(".mp4")
    stem = unicodedata.normalize("NFC", name.rpartition("/")[2])
    stem = _NOT_IN_IDS.sub("-", stem.rpartition(".")[0] or stem).strip("-.")[:_MAX_STEM]
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{stem or 'video'}-{digest}"


def clip_id(name: str, start: int, end: int) -> str:
    """The id of a clip.

    What comes before "_part" names the source, as in the released ids: clips of one file are of one cluster, and so are
    those of files that a released id's rule puts together (`<source>_part1.mp4`, `<source>_part2.mp4`).

    Args:
        name: of its file, relative to the input's root.
        start: first frame.
        end: the frame after its last.

    Example:
        >>> clip_id("beach_01.mp4", 0, 95)
        'beach_01_part0-95'
    """
    return f"{file_id(name)}_part{start}-{end}"
