"""A sample of OpenS2V-Eval as a row with its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import datasets

from opens2v_hf.data.benchmark.released_files import ReleasedFiles
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.data.benchmark.split import DEFAULT_REPO
from opens2v_hf.data.images import check_image
from opens2v_hf.errors import ImageError, SampleError

FEATURES = datasets.Features(
    {
        "id": datasets.Value("string"),
        "category": datasets.Value("string"),
        "paper_category": datasets.Value("string"),
        "prompt": datasets.Value("string"),
        "synthetic": datasets.Value("bool"),
        "subjects": datasets.List(
            {"label": datasets.Value("string"), "image": datasets.Image(), "path": datasets.Value("string")}
        ),
        "metrics": datasets.List(datasets.Value("string")),
    }
)


def picture_paths(samples: Iterable[EvalSample]) -> list[str]:
    """The paths of all reference pictures, each once."""
    return list(dict.fromkeys(subject.path for sample in samples for subject in sample.subjects))


def require_pictures(samples: Sequence[EvalSample], files: ReleasedFiles) -> None:
    """Check that all pictures are there; none is read.

    Raises:
        SampleError: one is missing.
    """
    missing = set(files.missing(picture_paths(samples)))
    if not missing:
        return
    sample, path = next((s, subject.path) for s in samples for subject in s.subjects if subject.path in missing)
    rest = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    raise SampleError(
        f"the reference picture {path!r} of sample {sample.id!r} is missing in {files.where}{rest}. Get the "
        f'pictures with `hf download {DEFAULT_REPO} --repo-type dataset --include "*_Eval.json" "Images/**" '
        "--local-dir FOLDER` and pass data_dir=FOLDER, or load the prompts without pictures with prompts_only=True"
    )


def check_pictures(samples: Sequence[EvalSample], files: ReleasedFiles) -> None:
    """Download all pictures and check their headers.

    Raises:
        SampleError: a picture is missing.
        ImageError: a picture is broken.
    """
    files.fetch_all(picture_paths(samples))
    for sample in samples:
        for subject in sample.subjects:
            _read_picture(files, subject.path, sample.id)


def row_of(sample: EvalSample, files: ReleasedFiles | None) -> dict[str, Any]:
    """A row of `FEATURES`; its pictures are None without `files`.

    Raises:
        SampleError: a picture is missing.
        ImageError: a picture is broken.
    """
    # Bytes without a path: `datasets` reads a file of that name in the working folder before it takes the bytes.
    subjects = [
        {
            "label": subject.label,
            "image": files and {"bytes": _read_picture(files, subject.path, sample.id), "path": None},
            "path": subject.path,
        }
        for subject in sample.subjects
    ]
    return {
        "id": sample.id,
        "category": sample.category,
        "paper_category": sample.paper_category,
        "prompt": sample.prompt,
        "synthetic": sample.synthetic,
        "subjects": subjects,
        "metrics": list(sample.metrics),
    }


def _read_picture(files: ReleasedFiles, path: str, sample_id: str) -> bytes:
    name = f"the reference picture {path!r} of sample {sample_id!r} in {files.where}"
    try:
        content = files.fetch(path).read_bytes()
        check_image(content, name=name)
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror or error}") from error
    except ImageError as error:
        raise ImageError(f"{error}, or download it again") from error
    return content
