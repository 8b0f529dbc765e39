import json

import datasets
import numpy as np
import pytest
from helpers.eval_folder import COLOURS, HUMAN_IDS, OPEN_IDS, RECORDS, SINGLE_IDS, SIZE, write_eval_folder

import opens2v_hf  # noqa: F401 - gives the bare names
from opens2v_hf.data.benchmark.released_files import LocalFolder
from opens2v_hf.errors import ArgumentError, ImageError, SampleError


@pytest.fixture
def folder(tmp_path):
    return write_eval_folder(tmp_path / "released")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


def load(name=None, **options):
    return datasets.load_dataset("opens2v-eval", name, split="test", **options)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("name", "ids"), [("open-domain", OPEN_IDS), ("human-domain", HUMAN_IDS), ("single-domain", SINGLE_IDS)]
)
def test_rows_are_the_released_records(folder, name, ids, streaming):
    rows = list(load(name, data_dir=str(folder), streaming=streaming))
    assert [row["id"] for row in rows] == ids
    for row in rows:
        record = RECORDS[row["id"]]
        assert row["prompt"] == record["prompt"]
        assert row["synthetic"] is (record["synthesis_flag"] == "True")
        assert [subject["label"] for subject in row["subjects"]] == record["class_label"]
        assert [subject["path"] for subject in row["subjects"]] == record["img_paths"]
        for subject in row["subjects"]:
            picture = subject["image"]
            assert picture.size == SIZE
            mean = np.asarray(picture.convert("RGB")).reshape(-1, 3).mean(axis=0)
            assert np.abs(mean - COLOURS[subject["path"]]).max() < 3  # one of the pictures is a JPEG
        assert ("nexusscore" in row["metrics"]) is (row["id"] in ("singleobj_1", "faceobj_2"))


def test_open_domain_is_the_default(folder):
    assert load(data_dir=str(folder))["id"] == OPEN_IDS


def test_pictures_are_the_released_bytes_and_stay_when_the_folder_goes(folder):
    dataset = load(data_dir=str(folder))
    path = "Images/humanobj/human/man/2.jpg"
    content = (folder / path).read_bytes()
    (folder / path).unlink()
    stored = dataset.with_format("arrow")[1]["subjects"].to_pylist()[0][0]["image"]
    assert stored == {"bytes": content, "path": None}


def test_a_file_of_the_same_name_in_the_working_folder_is_not_taken_for_the_picture(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder / "Images/singleface/crop_woman")
    picture = load(data_dir=str(folder))[2]["subjects"][0]["image"]
    assert picture.getpixel((0, 0)) == COLOURS["Images/singleface/crop_woman/3.png"]


def test_the_cache_follows_the_files(folder):
    assert load(data_dir=str(folder))[0]["prompt"] == "A red cup."
    changed = {**RECORDS["singleobj_1"], "prompt": "A blue cup."}
    (folder / "Open-Domain_Eval.json").write_text(json.dumps({"singleobj_1": changed}))
    assert load(data_dir=str(folder))["prompt"] == ["A blue cup."]
    (folder / "Images/singleobject/cup/1.png").write_bytes((folder / "Images/multiface/crop_man/4.png").read_bytes())
    assert (
        load(data_dir=str(folder))[0]["subjects"][0]["image"].getpixel((0, 0))
        == COLOURS["Images/multiface/crop_man/4.png"]
    )


def test_two_folders_named_the_same_way_are_two(tmp_path, monkeypatch):
    for name in ("a", "b"):
        folder = write_eval_folder(tmp_path / name / "released")
        record = {**RECORDS["singleobj_1"], "prompt": name}
        (folder / "Open-Domain_Eval.json").write_text(json.dumps({"singleobj_1": record}))
        monkeypatch.chdir(tmp_path / name)
        assert load(data_dir="released")["prompt"] == [name]


@pytest.mark.parametrize("streaming", [False, True])
def test_prompts_only_needs_no_picture(folder, streaming):
    (folder / "Images/singleobject/cup/1.png").unlink()
    rows = list(load(data_dir=str(folder), prompts_only=True, streaming=streaming))
    assert [row["id"] for row in rows] == OPEN_IDS
    assert all(subject["image"] is None for row in rows for subject in row["subjects"])


