"""Going through the samples of a dataset by what is asked of them."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.opens2v5m import folder_form

from opens2v_hf.data.opens2v5m.shards.blobs import LazyVideo
from opens2v_hf.errors import ArgumentError, SampleError, SourceError
from opens2v_hf.reports.sheet import browse
from opens2v_hf.reports.sheet.browse import SYNTHETIC, Browser, SampleFilter, default_dataset, location_of
from opens2v_hf.reports.sheet.show import DatasetLocation


def released() -> dict:
    records = {}
    for path in sorted((folder_form() / "regular").iterdir()):
        records |= json.loads(path.read_text())
    return records


def through(browser: Browser) -> list[str]:
    """Ids up to the last sample."""
    rows = iter(browser.next, None)
    found: list[str] = []
    with pytest.raises(SampleError, match="there is no "):
        found.extend(row["id"] for row in rows)
    return found


@pytest.fixture
def location() -> DatasetLocation:
    return DatasetLocation(str(folder_form()))


def test_forwards_and_backwards(location):
    ids = list(released())
    browser = Browser(location)
    assert browser.position == -1
    with pytest.raises(SampleError, match="this is the first"):
        browser.previous()
    assert [browser.next()["id"], browser.next()["id"], browser.next()["id"]] == ids[:3]
    assert (browser.previous()["id"], browser.position) == (ids[1], 1)
    assert browser.previous()["id"] == ids[0]
    with pytest.raises(SampleError, match="this is the first"):
        browser.previous()
    assert through(browser) == ids[1:]
    assert browser.previous()["id"] == ids[-2]  # the end leaves one at the last sample


def test_the_number_of_stored_rows_is_limited(location, monkeypatch):
    monkeypatch.setattr(browse, "KEPT_ROWS", 2)
    browser = Browser(location)
    ids = through(browser)
    assert browser.previous()["id"] == ids[-2]
    with pytest.raises(SampleError, match="only the last 2 samples"):
        browser.previous()
    assert browser.next()["id"] == ids[-1]


def test_filters_on_tags_and_scores(location):
    records = released()
    everything = {
        sample_id: [word for words in record["word_tags"].values() for word in words]
        for sample_id, record in records.items()
    }
    word = next(iter(records.values()))["word_tags"]["background"][0]
    expected = [sample_id for sample_id, words in everything.items() if word in words]
    assert 0 < len(expected) < len(records)
    assert through(Browser(location, SampleFilter(tags=(word.upper(), "PERSON")))) == expected
    assert through(Browser(location, SampleFilter(tags=("unicorn",)))) == []

    values = {sample_id: record["metadata"]["aesthetic"] for sample_id, record in records.items()}
    middle = sorted(values.values())[len(values) // 2]
    wanted = SampleFilter(least={"aesthetic": middle})
    assert through(Browser(location, wanted)) == [sample_id for sample_id, value in values.items() if value >= middle]

    lengths = {
        sample_id: (record["metadata"]["face_cut"][1] - record["metadata"]["face_cut"][0]) / record["metadata"]["fps"]
        for sample_id, record in records.items()
    }
    bounds = (2.4, 2.6)
    found = through(Browser(location, SampleFilter(duration_s=bounds)))
    assert found == [sample_id for sample_id, length in lengths.items() if bounds[0] <= length <= bounds[1]]
    assert (
        through(Browser(location, SampleFilter(high_quality=True))) == []
    )  # the synthetic frames are below 480 pixels


def test_a_search_for_a_rare_tag_ends_and_can_continue(location, monkeypatch):
    monkeypatch.setattr(browse, "MOST_ROWS", 2)
    browser = Browser(location, SampleFilter(tags=("unicorn",)))
    with pytest.raises(SampleError, match="none of the next 2 samples has these tags"):
        browser.next()
    assert browser.position == -1
    with pytest.raises(SampleError, match="none of the next 2 samples"):
        browser.next()


def test_two_clicks_at_once_are_two_steps(location):
    browser = Browser(location)
    with ThreadPoolExecutor(4) as pool:
        found = [future.result()["id"] for future in [pool.submit(browser.next) for _ in range(4)]]
    assert sorted(found) == sorted(list(released())[:4])
    assert browser.position == 3


def test_a_row_that_points_to_this_machine_is_refused_on_a_space(location):
    with pytest.raises(SampleError, match="is not on the Hub"):
        Browser(location, hub_only=True).next()
    row = Browser(location).next()
    held = {**row, "video": LazyVideo({"bytes": b"x", "path": "/etc/passwd"}), "background": None}
    browse._refuse_files_elsewhere(held)
    spans = [{"url": "hf://datasets/a/b/c", "offset": 0, "length": 1}, {"url": "/etc/passwd", "offset": 0, "length": 1}]
    with pytest.raises(SampleError, match="the video of"):
        browse._refuse_files_elsewhere({**held, "video": LazyVideo({"spans": spans, "path": "hf://datasets/a"})})


@pytest.mark.parametrize("text", ["hf://datasets/../../x", "hf://datasets/a/b@", "s3://b/k", "hf://datasets/"])
def test_an_address_that_no_storage_takes_is_an_error_of_the_source(text):
    with pytest.raises(SourceError, match="cannot list"):
        Browser(location_of(text))


def test_location_of(tmp_path, monkeypatch):
    assert location_of(" org/name ") == DatasetLocation(repo="org/name")
    assert location_of("hf://datasets/org/name@main", hub_only=True).data_dir == "hf://datasets/org/name@main"
    assert location_of(str(tmp_path)).data_dir == str(tmp_path)
    for text in (str(tmp_path), "file:///etc", "http://127.0.0.1/x", "", "../.."):
        with pytest.raises(ArgumentError, match="the dataset must be"):
            location_of(text, hub_only=True)
    for text in ("a--b/c", "org/..", "a\0b", "a" * 5_000, "org/<b>"):
        with pytest.raises(ArgumentError, match="the dataset must be"):
            location_of(text)
    monkeypatch.setattr(browse, "synthetic_folder", lambda: tmp_path)
    assert location_of(SYNTHETIC, hub_only=True).data_dir == str(tmp_path)
    assert default_dataset() == SYNTHETIC  # the tests run in offline mode
