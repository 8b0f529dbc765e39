import math

import pytest

from opens2v_hf.scores.outcome import Status, VideoScore, summarize


def test_a_mean_rests_on_scored_videos_only_and_counts_the_others() -> None:
    summary = summarize(
        [
            VideoScore.scored(1.0),
            VideoScore.failed("broken"),
            VideoScore.scored(0.0),
            VideoScore.not_applicable("no reference left"),
            VideoScore.scored(0.5),
        ]
    )
    assert summary.mean == 0.5
    assert (summary.num_scored, summary.num_failed, summary.num_not_applicable) == (3, 1, 1)
    assert summary.interval is not None
    assert summary.interval[0] < 0.5 < summary.interval[1]


def test_a_score_of_zero_counts() -> None:
    assert summarize([VideoScore.scored(0.0), VideoScore.scored(1.0)]).mean == 0.5


def test_one_video_has_a_mean_and_no_interval_and_none_has_neither() -> None:
    assert summarize([VideoScore.scored(0.25)]).interval is None
    nothing = summarize([VideoScore.failed("x")])
    assert nothing.mean is None
    assert nothing.interval is None


@pytest.mark.parametrize(
    ("status", "value"),
    [(Status.SCORED, None), (Status.FAILED, 0.0), (Status.NOT_APPLICABLE, 1.0), (Status.SCORED, math.nan),
     (Status.SCORED, math.inf)],
)  # fmt: skip
def test_status_and_value_never_contradict(status: Status, value: float | None) -> None:
    with pytest.raises(ValueError, match=r"value|finite"):
        VideoScore(status, value)


def test_the_json_form_of_variants_and_references() -> None:
    score = VideoScore.scored(0.5, variants={"released": 0.5, "raw": None}, references=[{"label": "Dog"}], frames=[1])
    assert score.to_dict() == {
        "status": "scored",
        "value": 0.5,
        "details": {"references": [{"label": "Dog"}], "frames": [1], "variants": {"released": 0.5, "raw": None}},
    }
    read = VideoScore.from_dict(score.to_dict())
    assert (read.variants, read.references) == ({"released": 0.5, "raw": None}, [{"label": "Dog"}])
    assert read.details == {"frames": [1]}
    assert read.by_variant("raw").reason == "the score is not a number by the variant 'raw'"