@pytest.mark.parametrize("streaming", [False, True])
def test_the_first_missing_picture_is_named_with_the_way_to_get_it(folder, streaming):
    for path in ("Images/humanobj/thing/ball/2.png", "Images/multiface/crop_man/4.png"):
        (folder / path).unlink()
    with pytest.raises(SampleError) as caught:
        load(data_dir=str(folder), streaming=streaming)
    message = str(caught.value)
    assert "'Images/humanobj/thing/ball/2.png' of sample 'faceobj_2'" in message
    assert "(and 1 more)" in message
    assert "hf download BestWishYsh/OpenS2V-Eval" in message
    assert "prompts_only=True" in message
    assert str(folder) in message


def test_names_that_no_system_has_are_missing_files(tmp_path) -> None:
    for name in ("x" * 5_000, "a\0b", "half\ud800"):
        assert LocalFolder(tmp_path).missing([name]) == [name]
        with pytest.raises(SampleError, match="is missing"):
            LocalFolder(tmp_path).fetch(name)
        assert LocalFolder(tmp_path).fingerprint([name[:3]])


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\nbroken"])
@pytest.mark.parametrize("streaming", [False, True])
def test_a_broken_picture_is_named(folder, content, streaming):
    (folder / "Images/humanobj/thing/ball/2.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"ball/2\.png' of sample 'faceobj_2'"):
        list(load(data_dir=str(folder), streaming=streaming))


def test_arguments_that_do_not_fit(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SampleError, match=r"Open-Domain_Eval\.json is missing"):
        load(data_dir=str(tmp_path / "empty"))
    with pytest.raises(SampleError, match="there is no folder"):
        load(data_dir=str(tmp_path / "nowhere"))
    with pytest.raises(ArgumentError, match="revision"):
        load(data_dir=str(folder), revision="main")
    with pytest.raises(ArgumentError, match="expected hf://datasets"):
        load(data_dir="hf://org/model")
    with pytest.raises(ArgumentError, match="neither a folder nor an hf:// URL"):
        load(data_dir="s3://bucket/folder")
    with pytest.raises(ArgumentError, match="data_dir="):
        load(data_files=str(folder / "Open-Domain_Eval.json"))
    with pytest.raises(ArgumentError, match="two revisions"):
        load(data_dir="hf://datasets/org/x@v1", revision="v2")
    with pytest.raises(ValueError, match="closed-domain"):
        load("closed-domain", data_dir=str(folder))


def test_without_a_network_the_error_says_how_to_get_the_files():
    with pytest.raises(SampleError, match=r"BestWishYsh/OpenS2V-Eval.*offline mode is on.*data_dir="):
        load()


def test_a_stream_resumes_where_it_was(folder):
    stream = load(data_dir=str(folder), streaming=True)
    iterator = iter(stream)
    assert [next(iterator)["id"] for _ in range(2)] == OPEN_IDS[:2]
    state = json.loads(json.dumps(stream.state_dict()))
    resumed = load(data_dir=str(folder), streaming=True)
    resumed.load_state_dict(state)
    assert [row["id"] for row in resumed] == OPEN_IDS[2:]


def test_a_stream_is_shared_out_without_loss(folder):
    from datasets.distributed import split_dataset_by_node

    stream = load(data_dir=str(folder), streaming=True)
    shares = [[row["id"] for row in split_dataset_by_node(stream, rank, 2)] for rank in range(2)]
    assert sorted(shares[0] + shares[1]) == sorted(OPEN_IDS)
    assert len(shares[0]) == len(shares[1])
    assert [row["id"] for index in range(4) for row in stream.shard(4, index)] == OPEN_IDS


def test_several_processes_build_the_same_rows(folder):
    assert load(data_dir=str(folder), num_proc=2)["id"] == OPEN_IDS


@pytest.mark.parametrize(("name", "rows"), [("open-domain", 180), ("human-domain", 60), ("single-domain", 90)])
@pytest.mark.parametrize("streaming", [False, True])
def test_the_real_prompt_files(shared_data, name, rows, streaming):
    folder = str(shared_data / "opens2v-eval")
    assert len(list(load(name, data_dir=folder, prompts_only=True, streaming=streaming))) == rows
    with pytest.raises(SampleError, match=r"'Images/single\w+/\w+/\d+\.\w+' of sample 'single\w+_1' is missing"):
        load(name, data_dir=folder, streaming=streaming)
