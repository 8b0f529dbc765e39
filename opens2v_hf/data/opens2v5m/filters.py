"""Which rows and subjects to keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opens2v_hf.errors import ArgumentError, MaskError
from opens2v_hf.masks import geometry
from opens2v_hf.masks.rle import RLE

Condition = tuple[str, str, Any]
Filters = Sequence[Condition] | Sequence[Sequence[Condition]]


@dataclass(frozen=True)
class Candidate:
    """The values of a subject that the rules compare.

    Attributes:
        mask: in the frame; None where it has none.
        aesthetic: about 1..10; None where it has no score.
        text_similarity: of its cut-out and its label, cosine; None where it has none.
    """

    mask: RLE | None
    aesthetic: float | None
    text_similarity: float | None = None


@dataclass(frozen=True)
class Fault:
    """Why a subject is dropped.

    Attributes:
        rule: "no_mask", "low_aesthetic", "low_similarity", "small_mask", "overlap" or "beyond_best".
        reason: with the value and the threshold.
    """

    rule: str
    reason: str


@dataclass(frozen=True)
class QualityFilter:
    """The filter of the authors' high-quality subset (arXiv 2505.20292, thresholds as released).

    A row must satisfy the bounds on its duration and size. Of its subjects those with a low aesthetic score or a small
    mask are dropped, then of two masks that overlap the smaller, then all but the best `max_subjects` by aesthetic
    score. A row without a subject left is dropped.

    Attributes:
        min_duration_s: of the clip, in seconds, inclusive.
        max_duration_s: likewise.
        min_short_side_px: of the frame after crop, inclusive.
        min_aesthetic: of a subject, inclusive; a subject without a score is dropped. None for no bound.
        min_area: of a subject's mask as a part of the frame, inclusive.
        max_iou: of two masks, inclusive.
        max_subjects: that a row keeps; None for all.
        min_text_similarity: of a subject's cut-out and its label, inclusive; None for no bound, as in that subset. A
            subject without one is dropped where there is a bound.
    """

    min_duration_s: float = 2.0
    max_duration_s: float = 10.0
    min_short_side_px: int = 480
    min_aesthetic: float | None = 4.5
    min_area: float = 1 / 32
    max_iou: float = 0.8
    max_subjects: int | None = 6
    min_text_similarity: float | None = None

    @property
    def conditions(self) -> list[Condition]:
        """The conditions on the plain columns of a row."""
        return [
            ("duration_s", ">=", self.min_duration_s),
            ("duration_s", "<=", self.max_duration_s),
            ("short_side_px", ">=", self.min_short_side_px),
        ]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `keep` needs."""
        return ("id", "frame_height", "frame_width", "subjects")

    def keep(self, table: pa.Table, malformed: Callable[[str, str], object]) -> pa.Table:
        """The table with its subjects filtered, without the rows that keep none.

        Args:
            table: of at least `columns`.
            malformed: called with the id of a row that holds a mask that is malformed, and what is wrong with it; the
                row is left out.
        """
        selected = []
        for row in table.select(list(self.columns)).to_pylist():
            try:
                selected.append(self.select(row["subjects"] or [], row["frame_height"] * row["frame_width"]))
            except MaskError as error:
                malformed(row["id"], str(error))
                selected.append([])
        position = table.schema.get_field_index("subjects")
        field = table.schema.field(position)
        table = table.set_column(position, field, pa.array(selected, type=field.type))
        return table.filter(pa.array([bool(subjects) for subjects in selected], type=pa.bool_()))

    def select(self, subjects: Sequence[dict[str, Any]], frame_pixels: int) -> list[dict[str, Any]]:
        """The subjects of a row that it keeps, in their order.

        Args:
            subjects: as the rows hold them.
            frame_pixels: area of the frame.

        Raises:
            MaskError: a mask is malformed; the message names the subject.
        """
        candidates = []
        for subject in subjects:
            scores = (subject["aesthetic"], subject["text_similarity"])
            mask: RLE | None = None
            # The mask of a subject that its scores rule out is not read, and may be malformed.
            if subject["mask"] is not None and self._score_fault(*scores) is None:
                try:
                    mask = RLE.from_dict(subject["mask"])
                    geometry.area(mask)
                except MaskError as error:
                    raise MaskError(f"the mask of subject {subject['id']}: {error}") from error
            candidates.append(Candidate(mask, *scores))
        faults = self.faults(candidates, frame_pixels)
        return [subject for subject, fault in zip(subjects, faults, strict=True) if fault is None]

    def faults(self, subjects: Sequence[Candidate], frame_pixels: int) -> list[Fault | None]:
        """The rule by which each of the subjects of a row is dropped; None where it stays.

        Args:
            subjects: of one frame.
            frame_pixels: area of the frame.

        Raises:
            MaskError: a mask is malformed.
        """
        found = [self._own_fault(subject, frame_pixels) for subject in subjects]
        masks = {
            index: subject.mask
            for index, subject in enumerate(subjects)
            if found[index] is None and subject.mask is not None
        }
        left = list(masks)
        for index, larger in zip(left, geometry.covered_by(list(masks.values()), self.max_iou), strict=True):
            if larger is not None:
                overlap = geometry.iou(masks[index], masks[left[larger]])
                found[index] = Fault("overlap", f"IoU {overlap:.2f} with a larger mask, at most {self.max_iou:g}")
        if self.max_subjects is not None:
            distinct = [index for index in left if found[index] is None]
            distinct.sort(key=lambda index: (-(subjects[index].aesthetic or 0.0), -geometry.area(masks[index])))
            for index in distinct[self.max_subjects :]:
                found[index] = Fault("beyond_best", f"it is not among the best {self.max_subjects} by aesthetic score")
        return found

    def _own_fault(self, subject: Candidate, frame_pixels: int) -> Fault | None:
        fault = self._score_fault(subject.aesthetic, subject.text_similarity)
        if fault is not None:
            return fault
        if subject.mask is None:
            return Fault("no_mask", "it has no mask")
        part = geometry.area(subject.mask) / frame_pixels
        if part < self.min_area:
            return Fault("small_mask", f"it covers {part:.4f} of the frame and must cover at least {self.min_area:.4f}")
        return None

    def _score_fault(self, aesthetic: float | None, text_similarity: float | None) -> Fault | None:
        for rule, name, value, bound in (
            ("low_aesthetic", "aesthetic score", aesthetic, self.min_aesthetic),
            ("low_similarity", "text similarity", text_similarity, self.min_text_similarity),
        ):
            if bound is not None and (value is None or not value >= bound):
                shown = "none" if value is None else f"{value:.3f}"
                return Fault(rule, f"its {name} must be at least {bound:g} (got {shown})")
        return None


