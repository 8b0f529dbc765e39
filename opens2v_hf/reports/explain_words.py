"""The explanation of a NexusScore as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from opens2v_hf.reports.explanation import Explanation, ReferenceView, Seen
from opens2v_hf.scores.nexus import Thresholds, Verdict
from opens2v_hf.scores.outcome import Status


@dataclass(frozen=True)
class VariantExplanation:
    """A definition of the score with the video's own numbers."""

    variant: str  # its name
    value: float  # of the video
    derivation: str  # of the value, as the rest of a sentence
    remark: str  # about the definition


def rule_words(verdict: Verdict, thresholds: Thresholds) -> str:
    """The meaning of a verdict, as the rest of a sentence about a box."""
    return {
        Verdict.KEPT: "kept",
        Verdict.LOW_BOX_SCORE: f"the detector's score is not above {thresholds.box_score:g}",
        Verdict.EMPTY_CROP: "the box has no pixel",
        Verdict.LOW_TEXT_SIMILARITY: f"the similarity with the label is not above {thresholds.text_similarity:g}",
        Verdict.ZERO_IMAGE_SIMILARITY: "the similarity with the picture is exactly 0",
    }[verdict]


def dropped_words(reference: ReferenceView, thresholds: Thresholds) -> str:
    """Number of boxes of a reference that each rule dropped; empty without any."""
    return "; ".join(
        f"{number} because {rule_words(verdict, thresholds)}"
        for verdict in Verdict
        if verdict is not Verdict.KEPT and (number := reference.verdicts.get(verdict, 0))
    )


def headline(explanation: Explanation) -> str:
    """The score, or why there is none."""
    outcome = explanation.outcome
    if outcome.status is Status.SCORED and outcome.value is not None:
        return f"NexusScore ({explanation.variant}) {outcome.value:.4f}"
    return "No NexusScore: " + ("it does not apply" if outcome.status is Status.NOT_APPLICABLE else "it failed")


def variant_explanations(explanation: Explanation) -> list[VariantExplanation]:
    """Every definition with the video's numbers; empty if the video has no score."""
    scores = explanation.scores
    if not scores:
        return []
    kept = [box.image_similarity for box in explanation.boxes if box.kept and box.image_similarity is not None]
    pairs = len({(box.frame, box.reference) for box in explanation.boxes})
    best = [moment.similarity for reference in explanation.searched for moment in reference.timeline]
    found = [value for value in best if value is not None]
    if kept:
        mean = f"the mean similarity of {_count(len(kept), 'kept box', 'kept boxes')}, {sum(kept) / len(kept):.4f}"
        released = f"{mean}, divided by the {_count(explanation.frames_with_box, 'frame')} with any box"
        first = f"{mean}, divided by the {_count(pairs, 'pair')} of frame and reference with any box"
        positions = f"{_count(explanation.num_frames, 'frame')} × {_count(len(explanation.searched), 'reference')}"
        noun = "similarity" if len(found) == 1 else "similarities"
        coverage = f"the sum of {len(found)} best kept {noun}, {sum(found):.4f}, divided by {positions}"
    else:
        released = first = coverage = "0 because no box is kept"
    return [
        VariantExplanation("released", scores["released"], released, "the leaderboard's definition, and the paper's"),
        VariantExplanation("v1.0", scores["v1.0"], first, "the first release's definition"),
        VariantExplanation("coverage", scores["coverage"], coverage, "a frame without the subject counts as 0"),
    ]


def why(explanation: Explanation) -> list[str]:
    """Why the score has its value, in sentences, the most important first."""
    return [sentence for part in (_outcome, _coverage, _references, _skipped) for sentence in part(explanation)]


def _outcome(explanation: Explanation) -> Iterator[str]:
    outcome = explanation.outcome
    if outcome.status is Status.NOT_APPLICABLE:
        yield f"The score does not apply: {outcome.reason}. The video is left out of the mean and does not count as 0."
        return
    if outcome.status is Status.FAILED:
        yield f"There is no score: {outcome.reason}. The video is left out of the mean and listed as failed."
        return
    if not explanation.boxes:
        yield (
            f"In none of the {_count(explanation.num_frames, 'frame')} did the detector find anything similar to "
            "a reference picture, so there is nothing to compare and the score is 0."
        )
    elif not any(box.kept for box in explanation.boxes):
        yield (
            f"The detector gave {_count(len(explanation.boxes), 'box', 'boxes')}, and the rules drop every one, "
            "so the score is 0."
        )
    else:
        (explained,) = [found for found in variant_explanations(explanation) if found.variant == explanation.variant]
        yield f"{explanation.outcome.value:.4f} ({explained.variant}) is {explained.derivation}."


def _coverage(explanation: Explanation) -> Iterator[str]:
    scores = explanation.scores
    if not scores or not explanation.boxes:
        return
    empty = explanation.num_frames - explanation.frames_with_box
    if empty and any(box.kept for box in explanation.boxes):
        yield (
            f"{_count(empty, 'frame')} of {explanation.num_frames} {_be(empty)} without any box. The released "
            f"definition divides by the {explanation.frames_with_box} others only, so these gaps raise the score; "
            f"coverage counts them as 0 and gives {scores['coverage']:.4f}."
        )
    found = {box.frame for box in explanation.boxes if box.kept}
    useless = explanation.frames_with_box - len(found)
    if useless and found:
        yield (
            f"{_count(useless, 'frame')} {'has' if useless == 1 else 'have'} boxes of which none is kept. They add "
            "nothing to the mean similarity, and the released definition still divides by them."
        )


def _references(explanation: Explanation) -> Iterator[str]:
    for reference in explanation.searched:
        yield _reference(explanation, reference)


def _reference(explanation: Explanation, reference: ReferenceView) -> str:
    name = f"Reference {reference.position + 1} ({reference.label})"
    if reference.text != reference.label:
        name += f", read as {reference.text!r},"
    frames = explanation.num_frames
    found, dropped, absent = (reference.num_frames(seen) for seen in (Seen.FOUND, Seen.DROPPED, Seen.ABSENT))
    if absent == frames:
        return f"{name} was not detected in any of {_count(frames, 'frame')}."
    sentence = f"{name} was found in {found} of {_count(frames, 'frame')}"
    best = reference.best
    if best is not None:
        position, similarity = best
        where = f"frame {explanation.frame_indices[position]} ({explanation.seconds(position):.2f} s)"
        sentence += f", most like its picture in {where} with similarity {similarity:.3f}"
    sentence += "."
    if absent:
        sentence += f" In {_count(absent, 'frame')} it was not detected."
    if dropped:
        sentence += f" In {_count(dropped, 'frame')} it was detected and every box dropped."
    if rules := dropped_words(reference, explanation.thresholds):
        sentence += f" Boxes dropped: {rules}."
    return sentence


def _skipped(explanation: Explanation) -> Iterator[str]:
    for reference in explanation.references:
        if reference.text is None:
            yield (
                f"Reference {reference.position + 1} ({reference.label}) was not searched for: the released rules skip "
                f"people in an id that contains 'face' ({explanation.sample_id})."
            )


def _count(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def _be(number: int) -> str:
    return "is" if number == 1 else "are"
