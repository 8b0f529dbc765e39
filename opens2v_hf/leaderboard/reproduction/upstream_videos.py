"""The videos of a published row, in the folder `Results` of the released benchmark's repo."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from opens2v_hf.data.benchmark.split import DEFAULT_REPO
from opens2v_hf.errors import ResultError
from opens2v_hf.evaluation.video_names import is_video_name
from opens2v_hf.hub.client import hub_errors
from opens2v_hf.leaderboard.reproduction.published_rows import PublishedRow
from opens2v_hf.leaderboard.submissions.validation.names import confusable_key
from opens2v_hf.scores.scorecard import SPLITS

RESULTS_FOLDER = "Results"
_MOST_NAMED = 30


def upstream_videos(row: PublishedRow, split: str, *, revision: str | None = None) -> str:
    """The address of a row's videos in the released benchmark's repo, for `opens2v_hf.score`.

    Raises:
        HubError: the Hub cannot be reached.
        ResultError: no folder is named like the row.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    with hub_errors(api):
        info = api.dataset_info(DEFAULT_REPO, revision=revision)
    files = [sibling.rfilename for sibling in info.siblings or []]
    return f"hf://datasets/{DEFAULT_REPO}/{folder_of(row.name, split, files)}"


def folder_of(name: str, split: str, files: Iterable[str]) -> str:
    """The folder below `Results` that holds the videos of a model.

    A folder inside it that is named after the split is chosen, where there is one.

    Raises:
        ResultError: there is none, or it holds no video.

    Example:
        >>> files = ["Results/VACE-1.3B/singleobj_1.mp4", "Results/Kling1.6/Human-Domain/singleface_1.mp4"]
        >>> folder_of("VACE-1.3B", "open-domain", files), folder_of("Kling1.6(20250503)", "human-domain", files)
        ('Results/VACE-1.3B', 'Results/Kling1.6/Human-Domain')
    """
    below = [PurePosixPath(file) for file in files if PurePosixPath(file).parts[0] == RESULTS_FOLDER]
    wanted = {confusable_key(name), confusable_key(name.partition("(")[0])}
    of_the_split, of_any = set(), set()
    for path in below:
        folders = path.parts[:-1]
        keys = list(map(confusable_key, folders))
        named = [depth for depth, one in enumerate(keys) if depth and one in wanted]
        if not named or not is_video_name(path.name):
            continue
        if confusable_key(split) in keys:
            of_the_split.add("/".join(folders[: max(named[0], keys.index(confusable_key(split))) + 1]))
        elif not any(confusable_key(other) in keys for other in SPLITS):
            of_any.add("/".join(folders[: named[0] + 1]))
    if chosen := of_the_split or of_any:
        return min(chosen)
    names = sorted({path.parts[1] for path in below if len(path.parts) > 1})
    listed = ", ".join(names[:_MOST_NAMED]) or "nothing"
    raise ResultError(
        f"{DEFAULT_REPO} has no folder of videos of {name} below {RESULTS_FOLDER} (it holds {listed}); download and "
        "unpack the videos of the row, and give the folder as `videos=`"
    )
