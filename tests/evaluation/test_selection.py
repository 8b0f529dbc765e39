import pytest

from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.data.synthetic.eval_layout import write_eval
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.selection import Selection


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[EvalSample, ...]:
    """Three of each of the eight categories."""
    write_eval(tmp_path_factory.mktemp("selection"), per_category=3)
    return open_split("open-domain", data_dir=str(tmp_path_factory.getbasetemp() / "selection0")).samples


def _ids(chosen: list[EvalSample]) -> list[str]:
    return [sample.id for sample in chosen]


def test_a_limit_takes_from_the_categories_in_turn(samples: tuple[EvalSample, ...]) -> None:
    everything = {sample.id for sample in samples}
    chosen = Selection(limit=8).choose(samples, everything)
    assert len({sample.category for sample in chosen}) == 8
    assert all(sample.id.endswith("_1") for sample in chosen)
    # in the order of the split, and only what has a video
    some = Selection(limit=3).choose(samples, {"singleobj_2", "singleobj_3", "faceobj_1", "faceobj_3"})
    assert set(_ids(some)) == {"singleobj_2", "faceobj_1", _ids(some)[1]}
    order = _ids(list(samples))
    assert _ids(some) == sorted(_ids(some), key=order.index)
    assert len(Selection(limit=1000).choose(samples, everything)) == len(samples)


def test_ids_and_categories_restrict_the_samples(samples: tuple[EvalSample, ...]) -> None:
    selection = Selection.of(None, "singleobj_2, faceobj_1", None)
    chosen = selection.choose(samples, {"faceobj_1"})
    assert set(_ids(chosen)) == {"singleobj_2", "faceobj_1"}  # one of them has no video, and is missing
    assert selection.describe() == "ids singleobj_2, faceobj_1"
    both = Selection.of(2, None, ["singleface", "singleobj"]).choose(samples, {s.id for s in samples})
    assert sorted(_ids(both)) == ["singleface_1", "singleobj_1"]


@pytest.mark.parametrize(
    ("limit", "ids", "category", "message"),
    [
        (0, None, None, "limit must be a whole number of at least 1"),
        (2.5, None, None, "limit must be a whole number of at least 1"),
        (True, None, None, "limit must be a whole number of at least 1"),
        (None, ",", None, "ids must name at least one"),
        (None, "singleobj1", None, "no sample 'singleobj1'; did you mean singleobj_1"),
        (None, None, "single-face", "no category 'single-face'; did you mean singleface"),
        (None, "SINGLEOBJ_1", None, "no sample 'SINGLEOBJ_1'; did you mean singleobj_1"),
        (None, "singleobj_3", None, r"none of the 1 selected samples .* has a video, such as singleobj_3\.mp4"),
        (2, "singleobj_3", "faceobj", "selected by all of these: limit 2; ids singleobj_3; categories faceobj"),
    ],
)
def test_wrong_selections_are_refused(
    samples: tuple[EvalSample, ...], limit: object, ids: str | None, category: str | None, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        Selection.of(limit, ids, category).choose(samples, {"faceobj_1"})  # type: ignore[arg-type]
