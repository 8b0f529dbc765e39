"""A build of synthetic videos with everything that its report has to show: clips, drops of all kinds, pairs, views."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.oracles import SceneOracle, write_files
from helpers.view_endpoint import ColorEmbedder, png
from PIL import Image

from opens2v_hf.data.synthetic.dataset_plan import plan_dataset
from opens2v_hf.data.synthetic.scenes import caption
from opens2v_hf.pipeline.api import build_dataset
from opens2v_hf.pipeline.clip_ids import clip_id
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.pairs import PairOptions, make_pairs
from opens2v_hf.pipeline.stages.background import Background
from opens2v_hf.pipeline.stages.caption import Caption
from opens2v_hf.pipeline.stages.crop import Crop
from opens2v_hf.pipeline.stages.detect import Detect
from opens2v_hf.pipeline.stages.filters import Filters
from opens2v_hf.pipeline.stages.probe import Probe
from opens2v_hf.pipeline.stages.quality import Quality
from opens2v_hf.pipeline.stages.scenes import Scenes
from opens2v_hf.pipeline.stages.scores import Scores
from opens2v_hf.pipeline.stages.segment import Segment
from opens2v_hf.pipeline.stages.tags import SYNTHETIC, Tags
from opens2v_hf.pipeline.views import Edited, EditRequest, ViewOptions, make_views
from opens2v_hf.pipeline.views.editor import EditLostError, EditRefusedError


class Painter:
    """Paints a picture of one colour for each request; loses the second and refuses the third."""

    name = "painter"
    is_paid = True

    def __init__(self) -> None:
        self.calls = 0

    def facts(self) -> Mapping[str, Any]:
        return {"model": self.name}

    def edit(self, request: EditRequest) -> Edited:
        self.calls += 1
        if self.calls == 2:
            raise EditLostError("HTTP 500: <b>busy</b>")
        if self.calls == 3:
            raise EditRefusedError("not such a picture")
        import io

        return Edited(Image.open(io.BytesIO(png())).convert("RGB"), cost=0.25)


def reported_build(work: Path, *, clusters: int = 2, singles: int = 1) -> Path:
    """The folder of the dataset."""
    files = plan_dataset(clusters=clusters, clips_per_cluster=2, singles=singles)
    videos = work / "videos"
    videos.mkdir()
    write_files(files, videos)
    (videos / "broken.mp4").write_bytes(b"no video")
    (videos / "z copy.mp4").write_bytes((videos / files[0].name).read_bytes())
    (videos / "notes.txt").write_text("x")
    planned = [clip for file in files for clip in file.clips]
    captions = {clip_id(clip.file, *clip.cut): caption(clip.scene) for clip in planned}
    captions.pop(clip_id(planned[-1].file, *planned[-1].cut))
    oracle = SceneOracle(planned)
    stages = [
        Probe(),
        Scenes("scenedetect", min_seconds=1.0),
        Crop(),
        Quality(aesthetic_encoder="embedded", aesthetic_head="embedded", min_motion=0.01),
        Caption(captions=captions),
        Tags(tagger=SYNTHETIC),
        Detect(detector=oracle, max_part=0.9),
        Segment(segmenter=oracle),
        Background(),
        Scores(embedder="embedded", aesthetic_encoder="embedded", aesthetic_head="embedded"),
        Filters(min_area=0.02, min_text_similarity=0.2),
    ]
    folder = work / "dataset"
    build_dataset(videos, folder, options=BuildOptions(unit_files=4), stages=stages)
    make_pairs(folder, PairOptions(embedder="embedded"))
    options = ViewOptions(model="painter", embedder="embedded", concurrency=1)
    make_views(folder, options, editor=Painter(), embedder=ColorEmbedder())
    return folder
