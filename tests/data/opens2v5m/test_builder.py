"""`load_dataset("opens2v-5m")`, from the released layout and from shards."""

import functools
import hashlib
import io
import json
import shutil
import tempfile
from contextlib import suppress
from itertools import chain
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from datasets.distributed import split_dataset_by_node
from helpers.opens2v5m import folder_form, hub_form
from helpers.range_server import RangeServer
from PIL import Image

import opens2v_hf
from opens2v_hf.data.opens2v5m import builder
from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.data.opens2v5m.filters import QualityFilter
from opens2v_hf.data.opens2v5m.released.samples import read_layout
from opens2v_hf.data.opens2v5m.shards import tables
from opens2v_hf.data.opens2v5m.shards import write as shards
from opens2v_hf.data.opens2v5m.shards.blobs import LazyImage, LazyVideo, SubjectMask
from opens2v_hf.data.opens2v5m.shards.convert import convert
from opens2v_hf.data.opens2v5m.shards.convert_plan import plan_conversion
from opens2v_hf.data.opens2v5m.shards.features import ImageFeature
from opens2v_hf.data.opens2v5m.shards.schema import REGULAR
from opens2v_hf.errors import ArgumentError, SampleError, SourceError

assert opens2v_hf  # imported for the bare name


@functools.cache
def converted(videos: str = "embed") -> Path:
    """Several small shards with several row groups; not to be changed."""
    folder = Path(tempfile.mkdtemp(prefix="opens2v5m-shards-"))
    size = shards.ROW_GROUP_BYTES
    shards.ROW_GROUP_BYTES = 100_000
    try:
        convert(plan_conversion(read_layout(str(folder_form())), videos=videos, json_step=12_000), folder)
    finally:
        shards.ROW_GROUP_BYTES = size
    return folder


@functools.cache
def ids() -> list[str]:
    paths = sorted((folder_form() / "regular").iterdir())
    return [sample_id for path in paths for sample_id in json.loads(path.read_text())]


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch) -> None:
    monkeypatch.setattr(builder, "JSON_STEP", 12_000)


SOURCES = {
    "folder": folder_form,
    "embedded shards": functools.partial(converted, "embed"),
    "reference shards": functools.partial(converted, "reference"),
}


def stream(source="folder", config="regular", **options) -> datasets.IterableDataset:
    location = str(SOURCES[source]()) if source in SOURCES else source
    return load_dataset("opens2v-5m", config, data_dir=location, split="train", streaming=True, **options)


def plain(value):
    """A row with its lazy objects as what they hold."""
    if isinstance(value, SubjectMask):
        return value.to_dict()
    if isinstance(value, LazyVideo | LazyImage):
        return value.read_bytes()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def test_every_source_gives_the_same_rows() -> None:
    first = [plain(row) for row in stream()]
    assert [row["id"] for row in first] == ids()
    records = json.loads((folder_form() / "regular" / "dataset1.json").read_text())
    for row in first:
        if row["part"] == "dataset1":
            record = records[row["id"]]
            assert row["clip"] == dict(zip(("start", "end"), record["metadata"]["face_cut"], strict=True))
            assert list(row["crop"].values()) == record["metadata"]["crop"]
            assert row["tags"] == {k: record["word_tags"][k] for k in row["tags"]}
            assert row["video"] == (folder_form() / "videos" / "dataset1" / record["metadata"]["path"]).read_bytes()
    for source in ("embedded shards", "reference shards"):
        assert [plain(row) for row in stream(source)] == first


@pytest.mark.parametrize("source", ["folder", "embedded shards"])
def test_map_style_gives_the_streamed_rows(source, tmp_path) -> None:
    for config in ("regular", "cross_pairs", "views"):
        rows = load_dataset(
            "opens2v-5m", config, data_dir=str(SOURCES[source]()), split="train", cache_dir=str(tmp_path)
        )
        streamed = list(stream(source, config))
        assert len(rows) == len(streamed) > 0
        if config == "views":
            for row, other in zip(rows, streamed, strict=True):
                assert np.array_equal(np.asarray(row["main_image"]), np.asarray(other["main_image"]))
                assert [view["tag"] for view in row["views"]] == [view["tag"] for view in other["views"]]
        else:
            assert [plain(row) for row in rows] == [plain(row) for row in streamed]


