import hashlib
from pathlib import Path

import pytest

from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.errors import ArgumentError, SampleError


def test_the_real_split_has_its_180_samples_and_their_provenance(shared_data: Path) -> None:
    folder = shared_data / "opens2v-eval"
    split = open_split("open-domain", data_dir=str(folder))
    assert len(split.samples) == 180
    assert split.samples[0].id == "singleobj_1"
    expected = hashlib.sha256((folder / "Open-Domain_Eval.json").read_bytes()).hexdigest()
    assert split.provenance["sha256"] == expected
    with pytest.raises(SampleError, match=r"52\.jpg"):
        split.picture_path(split.samples[0].subjects[0])


def test_an_unknown_split_and_an_absent_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"'closed-domain'.*open-domain"):
        open_split("closed-domain", data_dir=str(tmp_path))
    with pytest.raises(SampleError, match="absent"):
        open_split("open-domain", data_dir=str(tmp_path / "absent"))
