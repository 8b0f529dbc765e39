"""Generated videos in a dataset repo, laid out as the leaderboard's authors publish theirs: `Results/<model>/<id>.mp4`.

Each video is next to its record `<id>.json`. Those of a further seed are in `Results/<model>-seed-<n>`.
`opens2v score hf://datasets/<repo>/Results/<model>` scores them again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import HfApi

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.files import visible_files
from opens2v_hf._util.public_names import generator_name, short_generator_name
from opens2v_hf._util.repo_id import check_repo_id
from opens2v_hf.errors import ResultError
from opens2v_hf.evaluation.video_names import is_video_name
from opens2v_hf.hub.publish import check_access, plan, publish
from opens2v_hf.hub.repo_content import RepoContent

RESULTS_FOLDER = "Results"
SUMMARY = "generation.json"

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_SEED_FOLDER = re.compile(r"seed-(\d+)")


def check_videos_repo(repo_id: str) -> None:
    """Check before the generation that the videos can be pushed.

    Args:
        repo_id: "org/name" of a dataset repo, which may be missing.

    Raises:
        ArgumentError: the name is malformed.
        HubError: the token may not write for `org`, or the Hub cannot be reached.
    """
    check_repo_id(repo_id, "the repo of the videos")
    check_access(HfApi(), repo_id.partition("/")[0])


@checked
def push_videos(
    out: str | os.PathLike[str],
    repo_id: str,
    *,
    model: str | None = None,
    private: bool = False,
    report: Callable[[str], None] = print,
) -> str:
    """Push the videos of a run and their records; unchanged files are skipped.

    Args:
        out: of `opens2v_hf.generate` or `opens2v_hf.score`.
        repo_id: of a dataset repo on the Hub, created if missing.
        model: its name, for the folder; that of the generator by default.
        private: whether a created repo is private.
        report: called with a line about each step.

    Returns:
        The address of the videos of the first seed, for `opens2v_hf.score`.

    Raises:
        ArgumentError: the repo's name is malformed.
        HubError: the Hub refuses or cannot be reached; the same call resumes.
        ResultError: there is no video.
    """
    check_videos_repo(repo_id)
    name = folder_name(model or _generator_of(Path(out)))
    files: dict[str, Path | bytes] = {}
    for folder in sorted(Path(out).glob("videos")) + sorted(Path(out).glob("seed-*/videos")):
        seed = _SEED_FOLDER.fullmatch(folder.parent.name)
        target = f"{RESULTS_FOLDER}/{name}-seed-{seed[1]}" if seed else f"{RESULTS_FOLDER}/{name}"
        for video in visible_files(folder, "*"):
            record = video.with_suffix(".json")
            if is_video_name(video.name) and record.is_file():
                files |= {f"{target}/{video.name}": video, f"{target}/{record.name}": _public_record(record)}
        if (folder / SUMMARY).is_file():
            files[f"{target}/{SUMMARY}"] = _public_record(folder / SUMMARY)
    if not any(is_video_name(path) for path in files):
        raise ResultError(f"no videos with records in {Path(out) / 'videos'}; make them with `opens2v generate`")
    api = HfApi()
    plans = plan(api, [RepoContent(repo_id, "dataset", files)])
    report(plans[0].describe())
    publish(api, plans, private=private, report=report)
    return f"hf://datasets/{repo_id}/{RESULTS_FOLDER}/{name}"


def _generator_of(out: Path) -> str:
    """Short name of the generator of a run's videos."""
    path = out / "videos" / SUMMARY
    if not path.is_file():
        raise ResultError(
            f"{path} is missing, so the model's name is not known; make the videos with `opens2v generate`"
        )
    generator = json.loads(_public_record(path))["generator"]
    return short_generator_name(generator["kind"], generator["name"], generator.get("revision"))


def _public_record(path: Path) -> bytes:
    """A record without folders of this machine, the address of an endpoint, and reasons that may hold either."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        generator = record["generator"]
        generator["name"] = generator_name(generator["kind"], generator["name"], generator.get("revision"))
        if "failed" in record:
            record["failed"] = sorted(record["failed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(f"{path} is not a record of `opens2v generate`; remove it and its video") from error
    return json.dumps(record, indent=2, ensure_ascii=False).encode()


def folder_name(model: str) -> str:
    """A model's name as the name of a folder.

    Example:
        >>> folder_name("mine.py:generate"), folder_name("Wan2.1-VACE 1.3B")
        ('mine.py-generate', 'Wan2.1-VACE-1.3B')
    """
    return _UNSAFE.sub("-", model).strip("-.") or "model"