def test_rows_are_lazy_objects() -> None:
    row = next(iter(stream("embedded shards")))
    with_mask = next(subject for subject in row["subjects"] if subject["mask"] is not None)
    mask = with_mask["mask"].decode()
    assert mask.shape == (row["frame_height"], row["frame_width"])
    frame = row["video"].frames([row["clip"]["start"]])[0]
    assert frame.shape == (row["file_height"], row["file_width"], 3)
    assert row["background"].load().size == (row["frame_width"], row["frame_height"])


def test_the_form_on_the_hub(tmp_path, loopback_hub) -> None:
    root = hub_form(tmp_path / "hub")
    convert(plan_conversion(read_layout(str(root)), configs=("regular",)), tmp_path / "out")
    for part in ("dataset1", "dataset2"):
        shutil.copy(tmp_path / "out" / "index" / f"{part}.index.parquet", root / "Videos" / part)
    convert(
        plan_conversion(read_layout(str(root)), videos="reference", url_base="hf://datasets/BestWishYsh/OpenS2V-5M"),
        tmp_path / "reference",
    )
    printed = loopback_hub.run(
        """
        import hashlib, json, sys
        from pathlib import Path
        from huggingface_hub import HfApi
        from datasets import load_dataset
        import opens2v_hf
        api = HfApi()
        for repo, folder in (("BestWishYsh/OpenS2V-5M", sys.argv[1]), ("org/shards", sys.argv[2])):
            api.create_repo(repo, repo_type="dataset", exist_ok=True)
            api.upload_folder(repo_id=repo, repo_type="dataset", folder_path=folder)
        def digest(rows):
            videos = [(row["id"], row["video"]) for row in rows]
            return [[name, hashlib.sha256(v.read_bytes()).hexdigest(), v[0].shape[2]] for name, v in videos]
        whole = load_dataset("opens2v-5m", split="train", streaming=True)
        shards = load_dataset("opens2v-5m", repo="org/shards", split="train", streaming=True)
        files = "hf://datasets/org/shards/data/regular/*.parquet"
        plain = load_dataset("parquet", data_files=files, split="train", streaming=True)
        first = next(iter(plain))
        print(json.dumps([digest(whole), digest(shards), first["id"], sorted(first["subjects"][0]["mask"])]))
        """,
        root,
        tmp_path / "reference",
    )
    from_tars, from_shards, first, mask_keys = json.loads(printed.splitlines()[-1])
    expected = [[r["id"], hashlib.sha256(r["video"].read_bytes()).hexdigest(), 3] for r in stream()]
    assert from_tars == from_shards == expected
    assert (first, mask_keys) == (ids()[0], ["counts", "size"])


def test_a_file_of_the_hub_that_another_of_its_size_replaced(tmp_path, loopback_hub) -> None:
    (tmp_path / "video.mp4").write_bytes(bytes(1000) + b"a" * 1000)
    printed = loopback_hub.forked(
        """
        import pickle, sys
        from pathlib import Path
        from huggingface_hub import HfApi
        from opens2v_hf.data.opens2v5m.released.byte_source import open_source
        from opens2v_hf.errors import OpenS2VError
        from opens2v_hf.pipeline import media
        from opens2v_hf.pipeline.inputs import list_input
        from opens2v_hf.pipeline.records import SourceFile
        path, url = Path(sys.argv[1]), "hf://datasets/org/replaced/video.mp4"
        api = HfApi()
        api.create_repo("org/replaced", repo_type="dataset", exist_ok=True)
        def upload():
            api.upload_file(path_or_fileobj=path, path_in_repo=path.name, repo_id="org/replaced", repo_type="dataset")
        upload()
        [file] = list_input("hf://datasets/org/replaced").files
        listed = SourceFile(file.path, file.name, num_bytes=file.num_bytes, stamp=file.stamp)
        print(media.local_path(listed).read_bytes() == path.read_bytes())
        media.forget()
        source = open_source(url)
        print(source.read(0, 10) + source.read(1000, 10))
        path.write_bytes(bytes(1000) + b"b" * 1000)
        upload()
        for read in (lambda: source.read(1000, 10), lambda: pickle.loads(pickle.dumps(source)).read(0, 10),
                     lambda: media.local_path(listed)):
            try:
                print(read())
            except OpenS2VError as error:
                print(type(error).__name__, error)
        print(open_source(url).read(1000, 10))
        path.write_bytes(bytes(1000) + b"c" * 2000)  # longer, so that its first bytes are no file
        upload()
        for size in (2000, None):
            try:
                print(open_source(url, size=size).read(0, 10))
            except OpenS2VError as error:
                print(type(error).__name__, error)
        print(open_source(url).size)
        """,
        tmp_path / "video.mp4",
    )
    changed = "SourceError hf://datasets/org/replaced/video.mp4 changed while it was read: load the dataset again"
    before = str(bytes(10) + b"a" * 10)
    late = "SourceChangedError video.mp4: was changed after it was listed; the same command reads it again"
    of_same_size = ["True", before, changed, changed, late, str(b"b" * 10)]
    assert printed.splitlines()[-9:] == [*of_same_size, changed, str(bytes(10)), "3000"]


