"""Which clips and subjects go into the dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from opens2v_hf.data.opens2v5m.filters import PRESETS, Candidate, QualityFilter
from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stages.each_clip import ClipDroppedError, each_clip
from opens2v_hf.pipeline.subjects import dropped_subject, numbered

NO_RULES = QualityFilter(
    min_duration_s=0.0,
    max_duration_s=math.inf,
    min_short_side_px=0,
    min_aesthetic=None,
    min_area=0.0,
    max_iou=1.0,
    max_subjects=None,
)
"""Every clip and every subject passes."""


class Filters:
    """Drops what the rules of `QualityFilter` drop; they are those by which `load_dataset` filters with a preset.

    Rules for clips: "too_short", "too_long", "small_frame", "no_subject" (none is left). For subjects: see `Fault`. The
    dropped are counted by rule, so a preset shows what each of its rules costs: of the released record's real clip no
    subject passes the thresholds that the authors named to users (aesthetic 4.5, text similarity 0.6).

    Args:
        preset: a name of `PRESETS` ("high-quality": the rules of the released high-quality subset), or None for no
            rule.
        need_subject: whether a clip without any subject is dropped.
        **rules: of `QualityFilter`, over the preset, e.g. `min_text_similarity=0.6`.

    Raises:
        ArgumentError: there is no such preset or rule.
    """

    name = "filters"
    resources = Resources()

    def __init__(self, *, preset: str | None = None, need_subject: bool = True, **rules: Any) -> None:
        if preset is not None and preset not in PRESETS:
            raise ArgumentError(f"the presets of rules are {', '.join(PRESETS)} (got {preset=})")
        base = NO_RULES if preset is None else PRESETS[preset]
        known = asdict(base)
        for rule, value in rules.items():
            if rule not in known:
                raise ArgumentError(f"the rules are {', '.join(known)} (got {rule!r})")
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise ArgumentError(f"{rule} must be a number (got {value!r})")
        self.rules = replace(base, **rules)
        self.preset = preset
        self.need_subject = need_subject

    def load(self) -> None:
        """Nothing to load."""

    def facts(self) -> Mapping[str, Any]:
        """The rules."""
        rules = {name: None if value == math.inf else value for name, value in asdict(self.rules).items()}
        return {"preset": self.preset, "need_subject": self.need_subject, "rules": rules}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Filter some clips."""
        return each_clip(self.name, clips, self._apply)

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        self._check_clip(clip)
        height, width = clip.frame_size
        candidates = [Candidate(subject.mask, subject.aesthetic, subject.text_similarity) for subject in clip.subjects]
        kept = []
        for subject, fault in zip(clip.subjects, self.rules.faults(candidates, height * width), strict=True):
            if fault is None:
                kept.append(subject)
            else:
                lost.append(dropped_subject(clip, self.name, subject, fault.rule, fault.reason))
        if self.need_subject and not kept:
            raise ClipDroppedError("no_subject", f"none of its {len(clip.subjects)} subjects is left")
        return [clip.made_by(self.name, self.facts(), subjects=numbered(kept))]

    def _check_clip(self, clip: ClipRecord) -> None:
        rules = self.rules
        fps = clip.source.fps
        if not fps > 0:
            raise ArgumentError(f"{clip.id}: has no frame rate yet; apply the stage 'probe' first")
        seconds = clip.num_frames / fps
        if seconds < rules.min_duration_s:
            raise ClipDroppedError("too_short", f"{seconds:.2f} s, at least {rules.min_duration_s:g} s")
        if seconds > rules.max_duration_s:
            raise ClipDroppedError("too_long", f"{seconds:.2f} s, at most {rules.max_duration_s:g} s")
        short_side = min(clip.frame_size)
        if short_side < rules.min_short_side_px:
            raise ClipDroppedError(
                "small_frame", f"short side {short_side} px, at least {rules.min_short_side_px:g} px"
            )
