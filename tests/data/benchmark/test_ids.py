"""The compact rule of ids says what the released prompt files say."""

import hashlib

import pytest

from opens2v_hf.data.benchmark.ids import PROMPT_SHA256, applicable_ids, split_ids
from opens2v_hf.data.benchmark.prompts import PROMPT_FILES, parse_eval_prompts
from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.scorecard import COLUMNS


@pytest.mark.parametrize("split", PROMPT_FILES)
def test_ids_are_those_of_the_released_files(shared_data, split):
    content = (shared_data / "opens2v-eval" / PROMPT_FILES[split]).read_bytes()
    samples = parse_eval_prompts(content, source="released", split=split)
    assert split_ids(split) == {sample.id: sample.category for sample in samples}
    for column in COLUMNS:
        assert applicable_ids(column, split) == {sample.id for sample in samples if column in sample.metrics}
    assert PROMPT_SHA256[split] == hashlib.sha256(content).hexdigest()


def test_published_counts():
    assert [len(split_ids(split)) for split in ("open-domain", "human-domain", "single-domain")] == [180, 60, 90]
    assert len(applicable_ids("nexusscore", "open-domain")) == 141
    assert applicable_ids("nexusscore", "human-domain") == frozenset()


def test_unknown_names_are_errors():
    with pytest.raises(ArgumentError, match="no split 'Open-Domain'"):
        split_ids("Open-Domain")
    with pytest.raises(ArgumentError, match="no column 'total'"):
        applicable_ids("total", "open-domain")
