"""The files of a small synthetic dataset, cut into clips, with their true contents."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from helpers.clips import clip_of
from helpers.oracles import SceneOracle, write_files

from opens2v_hf.data.synthetic.dataset_layout import background_tag
from opens2v_hf.data.synthetic.dataset_plan import DatasetClip, plan_dataset
from opens2v_hf.data.synthetic.scenes import ObjectSprite, caption, phrase
from opens2v_hf.pipeline.clip_ids import clip_id
from opens2v_hf.pipeline.records import ClipRecord


@dataclass(frozen=True)
class World:
    """Clips as planned and as records, in one order; the records know their place and crop, and nothing else."""

    planned: tuple[DatasetClip, ...]
    records: tuple[ClipRecord, ...]
    paths: tuple[Path, ...]

    @property
    def oracle(self) -> SceneOracle:
        return SceneOracle(self.planned)

    @property
    def captions(self) -> dict[str, str]:
        return {record.id: caption(clip.scene) for record, clip in zip(self.records, self.planned, strict=True)}

    def tagged(self) -> list[ClipRecord]:
        """The records with captions and true tags."""
        return [
            replace(
                record,
                caption=caption(clip.scene),
                tags={
                    "background": (background_tag(clip.scene),),
                    "subject": tuple(phrase(s) for s in clip.scene.sprites if not isinstance(s, ObjectSprite)),
                    "object": tuple(phrase(s) for s in clip.scene.sprites if isinstance(s, ObjectSprite)),
                },
            )
            for record, clip in zip(self.records, self.planned, strict=True)
        ]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    files = plan_dataset(clusters=1, clips_per_cluster=2, singles=2)
    paths = write_files(files, tmp_path_factory.mktemp("world"))
    planned = [clip for file in files for clip in file.clips]
    sources = {path.name: clip_of(path) for path in paths}
    records = []
    for clip in planned:
        x0, x1, y0, y1 = clip.crop
        start, end = clip.cut
        whole = sources[clip.file]
        crop = (x0, y0, x1, y1)
        records.append(replace(whole, id=clip_id(clip.file, start, end), start=start, end=end, crop_xyxy=crop))
    return World(tuple(planned), tuple(records), tuple(paths))