def test_only_the_selected_columns_are_given() -> None:
    for source in SOURCES:
        rows = list(stream(source, columns=["caption", "id"]))
        assert [row["id"] for row in rows] == ids()
        assert list(rows[0]) == ["id", "caption"]
    with pytest.raises(ArgumentError, match="regular has no column 'prompt'; it has id, part"):
        stream(columns=["prompt"])


def test_filters_keep_the_rows_that_pass() -> None:
    rows = [plain(row) for row in stream()]
    bound = sorted(row["aesthetic"] for row in rows)[3]
    expected = [row["id"] for row in rows if row["aesthetic"] >= bound]
    for source in SOURCES:
        assert [row["id"] for row in stream(source, filters=[("aesthetic", ">=", bound)])] == expected
        # A column that is filtered by need not be asked for.
        some = list(stream(source, filters=[("aesthetic", ">=", bound)], columns=["id"]))
        assert some == [{"id": sample_id} for sample_id in expected]
        assert list(stream(source, filters=[("aesthetic", ">", 100.0)])) == []
    pairs = stream(config="cross_pairs", filters=[("text_similarity", "<", 1.0)])
    assert {row["text_similarity"] < 1.0 for row in pairs} <= {True}


def test_rows_that_fail_are_not_read() -> None:
    """Counts the bytes that a server sends: videos make up nearly all of a shard."""
    folder = converted() / "data" / "regular"
    name = sorted(path.name for path in folder.iterdir())[0]
    metadata = pq.ParquetFile(folder / name).metadata
    assert metadata.num_row_groups > 1
    scores = pq.read_table(folder / name, columns=["aesthetic"])["aesthetic"].to_pylist()
    groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]

    def bytes_read(**options) -> tuple[int, int]:
        with RangeServer(folder).running() as server:
            config = builder.OpenS2V5MConfig(name="regular", **options)
            found = list(
                tables.shard_tables(
                    f"{server.url}/{name}",
                    builder._selection(config, REGULAR),
                    {"block_size": 1 << 12},
                    on_error="raise",
                    report=pytest.fail,
                )
            )
            ranges = [r for method, _, r in server.requests if method == "GET" and r]
        spans = [tuple(map(int, entry[6:].split("-"))) for entry in ranges]
        return sum(table.num_rows for table in found), sum(end - begin + 1 for begin, end in spans)

    paths = [groups[0].column(n).path_in_schema for n in range(groups[0].num_columns)]
    files = [n for n, path in enumerate(paths) if path.endswith("bytes")]
    sizes = [sum(group.column(n).total_compressed_size for n in files) for group in groups]

    rows, everything = bytes_read()
    assert rows == len(scores)
    assert everything > sum(sizes)
    # Statistics: no row group can pass.
    rows, nothing = bytes_read(filters=[("aesthetic", ">", max(scores) + 1)])
    assert rows == 0
    assert nothing < everything - sum(sizes)
    # One row passes: its row group is read, and no other.
    rows, one = bytes_read(filters=[("aesthetic", "==", max(scores))])
    assert rows == 1
    assert one < everything - (sum(sizes) - max(sizes))
    # A value within the statistics of a group that no row has: the column that is filtered by is read, and no file.
    between = np.nextafter(min(scores), max(scores))
    rows, column = bytes_read(filters=[("aesthetic", "==", between)])
    assert rows == 0
    assert nothing <= column < everything - sum(sizes)


def test_the_high_quality_preset() -> None:
    # The synthetic frames are small: the preset as it stands keeps none, with its bound on size lowered it keeps some.
    assert list(stream(preset="high-quality")) == []
    small = QualityFilter(min_short_side_px=50, min_aesthetic=4.0)
    expected = {}
    for row in stream():
        stored = [{**subject, "mask": subject["mask"] and subject["mask"].to_dict()} for subject in row["subjects"]]
        kept = [s["id"] for s in small.select(stored, row["frame_height"] * row["frame_width"])]
        if kept and 2 <= row["duration_s"] <= 10:
            expected[row["id"]] = kept
    assert expected
    for source in SOURCES:
        found = {row["id"]: [s["id"] for s in row["subjects"]] for row in stream(source, preset=small)}
        assert found == expected
        assert [row["id"] for row in stream(source, preset=small, columns=["id"])] == list(expected)
    with pytest.raises(ArgumentError, match="there is no preset 'best'"):
        stream(preset="best")
    with pytest.raises(ArgumentError, match="for the config 'regular'"):
        stream(config="views", preset="high-quality")


