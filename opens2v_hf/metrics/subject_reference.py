"""The subjects that a video is to show, and other true views of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opens2v_hf._util.files import visible_files
from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.labelled_pictures import LabelledPictures, labelled_pictures
from opens2v_hf.metrics.pictures import load_picture

_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

Views = tuple[tuple[Any, ...], ...]
"""For each reference picture the other views of the same subject, none too."""


@dataclass(frozen=True, eq=False)
class SubjectReference(LabelledPictures):
    """Pictures of the subjects that a video is to show, each of another subject; see `LabelledPictures`.

    Attributes:
        views: for each picture other true views of the same subject, not given to the model; empty for none at all.
        positions: of each picture among all references of the sample; empty where these are all.
    """

    views: Views = ()
    positions: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.views and len(self.views) != len(self.images):
            raise ArgumentError(
                f"{self.where}: views are a list for each picture (got {len(self.views)} lists for {len(self.images)} "
                "pictures); give an empty list for a picture without one"
            )

    def position(self, index: int) -> int:
        """The position of a picture among all references of the sample."""
        return self.positions[index] if self.positions else index

    def picture_name(self, index: int) -> str:
        """The name of a picture in messages, for one without a path."""
        return super().picture_name(self.position(index))


def subject_references_of(
    records: Sequence[Mapping[str, Any]], ids: Sequence[str | None] | None = None
) -> list[SubjectReference]:
    """Check what `compute()` is given for each video.

    Args:
        records: see `labelled_pictures`; they may also have "views".
        ids: see `labelled_pictures`.

    Raises:
        ArgumentError: see `labelled_pictures` and `SubjectReference`.
    """
    return [
        SubjectReference(images, labels, identifier, tuple(tuple(of_one) for of_one in record.get("views") or ()))
        for record, (images, labels, identifier) in zip(records, labelled_pictures(records, ids), strict=True)
    ]


class ReferenceViews:
    """Views of the subjects of many samples, from a folder or a mapping.

    Args:
        source: a folder with `<sample id>/<number of the reference, from 1>/<picture>`, or sample id to a list for each
            reference of lists of pictures (see `load_picture`).

    Raises:
        ArgumentError: it is neither, or the folder does not exist or holds no such picture.
        ImageError: a picture of the mapping cannot be read.
    """

    def __init__(self, source: str | os.PathLike[str] | Mapping[str, Sequence[Sequence[Any]]]) -> None:
        if isinstance(source, str | os.PathLike):
            self._views = _in_folder(Path(os.path.expanduser(source)))
        elif isinstance(source, Mapping):
            self._views = {str(sample_id): _checked_lists(str(sample_id), lists) for sample_id, lists in source.items()}
        else:
            raise ArgumentError(
                "reference_views must be a folder, or a mapping of sample id to a list of views for each reference "
                f"(got {type(source).__name__})"
            )
        self.sha256 = self._digest()

    def of(self, reference: SubjectReference) -> Views:
        """The views of a sample's references: its own, else those of this source; empty where there is none."""
        if reference.views:
            return reference.views
        known = self._views.get(reference.id or "", {})
        found = tuple(known.get(reference.position(index), ()) for index in range(len(reference.images)))
        return found if any(found) else ()

    def _digest(self) -> str:
        """Of all pictures and whose views they are."""
        digest = hashlib.sha256()
        for sample_id in sorted(self._views):
            for number, pictures in sorted(self._views[sample_id].items()):
                for picture in pictures:
                    if isinstance(picture, Path):
                        content = picture.read_bytes()
                    else:
                        image = load_picture(picture, name=f"a view of {sample_id}")
                        content = repr(image.size).encode() + image.tobytes()
                    digest.update(f"{sample_id}/{number}:{hashlib.sha256(content).hexdigest()}\n".encode())
        return digest.hexdigest()


def _checked_lists(sample_id: str, lists: Any) -> dict[int, tuple[Any, ...]]:
    """Views by the number of their reference."""
    if not isinstance(lists, list | tuple) or not all(isinstance(views, list | tuple) for views in lists):
        raise ArgumentError(
            f"the reference_views of {sample_id} must be lists of pictures in a list (got {lists!r:.60})"
        )
    return {number: tuple(views) for number, views in enumerate(lists)}


def _in_folder(folder: Path) -> dict[str, dict[int, tuple[Path, ...]]]:
    if not folder.is_dir():
        raise ArgumentError(f"reference_views must be a folder that exists (got {os.fspath(folder)!r})")
    found: dict[str, dict[int, tuple[Path, ...]]] = {}
    for path in visible_files(folder, "*/*/*"):
        number = path.parent.name
        if path.suffix.lower() in _ENDINGS and number.isascii() and number.isdigit() and int(number) >= 1:
            of_sample = found.setdefault(path.parent.parent.name, {})
            of_sample[int(number) - 1] = (*of_sample.get(int(number) - 1, ()), path)
    if not found:
        raise ArgumentError(
            f"{os.fspath(folder)} holds no view; it should hold <sample id>/<number of the reference, from 1>/ with "
            f"pictures ({', '.join(_ENDINGS)})"
        )
    return found
