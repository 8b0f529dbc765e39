"""All stages one after another over the files of a synthetic dataset, with models that know the scenes."""

import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import count_decodes, count_opens
from helpers.tiny_detectors import save_grounding_dino, save_sam2

from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import caption, phrase
from opens2v_hf.masks.rle import decode
from opens2v_hf.pipeline.apply import apply_stages
from opens2v_hf.pipeline.clip_ids import whole_file
from opens2v_hf.pipeline.records import SourceFile
from opens2v_hf.pipeline.stages import STAGES, make_stages

RATED = {"aesthetic_encoder": "embedded", "aesthetic_head": "embedded"}


@pytest.fixture(scope="module")
def arguments(world) -> dict:
    return {
        "scenes": {"detector": "scenedetect"},
        "quality": RATED | {"motion_pairs": 2},
        "caption": {"captions": world.captions},
        "tags": {"tagger": "synthetic"},
        "detect": {"detector": world.oracle},
        "segment": {"segmenter": world.oracle},
        "scores": RATED | {"embedder": None},
    }


def test_from_files_to_filtered_clips(world, arguments: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, passes = count_opens(monkeypatch), count_decodes(monkeypatch)
    files = [whole_file(SourceFile(str(path), path.name)) for path in world.paths]

    result = apply_stages(files, make_stages(arguments))

    assert [clip.id for clip in result.clips] == [record.id for record in world.records]
    for clip, planned in zip(result.clips, world.planned, strict=True):
        x0, x1, y0, y1 = planned.crop
        assert (clip.crop_xyxy or (0, 0, *clip.source.size[::-1])) == (x0, y0, x1, y1)
        assert clip.caption == caption(planned.scene)
        rendered = render_frame(planned.scene, 0)
        truth = {phrase(s): mask for s, mask in zip(planned.scene.sprites, rendered.masks, strict=True) if mask.any()}
        found = {subject.label: decode(subject.mask) for subject in clip.subjects}
        assert set(truth) <= set(found)
        for label, mask in truth.items():
            np.testing.assert_array_equal(found[label], mask)
        assert set(clip.provenance) == set(STAGES)
        scores = (clip.technical, clip.motion, clip.aesthetic, clip.foreground_aesthetic, clip.background_aesthetic)
        assert all(score is not None for score in scores)
        assert clip.background_png.startswith(b"\x89PNG")
        assert len(clip.clip_phashes) == 3
    rules = Counter((drop.stage, drop.rule) for drop in result.dropped)
    assert rules[("scenes", "too_short")] == 2 * len(files), "the other shots at both ends"
    assert not any(rule == "error" for _, rule in rules)
    assert sorted(opened) == sorted(path.name for path in world.paths)
    # a file once for its scenes; a clip once for its standard frames, and once for the pairs whose motion is measured
    assert len(passes) == len(files) + 2 * len(result.clips)


def test_a_stage_applied_again_leaves_other_results(world, arguments: dict) -> None:
    clips = apply_stages(world.tagged(), make_stages(arguments, ["detect", "segment"])).clips

    again = apply_stages(clips, make_stages(arguments, ["deduplicate"])).clips

    for before, after in zip(clips, again, strict=True):
        assert after.provenance["segment"] == before.provenance["segment"]
        assert after == replace(before, provenance=after.provenance, subjects=after.subjects)


def test_stages_can_be_pickled_before_they_are_loaded() -> None:
    for stage in make_stages():
        assert pickle.loads(pickle.dumps(stage)).facts() == stage.facts()


def test_stages_take_real_networks_by_their_folder(world, tmp_path) -> None:
    """Grounding DINO and SAM 2 of random weights: nothing sensible is found, and everything fits together."""
    clip = replace(world.records[0], tags={"subject": ("red fox", "brown dog"), "background": ("snow",)})
    detector = {"name": str(save_grounding_dino(tmp_path / "dino")), "box_threshold": 0.0, "text_threshold": 0.0}
    arguments = {
        "detect": {"detector": detector, "max_boxes": 3},
        "segment": {"segmenter": str(save_sam2(tmp_path / "sam")), "max_part": 1.0},
    }

    result = apply_stages([clip], make_stages(arguments, ["detect", "segment"]))

    assert not [drop for drop in result.dropped if drop.rule == "error"], result.dropped
    for found in result.clips:
        assert {subject.label for subject in found.subjects} <= {"red fox", "brown dog", "snow"}
        assert all(subject.mask.size == clip.frame_size for subject in found.subjects)
        assert len(found.provenance["detect"]["detector"]["revision"]) >= 8
    assert result.clips or result.dropped