@pytest.mark.parametrize("source", SOURCES)
def test_streams_are_shared_out_without_loss(source) -> None:
    whole = stream(source, columns=["id"])
    assert whole.num_shards > 2
    parts = [[row["id"] for row in whole.shard(3, index)] for index in range(3)]
    assert sorted(chain.from_iterable(parts)) == sorted(ids())
    nodes = [[row["id"] for row in split_dataset_by_node(whole, rank, 2)] for rank in range(2)]
    assert sorted(chain.from_iterable(nodes)) == sorted(ids())
    assert all(nodes)


@pytest.mark.parametrize("source", SOURCES)
def test_shuffling_is_repeatable_and_loses_nothing(source, monkeypatch) -> None:
    monkeypatch.setattr(datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0)

    def order(seed: int, epoch: int) -> list[str]:
        shuffled = stream(source, columns=["id"]).shuffle(seed=seed, buffer_size=4)
        shuffled.set_epoch(epoch)
        return [row["id"] for row in shuffled]

    orders = [order(1, 0), order(1, 1), order(2, 0)]
    assert order(1, 0) == orders[0]
    assert all(sorted(one) == sorted(ids()) for one in orders)
    assert len({tuple(one) for one in orders}) > 1


@pytest.mark.parametrize("source", SOURCES)
def test_a_stream_resumes_at_the_very_next_row(source) -> None:
    for count in range(len(ids())):
        first = stream(source, columns=["id"])
        rows = iter(first)
        seen = [next(rows)["id"] for _ in range(count)]
        state = json.loads(json.dumps(first.state_dict()))
        again = stream(source, columns=["id"])
        again.load_state_dict(state)
        assert seen + [row["id"] for row in again] == ids()


def _id(rows: list[dict]) -> list[str]:
    return [row["id"] for row in rows]


def test_workers_share_a_stream() -> None:
    """Those of a spawning DataLoader get it pickled, see `test_row_iterable` and the tests of the training view."""
    torch_data = pytest.importorskip("torch.utils.data")
    source = stream("embedded shards", columns=["id", "video"])
    loader = torch_data.DataLoader(source, batch_size=2, num_workers=2, multiprocessing_context="fork", collate_fn=_id)
    assert sorted(chain.from_iterable(loader)) == sorted(ids())


def test_a_malformed_record_is_fatal_or_skipped(tmp_path, caplog) -> None:
    shutil.copytree(folder_form(), tmp_path / "copy")
    path = tmp_path / "copy" / "regular" / "dataset1.json"
    path.write_text(path.read_text().replace('"fps": 8.0', '"fps": none', 1))
    with pytest.raises(SampleError, match="it is no valid JSON"):
        list(stream(str(tmp_path / "copy")))
    rows = list(stream(str(tmp_path / "copy"), on_error="skip"))
    assert [row["id"] for row in rows] == ids()[1:]
    assert f"left out: {path}: record '{ids()[0]}' at byte " in caplog.text


@pytest.mark.parametrize("offset", range(1, 400, 21))
def test_a_damaged_footer_is_no_error_of_arrow(offset, tmp_path) -> None:
    """Arrow raises UnicodeDecodeError, OSError, MemoryError, ... for them."""
    (folder := tmp_path / "data" / "views").mkdir(parents=True)
    content = bytearray(next((converted() / "data" / "views").iterdir()).read_bytes())
    content[-8 - offset : -7 - offset + 3] = b"\xff\xfe\xfd\xfc"
    (folder / "x.parquet").write_bytes(content)
    with suppress(SourceError):  # some offsets hold nothing that matters
        list(stream(str(tmp_path), "views", columns=["id"]))


