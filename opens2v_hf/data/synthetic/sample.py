"""The whole synthetic sample in one folder: benchmark, videos of simulated models, dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opens2v_hf.data.synthetic.dataset_layout import write_dataset
from opens2v_hf.data.synthetic.eval_layout import PER_CATEGORY, check_seed, eval_ids, write_eval, write_generated
from opens2v_hf.data.synthetic.simulated import SAMPLE_MODELS


@dataclass(frozen=True)
class SampleFolders:
    """The folders of a sample.

    Attributes:
        benchmark: prompt files and reference pictures, OpenS2V-Eval's layout.
        videos: simulated model -> folder of `<id>.mp4`.
        dataset: OpenS2V-5M's layout.
    """

    benchmark: Path
    videos: dict[str, Path]
    dataset: Path


def write_sample(
    folder: Path,
    *,
    per_category: int = PER_CATEGORY,
    seed: int = 0,
    on_file: Callable[[Path], object] | None = None,
) -> SampleFolders:
    """Writes `opens2v-eval/`, `videos/<model>/` and `opens2v-5m/`; the same bytes for the same arguments.

    Args:
        folder: where to; made if it is missing, files of the same names are replaced.
        per_category: ids of each of the eight prefixes.
        seed: of the sample, 0 to 99.
        on_file: called with each file that is written.

    Raises:
        ArgumentError: a number or seed out of range; nothing has been written then.
    """
    check_seed(seed)
    eval_ids(per_category)
    benchmark = write_eval(folder / "opens2v-eval", per_category=per_category, seed=seed, on_file=on_file)
    videos = {}
    for model in SAMPLE_MODELS:
        videos[model] = folder / "videos" / model
        write_generated(videos[model], model, per_category=per_category, seed=seed, on_file=on_file)
    return SampleFolders(benchmark, videos, write_dataset(folder / "opens2v-5m", seed=seed, on_file=on_file))
