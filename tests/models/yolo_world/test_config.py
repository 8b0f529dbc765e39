import json

import pytest

from opens2v_hf.errors import ModelError
from opens2v_hf.models.yolo_world.config import YoloWorldConfig


def test_the_defaults_are_the_released_widths():
    config = YoloWorldConfig()
    assert config.stem_width == 64
    assert config.stage_widths == (128, 256, 512, 512)
    assert config.stage_depths == (3, 6, 6, 3)
    assert config.level_widths == (256, 512, 512)
    assert (config.neck_depth, config.projector_width) == (3, 1024)


def test_a_written_configuration_reads_back(tmp_path):
    config = YoloWorldConfig(widen_factor=0.25, deepen_factor=0.33, image_size=224, num_heads=(2, 4, 4))
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    assert YoloWorldConfig.from_file(tmp_path / "config.json") == config


def test_the_released_spelling_is_read():
    config = YoloWorldConfig.from_dict(
        {
            "widen_factor": 0.125,
            "in_channels": [32, 64, 64],
            "img_scale": [320, 320],
            "test_cfg": {"multi_label": True, "nms_pre": 1000, "score_thr": 0.01, "iou": 0.6, "max_per_img": 200},
            "post": {"nms": 0.6, "score_thr": 0.4, "max": 50},
        }
    )
    assert (config.image_size, config.pre_max, config.pre_score_threshold) == (320, 1000, 0.01)
    assert (config.nms_iou, config.nms_max, config.score_threshold, config.max_detections) == (0.6, 200, 0.4, 50)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"widen": 1.0}, "unknown keys: widen"),
        ({"image_size": 100}, "multiple of 32"),
        ({"head_embed_dims": 256}, "one width"),
        ({"num_heads": [3, 8, 8]}, r"num_heads must divide .* 128 \(got \(3, 8, 8\)"),
        ({"in_channels": [1, 2, 3]}, r"in_channels is \[1, 2, 3\]"),
        ({"img_scale": [320, 640]}, "square"),
        ({"widen_factor": "wide"}, "does not describe"),
        ({"num_heads": [4, 8]}, "does not describe"),
        ({"test_cfg": {"iou": 0.7}, "post": {"nms": 0.5}}, "one threshold"),
    ],
)
def test_contradictions_are_named(values, message):
    with pytest.raises(ModelError, match=message):
        YoloWorldConfig.from_dict(values)


def test_files_that_are_no_configuration(tmp_path):
    for name, content in (("list.json", "[]"), ("broken.json", "{")):
        (tmp_path / name).write_text(content)
        with pytest.raises(ModelError, match=name):
            YoloWorldConfig.from_file(tmp_path / name)
    with pytest.raises(ModelError, match=r"missing\.json"):
        YoloWorldConfig.from_file(tmp_path / "missing.json")