def test_a_malformed_mask_costs_its_row_alone(tmp_path, caplog) -> None:
    shutil.copytree(converted(), tmp_path / "shards")
    path = sorted((tmp_path / "shards" / "data" / "regular").iterdir())[0]
    table = pq.read_table(path)
    rows = table.to_pylist()
    for subject in rows[0]["subjects"]:
        subject.update(aesthetic=9.0, mask={"size": [112, 168], "counts": "~"})
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    every = QualityFilter(min_duration_s=0, min_short_side_px=1, min_aesthetic=0, min_area=0)
    with pytest.raises(SampleError, match=rf"{path.name}: record '{ids()[0]}': the mask of subject 1: "):
        list(stream(str(tmp_path / "shards"), preset=every, columns=["id"]))
    found = [row["id"] for row in stream(str(tmp_path / "shards"), preset=every, columns=["id"], on_error="skip")]
    assert found == [row["id"] for row in stream(str(converted()), preset=every, columns=["id"])][1:]
    assert f"record '{ids()[0]}': the mask of subject 1" in caplog.text


@pytest.mark.parametrize("source", ["folder", "embedded shards", "reference shards"])
@pytest.mark.parametrize("batched", [False, True])
def test_map_may_touch_files_and_masks(source, batched, tmp_path) -> None:
    def single(row):
        return {"n": row["video"].num_frames, "w": row["background"].load().width, "a": row["subjects"][0]["mask"].area}

    def several(batch):
        found = [single({k: batch[k][i] for k in ("video", "background", "subjects")}) for i in range(len(batch["id"]))]
        return {name: [one[name] for one in found] for name in ("n", "w", "a")}

    location = str(SOURCES[source]())
    rows = load_dataset("opens2v-5m", data_dir=location, split="train", cache_dir=str(tmp_path))
    mapped = rows.map(several if batched else single, batched=batched)
    assert mapped.features == {**rows.features, **{name: datasets.Value("int64") for name in "nwa"}}
    for row, plain in zip(mapped, stream(source), strict=True):
        assert row["n"] == row["video"].num_frames == plain["video"].num_frames
        assert row["w"] == plain["background"].load().width
        assert row["video"].read_bytes() == plain["video"].read_bytes()
        assert (row["a"], row["subjects"][0]["mask"].to_dict()) == (
            plain["subjects"][0]["mask"].area,
            plain["subjects"][0]["mask"].to_dict(),
        )
    whole = rows.map(lambda row: dict(row))
    assert whole[0]["video"].read_bytes() == mapped[0]["video"].read_bytes()


@pytest.mark.parametrize("form", ["torch", "numpy"])
@pytest.mark.parametrize("streaming", [False, True])
def test_formats_give_frames_pixels_and_masks(form, streaming, tmp_path) -> None:
    rows = load_dataset(
        "opens2v-5m", data_dir=str(folder_form()), split="train", cache_dir=str(tmp_path), streaming=streaming
    )
    row, plain = next(iter(rows.with_format(form))), next(iter(rows))
    assert type(row["video"]).__module__.startswith(form)
    video = plain["video"]
    assert np.array_equal(np.asarray(row["video"]), video.frames(range(video.num_frames)))
    assert np.array_equal(np.asarray(row["background"]), np.asarray(plain["background"].load()))
    assert np.array_equal(np.asarray(row["subjects"][0]["mask"]), plain["subjects"][0]["mask"].decode())


@pytest.mark.parametrize("form", ["torch", "numpy", "pandas"])
@pytest.mark.parametrize("num_pieces", [0, 1, 2])
def test_formats_give_files_of_split_tars(form, num_pieces, tmp_path) -> None:
    content = io.BytesIO()
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3)).save(content, "PNG")
    data, spans = content.getvalue(), []
    for number, part in enumerate((data[:20], data[20:]) if num_pieces == 2 else (data,)):
        (tmp_path / f"{number}.tar").write_bytes(part)
        spans.append({"url": str(tmp_path / f"{number}.tar"), "offset": 0, "length": len(part)})
    rows = datasets.Dataset.from_dict(
        {"image": [{"path": "a.png", "bytes": None, "spans": spans if num_pieces else []}]},
        features=datasets.Features(image=ImageFeature()),
    ).with_format(form)
    if num_pieces:
        assert np.asarray(rows[0]["image"] if form != "pandas" else rows[0]["image"][0]).tolist() == (
            np.arange(24).reshape(2, 4, 3).tolist()
        )
    else:
        with pytest.raises(SourceError, match=r"a\.png\.tar, which has no index"):
            np.asarray(rows[0]["image"] if form != "pandas" else rows[0]["image"][0])


@pytest.mark.parametrize("source", ["folder", "embedded shards"])
def test_a_filter_of_the_wrong_type_is_the_filter_s_fault(source) -> None:
    with pytest.raises(ArgumentError, match=r"filters=.*duration_s.*cannot be used"):
        stream(source, filters=[("duration_s", ">=", "two")])


