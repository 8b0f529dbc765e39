"""Several videos of each sample, one for each seed."""

import json

import numpy as np
import pytest
from helpers.eval_folder import OPEN_IDS, write_eval_folder
from helpers.stripes import Stripes, make

from opens2v_hf.errors import ArgumentError, GenerationError


@pytest.fixture
def benchmark(tmp_path):
    return write_eval_folder(tmp_path / "benchmark")


def seeds_of(stripes):
    return sorted({request.seed for request in stripes.requests})


def test_each_seed_has_a_folder_laid_out_like_a_run_of_its_own(benchmark, tmp_path):
    stripes = Stripes()
    run = make(stripes, benchmark, tmp_path, seeds=[42, np.int64(43), 7])
    assert (run.settings.seed, list(run.others)) == (42, [43, 7])
    assert len(stripes.requests) == 3 * len(OPEN_IDS)
    for seed, folder in ((42, "out/videos"), (43, "out/seed-43/videos"), (7, "out/seed-7/videos")):
        record = json.loads((tmp_path / folder / "singleobj_1.json").read_text())
        assert (record["seed"], (tmp_path / folder / "singleobj_1.mp4").is_file()) == (seed, True)
        about = json.loads((tmp_path / folder / "generation.json").read_text())
        assert (about["seed"], about["seeds"]) == (seed, [42, 43, 7])
    videos = [(tmp_path / folder / "singleobj_1.mp4").read_bytes() for folder in ("out/videos", "out/seed-43/videos")]
    assert videos[0] != videos[1]


def test_a_seed_that_is_added_costs_no_other_one(benchmark, tmp_path):
    make(Stripes(), benchmark, tmp_path)
    again = Stripes()
    run = make(again, benchmark, tmp_path, seeds=[42, 43])
    assert seeds_of(again) == [43]
    assert (run.num_reused, run.others[43].num_reused) == (len(OPEN_IDS), 0)
    again = Stripes()
    make(again, benchmark, tmp_path, seeds=[42, 43])
    assert again.requests == []
    # and it is what a run of that seed alone makes
    make(Stripes(), benchmark, tmp_path / "alone", seed=43)
    videos = [tmp_path / place / "videos/faceobj_2.mp4" for place in ("out/seed-43", "alone/out")]
    assert videos[0].read_bytes() == videos[1].read_bytes()


def test_a_failure_with_one_seed_is_listed_for_that_seed(benchmark, tmp_path):
    class Moody(Stripes):
        def generate(self, request, progress=None):
            if (request.id, request.seed) == ("faceobj_2", 43):
                raise GenerationError("not today")
            return super().generate(request, progress)

    run = make(Moody(), benchmark, tmp_path, seeds=[42, 43])
    assert (run.failed, run.others[43].failed) == ({}, {"faceobj_2": "not today"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": []}, "at least one"),
        ({"seeds": "42"}, "seeds must be a list"),
        ({"seeds": [42, 42]}, "must be named once"),
        ({"seeds": [42, -1]}, "seed must be a whole number"),
        ({"seeds": [1, True]}, "each a whole number"),
        ({"seeds": [42, 43], "seed": 3}, "either `seed=` or `seeds=`"),
    ],
)
def test_wrong_use_is_refused(benchmark, tmp_path, options, words):
    with pytest.raises(ArgumentError) as raised:
        make(Stripes(), benchmark, tmp_path, **options)
    assert words in str(raised.value)