PRESETS = {"high-quality": QualityFilter()}


@dataclass(frozen=True)
class RowFilter:
    """Conditions on plain columns, in disjunctive normal form, as pyarrow knows them.

    Attributes:
        columns: that the conditions name.
        expression: the conditions.
    """

    columns: tuple[str, ...]
    expression: pc.Expression


def row_filter(filters: Filters | None, conditions: Sequence[Condition], schema: pa.Schema) -> RowFilter | None:
    """Joins the filters of the user and the conditions of a preset.

    Args:
        filters: `[(column, operator, value), ...]`, all of which must hold, or a list of such lists, one of which must.
        conditions: which must hold too.
        schema: of the rows.

    Returns:
        None without any condition.

    Raises:
        ArgumentError: a condition is malformed or names no plain column.
    """
    alternatives = _alternatives(filters)
    if not alternatives and not conditions:
        return None
    together = [[*alternative, *conditions] for alternative in alternatives or [[]]]
    names = dict.fromkeys(condition[0] for alternative in together for condition in alternative)
    for name in names:
        if name not in schema.names or pa.types.is_nested(schema.field(name).type):
            plain = [field.name for field in schema if not pa.types.is_nested(field.type)]
            raise ArgumentError(f"filters cannot use {name!r}; they can use {', '.join(plain)}")
    try:
        expression = pq.filters_to_expression(together)
        # Types are compared here, where it is known that the filter is at fault and no file.
        schema.empty_table().filter(expression)
        return RowFilter(tuple(names), expression)
    except (ValueError, TypeError, OverflowError, pa.ArrowException) as error:
        raise ArgumentError(f"filters={filters!r} cannot be used: {error}") from error


def _alternatives(filters: Filters | None) -> list[list[Condition]]:
    if filters is None:
        return []
    if not isinstance(filters, list | tuple):
        raise ArgumentError(f"filters must be a list of (column, operator, value), got {filters!r}")
    groups = [filters] if filters and isinstance(filters[0], tuple) else filters
    for group in groups:
        if not isinstance(group, Sequence) or isinstance(group, str):
            raise ArgumentError(f"filters must be a list of (column, operator, value), got {filters!r}")
        for condition in group:
            if not isinstance(condition, tuple) or len(condition) != 3 or not isinstance(condition[0], str):
                raise ArgumentError(f"a filter must be (column, operator, value), got {condition!r}")
    return [list(group) for group in groups]