def test_the_cache_follows_the_files(tmp_path) -> None:
    shutil.copytree(folder_form(), tmp_path / "copy")
    options = {"data_dir": str(tmp_path / "copy"), "split": "train", "cache_dir": str(tmp_path / "cache")}
    first = load_dataset("opens2v-5m", **options)
    assert len(first) == len(ids())
    assert load_dataset("opens2v-5m", **options).cache_files == first.cache_files
    path = tmp_path / "copy" / "regular" / "dataset1.json"
    records = json.loads(path.read_text())
    path.write_text(json.dumps(dict(list(records.items())[1:])))
    assert load_dataset("opens2v-5m", **options)["id"] == ids()[1:]
    assert load_dataset("opens2v-5m", columns=["id"], **options).column_names == ["id"]


def test_a_token_goes_to_the_hub_alone(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(builder, "_pinned", lambda repo, revision, token: f"hf://datasets/{repo}@0a1")
    opened = []

    def list_nothing(location) -> dict:
        opened.append((location.root.partition("/data/")[0], location.storage_options))
        return {"x.parquet": 1}

    monkeypatch.setattr(builder.Location, "files", list_nothing)
    monkeypatch.setattr(builder, "_schema", lambda *_: REGULAR)
    ours = "hf://datasets/org/name"
    urls = ("https://host/a", str(tmp_path), ours)
    made = [
        OpenS2V5M(dataset_name="opens2v-5m", config_name="regular", token="hf_x", cache_dir=str(tmp_path), **options)
        for options in ({}, {"repo": "org/name"}, *({"data_dir": url} for url in urls))
    ]
    token = {"token": "hf_x"}
    assert opened == [
        ("hf://datasets/BestWishYsh/OpenS2V-5M@0a1", token), ("hf://datasets/org/name@0a1", token),
        (urls[0], {}), (urls[1], {}), (ours, token),
    ]  # fmt: skip
    assert [one.token_per_repo for one in made] == [
        {"BestWishYsh/OpenS2V-5M": "hf_x"}, {"org/name": "hf_x"}, {}, {}, {"org/name": "hf_x"},
    ]  # fmt: skip


def test_invalid_locations_and_arguments(tmp_path) -> None:
    with pytest.raises(SourceError, match="holds no OpenS2V-5M"):
        stream(str(tmp_path))
    with pytest.raises(ArgumentError, match="not both"):
        stream(repo="org/name")
    with pytest.raises(ArgumentError, match="not data_files="):
        load_dataset("opens2v-5m", data_files=str(next((converted() / "data" / "regular").iterdir())))
    for options, message in (
        ({"columns": "id"}, "columns must be a list"),
        ({"columns": []}, "columns must be a list"),
        ({"filters": {("aesthetic", ">", 1)}}, "filters must be a list"),
        ({"filters": [["aesthetic", ">", 1]]}, "a filter must be"),
        ({"on_error": "ignore"}, "on_error must be one of raise, skip"),
    ):
        with pytest.raises(ArgumentError, match=message):
            stream("embedded shards", **options)
    with pytest.raises(SourceError, match="which index_dir names"):
        stream(index_dir=str(tmp_path / "none"))
    assert next(iter(stream(folder_form(), columns=["id"])))["id"] == ids()[0]
    shutil.copytree(folder_form(), tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "gpt-frames-pairs")
    with pytest.raises(SourceError, match="nothing of the config 'views'"):
        stream(str(tmp_path / "copy"), "views")
    assert datasets.get_dataset_config_names("opens2v-5m") == ["regular", "cross_pairs", "views"]


def test_the_real_clip(shared_data) -> None:
    rows = list(stream(str(shared_data / "opens2v-5m-demo")))
    assert len(rows) == 3
    assert [len(row["subjects"]) for row in rows] == [16, 14, 14]
    assert rows[0]["video"].frames([0, 94]).shape == (2, 720, 1280, 3)
    quality = list(stream(str(shared_data / "opens2v-5m-demo"), preset="high-quality"))
    assert [row["id"] for row in quality] == [row["id"] for row in rows]
    assert all(subject["aesthetic"] >= 4.5 for row in quality for subject in row["subjects"])
    assert len(list(stream(str(shared_data / "opens2v-5m-demo"), "cross_pairs"))) == 104
    assert len(next(iter(stream(str(shared_data / "opens2v-5m-demo"), "views")))["views"]) == 3
