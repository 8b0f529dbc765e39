import json
import shutil

import pyarrow.parquet as pq
import pytest
from helpers.eval_folder import HUMAN_IDS, OPEN_IDS, SINGLE_IDS, write_eval_folder
from helpers.loopback_hub.fixture import run_python

from opens2v_hf.data.benchmark.publish import write_parquet
from opens2v_hf.errors import ArgumentError, SampleError
from opens2v_hf.hub.folders import hub_folder

PLAIN = """
import json, sys
sys.modules["opens2v_hf"] = None
from datasets import get_dataset_config_names, load_dataset
root, streaming = sys.argv[1], sys.argv[2] == "streaming"
shown = {"configs": get_dataset_config_names(root)}
for name in [None, "human-domain", "single-domain"]:
    rows = list(load_dataset(root, name, split="test", streaming=streaming))
    shown[str(name)] = [row["id"] for row in rows]
    assert all(subject["image"].size == (24, 16) for row in rows for subject in row["subjects"])
    assert all(isinstance(row["synthetic"], bool) for row in rows)
print(json.dumps(shown))
"""
EXPECTED = {
    "configs": ["open-domain", "human-domain", "single-domain"],
    "None": OPEN_IDS,
    "human-domain": HUMAN_IDS,
    "single-domain": SINGLE_IDS,
}


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    return write_eval_folder(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="module")
def published(released, tmp_path_factory):
    """The whole dataset repo: the project's folder with the Parquet files written into it."""
    repo = tmp_path_factory.mktemp("published") / "opens2v-eval"
    shutil.copytree(hub_folder("dataset_scripts", "opens2v-eval"), repo)
    files = write_parquet(released, repo)
    assert [str(file.relative_to(repo)) for file in files] == [
        f"data/{name}/test-00000-of-00001.parquet" for name in ("open-domain", "human-domain", "single-domain")
    ]
    return repo


def test_nothing_else_is_left_in_the_folder(published):
    assert sorted(path.name for path in published.iterdir()) == ["README.md", "data", "eval.yaml"]


def test_pictures_are_inside_byte_for_byte(published, released):
    table = pq.read_table(published / "data/open-domain/test-00000-of-00001.parquet")
    subjects = [subject for row in table["subjects"].to_pylist() for subject in row]
    assert len(subjects) == 6
    assert all(subject["image"]["bytes"] == (released / subject["path"]).read_bytes() for subject in subjects)


@pytest.mark.parametrize("mode", ["streaming", "whole"])
def test_the_copy_loads_where_this_package_is_not(published, tmp_path, mode):
    code = f"import os; os.environ.update(HF_HOME={str(tmp_path)!r}, HF_HUB_OFFLINE='1', USE_TORCH='0')\n" + PLAIN
    assert json.loads(run_python(code, published, mode, isolated=True)) == EXPECTED


@pytest.mark.parametrize("mode", ["streaming", "whole"])
def test_the_copy_loads_from_a_hub_where_this_package_is_not(published, loopback_hub, tmp_path, mode):
    upload = """
        import sys
        from huggingface_hub import HfApi
        HfApi().create_repo("org/published", repo_type="dataset", exist_ok=True)
        HfApi().upload_folder(repo_id="org/published", folder_path=sys.argv[1], repo_type="dataset")
    """
    loopback_hub.run(upload, published)
    assert json.loads(loopback_hub.run(PLAIN, "org/published", mode, home=tmp_path)) == EXPECTED


def test_writing_again_replaces_and_removes_what_is_stale(released, tmp_path):
    stale = tmp_path / "data/open-domain/test-00001-of-00002.parquet"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"old")
    write_parquet(released, tmp_path)
    write_parquet(released, tmp_path)
    assert [file.name for file in stale.parent.iterdir()] == ["test-00000-of-00001.parquet"]


def test_a_missing_picture_leaves_the_old_copy_alone(released, tmp_path):
    broken = shutil.copytree(released, tmp_path / "broken")
    out = tmp_path / "out"
    before = {file: file.read_bytes() for file in write_parquet(broken, out)}
    (broken / "Images/singlehuman/crop_man/1.png").unlink()
    with pytest.raises(SampleError, match="'singlehuman_1' is missing"):
        write_parquet(broken, out)
    assert {file: file.read_bytes() for file in out.glob("data/*/*.parquet")} == before
    assert [path.name for path in out.iterdir()] == ["data"]


def test_the_released_folder_itself_is_not_written_into(released):
    with pytest.raises(ArgumentError, match="another folder"):
        write_parquet(released, released)
