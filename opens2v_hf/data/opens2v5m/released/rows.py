"""Records as rows of the columns in `shards.schema`."""

from __future__ import annotations

from typing import Any

from opens2v_hf.data.opens2v5m.released.records import CrossPair, RegularRecord, cluster_of


def regular_row(
    record: RegularRecord, video: dict[str, Any] | None, background: dict[str, Any] | None
) -> dict[str, Any]:
    """A row of `REGULAR`.

    Args:
        record: the clip.
        video: its file, a dict of some keys of `BLOB`.
        background: the frame with its subjects painted out, likewise; None where there is none.
    """
    x0, x1, y0, y1 = record.crop
    return {
        "id": record.id,
        "part": record.part,
        "cluster_id": cluster_of(record.id),
        "caption": record.caption,
        "older_caption": record.older_caption,
        "clip": {"start": record.clip[0], "end": record.clip[1]},
        "cut": {"start": record.cut[0], "end": record.cut[1]},
        "crop": {"x0": x0, "x1": x1, "y0": y0, "y1": y1},
        "fps": record.fps,
        "num_frames": record.num_frames,
        "duration_s": record.duration_s,
        "file_height": record.file_size[0],
        "file_width": record.file_size[1],
        "frame_height": record.frame_size[0],
        "frame_width": record.frame_size[1],
        "short_side_px": min(record.frame_size),
        "technical": record.technical,
        "motion": record.motion,
        "aesthetic": record.aesthetic,
        "foreground_aesthetic": record.foreground_aesthetic,
        "background_aesthetic": record.background_aesthetic,
        "tags": {kind: list(words) for kind, words in record.tags.items()},
        "frame_index": record.frame_index,
        "subjects": [
            {
                "id": subject.id,
                "label": subject.label,
                "box": list(subject.box_xyxy),
                "mask": None if subject.mask is None else subject.mask.to_dict(),
                "mask_score": subject.mask_score,
                "text_similarity": subject.text_similarity,
                "aesthetic": subject.aesthetic,
            }
            for subject in record.subjects
        ],
        "background": background,
        "video": video,
    }


def pair_row(pair: CrossPair) -> dict[str, Any]:
    """A row of `CROSS_PAIRS`."""
    sides = {"current": pair.current, "other": pair.other}
    return {
        "cluster_id": pair.cluster_id,
        **{f"{side}_{name}": value for side, member in sides.items() for name, value in vars(member).items()},
        "text_similarity": pair.text_similarity,
        "image_similarity": pair.image_similarity,
    }
