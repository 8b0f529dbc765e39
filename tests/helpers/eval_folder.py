"""A small folder in OpenS2V-Eval's released layout."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

OPEN_IDS = ["singleobj_1", "faceobj_2", "singleface_3", "multiface_4"]
HUMAN_IDS = ["singleface_3", "singlehuman_1"]
SINGLE_IDS = ["singleobj_1", "singleface_3"]

COLOURS = {
    "Images/singleobject/cup/1.png": (200, 30, 30),
    "Images/humanobj/human/man/2.jpg": (30, 200, 30),
    "Images/humanobj/thing/ball/2.png": (30, 30, 200),
    "Images/singleface/crop_woman/3.png": (200, 200, 30),
    "Images/multiface/crop_man/4.png": (30, 200, 200),
    "Images/multiface/crop_woman/4.png": (200, 30, 200),
    "Images/singlehuman/crop_man/1.png": (90, 90, 90),
}
SIZE = (24, 16)


def record(paths: list[str], labels: list[str], flag: str, prompt: str = "A prompt.") -> dict[str, object]:
    return {"img_paths": paths, "prompt": prompt, "synthesis_flag": flag, "class_label": labels}


RECORDS = {
    "singleobj_1": record(["Images/singleobject/cup/1.png"], ["Cup"], "wrong", "A red cup."),
    "faceobj_2": record(
        ["Images/humanobj/human/man/2.jpg", "Images/humanobj/thing/ball/2.png"], ["Man", "Ball"], "Wrong", "A man."
    ),
    "singleface_3": record(["Images/singleface/crop_woman/3.png"], ["Woman"], "Wrong", "A woman."),
    "multiface_4": record(
        ["Images/multiface/crop_man/4.png", "Images/multiface/crop_woman/4.png"], ["Man", "Woman"], "True", "Two."
    ),
    "singlehuman_1": record(["Images/singlehuman/crop_man/1.png"], ["Man"], "wrong", "A person."),
}


def write_eval_folder(folder: Path) -> Path:
    """Write three prompt files and one picture of one colour for each reference; returns the folder."""
    for name, ids in (("Open", OPEN_IDS), ("Human", HUMAN_IDS), ("Single", SINGLE_IDS)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}-Domain_Eval.json").write_text(json.dumps({id_: RECORDS[id_] for id_ in ids}))
    for path, colour in COLOURS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, colour).save(folder / path)
    return folder
