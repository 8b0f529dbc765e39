"""Views of a whole dataset: what is asked for, kept, paid and accepted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from helpers.built_dataset import rows_of, write_shards
from helpers.judge_endpoint import fails, judge_endpoint, never, raw
from helpers.view_endpoint import ColorEmbedder, fields_of, png, shows
from PIL import Image

from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.errors import ArgumentError, ServiceUnavailableError
from opens2v_hf.pipeline.views import Edited, EditRequest, ViewOptions, make_views
from opens2v_hf.pipeline.views.choose import chosen_subjects
from opens2v_hf.pipeline.views.editor import EditRefusedError

PLAN = {"clusters": 1, "clips_per_cluster": 2, "singles": 2}
OPTIONS: dict[str, Any] = {"model": "openai:gpt-image-1", "embedder": "embedded", "api_key": "", "concurrency": 1}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("views")
    return write_shards(work / "dataset", work / "released", **PLAN)


@pytest.fixture
def folder(dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dataset, tmp_path / "dataset"))


def views_in(folder: Path) -> list[dict[str, Any]]:
    builder = OpenS2V5M(dataset_name="opens2v-5m", config_name="views", data_dir=str(folder))
    return list(builder.as_streaming_dataset(split="train"))


def make(folder: Path, url: str, **options: Any) -> Any:
    return make_views(folder, ViewOptions(**{**OPTIONS, "base_url": url, **options}), embedder=ColorEmbedder())


def wanted(folder: Path, **options: Any) -> list[tuple[str, str]]:
    """Clip and label of each picture that is asked for."""
    chosen = ViewOptions(**{**OPTIONS, **options})
    return [(row["id"], subject["label"]) for row in rows_of(folder) for subject in chosen_subjects(row, chosen)]


def test_each_chosen_subject_gets_a_view_and_a_second_run_pays_nothing(folder: Path) -> None:
    subjects = wanted(folder)
    assert len(subjects) >= 3
    with judge_endpoint(shows()) as server:
        result = make(folder, server.base_url)
        assert len(server.bodies) == len(subjects)
        rows = views_in(folder)
        written = {path.name: path.read_bytes() for path in (folder / "data/views").iterdir()}
        again = make(folder, server.base_url)
        assert len(server.bodies) == len(subjects)
    assert [(row["id"], view["tag"]) for row in rows for view in row["views"]] == subjects
    assert rows[0]["views"][0]["image"].getpixel((0, 0)) == (200, 30, 30)
    assert result.views == again.views == len(subjects)
    assert (result.calls, again.calls) == (len(subjects), 0)
    assert result.spent == again.spent == pytest.approx(0.046 * len(subjects))
    assert written == {path.name: path.read_bytes() for path in (folder / "data/views").iterdir()}
    note = json.loads((folder / ".build/views.json").read_text())
    assert (note["model"], note["views"], note["currency"]) == ("gpt-image-1", len(subjects), "USD")
    prompts = [dict(fields_of(*one))["prompt"].decode() for one in zip(server.bodies, server.headers, strict=True)]
    assert all(label in prompt for (_, label), prompt in zip(subjects, prompts, strict=True))


def test_the_crop_is_the_box_grown_by_a_fifth_and_the_frame_comes_second(folder: Path) -> None:
    with judge_endpoint(shows()) as server:
        make(folder, server.base_url, max_clips=1)
    import io

    row = next(row for row in rows_of(folder) if chosen_subjects(row, ViewOptions(**OPTIONS)))
    subject = chosen_subjects(row, ViewOptions(**OPTIONS))[0]
    pictures = [content for name, content in fields_of(server.bodies[0], server.headers[0]) if name == "image[]"]
    crop, frame = (Image.open(io.BytesIO(content)) for content in pictures)
    left, top, right, bottom = subject["box"]
    width, height = row["frame_width"], row["frame_height"]
    assert frame.size == (width, height)
    grown = (
        min(width, round(right + 0.1 * (right - left))) - max(0, round(left - 0.1 * (right - left))),
        min(height, round(bottom + 0.1 * (bottom - top))) - max(0, round(top - 0.1 * (bottom - top))),
    )
    assert crop.size == grown


def test_another_subject_and_a_copy_are_refused_and_stay_paid(folder: Path) -> None:
    subjects = wanted(folder)
    with judge_endpoint(shows(png((20, 20, 220))), shows()) as server:
        result = make(folder, server.base_url)
    assert result.refused == {"another subject": 1}
    assert result.views == len(subjects) - 1
    assert result.spent == pytest.approx(0.046 * len(subjects))


class Copier:
    """Gives the first picture back."""

    name = "copier"
    is_paid = False

    def facts(self) -> Mapping[str, Any]:
        return {"model": "copier"}

    def edit(self, request: EditRequest) -> Edited:
        return Edited(request.images[0].resize((64, 48)))


def test_a_copy_of_the_crop_is_no_view(folder: Path) -> None:
    subjects = wanted(folder)
    options = ViewOptions(**OPTIONS, min_similarity=-0.5)  # by colour some crops are of another subject
    result = make_views(folder, options, editor=Copier(), embedder=ColorEmbedder())
    assert result.refused == {"a copy of the crop": len(subjects)}
    assert not list((folder / "data/views").glob("*"))


def test_a_refused_picture_is_not_requested_again(folder: Path) -> None:
    subjects = wanted(folder)
    with judge_endpoint(fails(400, "unsafe"), shows()) as server:
        result = make(folder, server.base_url)
        make(folder, server.base_url)
    assert len(server.bodies) == len(subjects)
    assert result.not_made == {"refused by the model": 1}
    assert "unsafe" in result.problems[0]


def test_a_refused_key_ends_the_run_after_writing_views(folder: Path) -> None:
    subjects = wanted(folder)
    with judge_endpoint(shows(), fails(401)) as server:
        with pytest.raises(ServiceUnavailableError, match=r"401.*1 views are written"):
            make(folder, server.base_url)
        assert len(server.bodies) == 2
        assert len(views_in(folder)) == 1
        server.script[:] = [shows()]
        result = make(folder, server.base_url)
    assert result.views == len(subjects)
    assert result.perhaps_paid == {}
    assert len(server.bodies) == 1 + len(subjects)


def test_three_lost_pictures_in_a_row_stop_the_run(folder: Path) -> None:
    with judge_endpoint(raw(b"<html>")) as server, pytest.raises(ServiceUnavailableError, match="3 calls in a row"):
        make(folder, server.base_url)
    assert len(server.bodies) == 3


def test_a_picture_perhaps_paid_is_requested_once_more_only(folder: Path) -> None:
    subjects = wanted(folder)
    with judge_endpoint(fails(500, "first"), shows()) as server:
        first = make(folder, server.base_url)
    with judge_endpoint(fails(500, "second")) as server:
        second = make(folder, server.base_url)
        assert len(server.bodies) == 1
        third = make(folder, server.base_url)
        assert len(server.bodies) == 1
    name = f"{subjects[0][0]}, subject"
    assert [reason for reasons in first.perhaps_paid.values() for reason in reasons] == ["HTTP 500: first"]
    assert next(iter(second.perhaps_paid)).startswith(name)
    assert list(second.perhaps_paid.values()) == list(third.perhaps_paid.values())
    assert next(iter(third.perhaps_paid.values())) == ["HTTP 500: first", "HTTP 500: second"]
    assert third.not_made == {"perhaps paid": 1}
    assert "1 views not made: perhaps paid" in third.notes()
    assert any(
        note.startswith(f"perhaps paid: {name}") and note.endswith("(HTTP 500: second)") for note in third.notes()
    )
    assert third.perhaps_spent == pytest.approx(2 * 0.046)
    assert third.views == len(subjects) - 1


def test_a_budget_in_pictures_holds_over_all_runs(folder: Path) -> None:
    subjects = wanted(folder)
    with judge_endpoint(shows()) as server:
        first = make(folder, server.base_url, max_calls=2)
        second = make(folder, server.base_url, max_calls=2)
        assert len(server.bodies) == 2
        make(folder, server.base_url, max_calls=3)
        assert len(server.bodies) == 3
    assert "budget of 2 pictures" in first.stopped
    assert first.views == second.views == 2
    assert first.not_made == {"not requested": len(subjects) - 2}


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_budget_in_money_is_never_exceeded(folder: Path, concurrency: int) -> None:
    with judge_endpoint(shows()) as server:  # each costs 0.046
        result = make(folder, server.base_url, max_cost=0.1, concurrency=concurrency)
    assert len(server.bodies) == 2
    assert result.spent == pytest.approx(0.092)
    assert "budget of 0.1" in result.stopped


def test_a_price_of_an_image_is_known_before_the_first(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "prices.json"
    entry = {"per_image": {"any": 0.5}, "from": "my contract"}
    table.write_text(json.dumps({"date": "2026-11-01", "currency": "EUR", "models": {"mine": entry}}))
    with judge_endpoint(shows(usage=None)) as server:
        result = make(folder, server.base_url, model="openai:mine", prices=table, max_cost=0.4)
        assert server.bodies == []
        assert "budget of 0.4" in result.stopped
        result = make(folder, server.base_url, model="openai:mine", prices=table, max_cost=0.6)
    assert (result.spent, result.currency, result.price) == (0.5, "EUR", "my contract (2026-11-01)")


def test_a_cap_on_the_cost_needs_a_price(folder: Path) -> None:
    with pytest.raises(ArgumentError, match="the table has none"):
        make(folder, "http://127.0.0.1:9/v1", model="openai:unheard-of", max_cost=1.0)


def test_a_reply_without_usage_ends_a_run_with_a_cap_on_the_cost(folder: Path) -> None:
    with judge_endpoint(shows(usage=None)) as server:
        result = make(folder, server.base_url, max_cost=5.0)
    assert len(server.bodies) == 1
    assert "does not say what it took" in result.stopped
    assert result.views == 1


def test_a_picture_whose_file_was_removed_is_not_paid_again(folder: Path) -> None:
    with judge_endpoint(shows()) as server:
        made = make(folder, server.base_url)
        next((folder / ".build/views/pictures").rglob("*.png")).unlink()
        result = make(folder, server.base_url)
        assert len(server.bodies) == made.calls
    assert result.not_made == {"file is gone": 1}
    assert result.views == made.views - 1


def test_an_unreadable_clip_is_dropped_alone(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    subjects = wanted(folder)
    path = sorted((folder / "data/regular").glob("*.parquet"))[0]
    table = pq.read_table(path)
    videos = table["video"].to_pylist()
    videos[0]["bytes"] = b"no video"
    column = pa.array(videos, table.schema.field("video").type)
    pq.write_table(table.set_column(table.schema.get_field_index("video"), "video", column), path)
    with judge_endpoint(shows()) as server:
        result = make(folder, server.base_url)
    lost = table["id"][0].as_py()
    assert result.not_made["unreadable clip"] == 1
    assert result.views == len([clip for clip, _ in subjects if clip != lost])


def test_the_released_choice_takes_named_large_boxes_the_same_each_time(folder: Path) -> None:
    chosen = wanted(folder, choice="released")
    assert chosen == wanted(folder, choice="released")
    assert chosen != wanted(folder, choice="released", seed=43) or len(chosen) <= 4
    rows = {row["id"]: row for row in rows_of(folder)}
    for clip, label in chosen:
        row = rows[clip]
        assert label in {tag for kind in ("background", "subject", "object") for tag in row["tags"][kind]}
        left, top, right, bottom = next(s["box"] for s in row["subjects"] if s["label"] == label)
        assert (right - left) * (bottom - top) > 0.08 * row["frame_width"] * row["frame_height"]
    assert {clip for clip, _ in chosen} == set(rows)


KILLED = """
import sys
sys.path.insert(0, sys.argv[3])
from helpers.view_endpoint import ColorEmbedder
from opens2v_hf.pipeline.views import ViewOptions, make_views
options = ViewOptions(model="openai:gpt-image-1", embedder="embedded", api_key="", concurrency=1, base_url=sys.argv[2])
make_views(sys.argv[1], options, embedder=ColorEmbedder())
"""


def killed_in_the_middle(folder: Path, server: Any, count: int) -> None:
    """Kill -9 a run when the server has got its next request, which it never answers."""
    arrived = threading.Event()

    def hold(handler: Any) -> None:
        arrived.set()
        never(handler)

    server.script[:] = [shows() for _ in range(count)] + [hold]
    tests = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", KILLED, str(folder), server.base_url, str(tests)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(tests.parent)}) as process:
        assert arrived.wait(60)
        process.send_signal(signal.SIGKILL)


def test_kill_between_intent_and_result(folder: Path) -> None:
    subjects = wanted(folder)
    with judge_endpoint(shows()) as server:
        killed_in_the_middle(folder, server, 1)  # the first is made, the second is perhaps paid
        assert len(server.bodies) == 2
        killed_in_the_middle(folder, server, 0)  # the second once more
        assert len(server.bodies) == 3
        server.script[:] = [shows()]
        result = make(folder, server.base_url)
    assert len(server.bodies) == 3 + len(subjects) - 2
    assert result.not_made == {"perhaps paid": 1}
    assert list(result.perhaps_paid.values()) == [["the process ended before there was an answer"] * 2]
    assert result.views == len(subjects) - 1


class Fails(Copier):
    def edit(self, request: EditRequest) -> Edited:
        raise EditRefusedError("values that are no numbers")


def test_three_refusals_without_a_picture_end_the_run(folder: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match="no numbers"):
        make_views(folder, ViewOptions(**OPTIONS), editor=Fails(), embedder=ColorEmbedder())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": " "}, "need a model"), ({"choice": "all"}, "choice must be"), ({"max_calls": 0}, "max_calls"),
        ({"max_cost": -1}, "max_cost"), ({"prompt": "a picture"}, "{tag}"), ({"extra": {"n": 4}}, "cannot set 'n'"),
        ({"near_copy": 65}, "near_copy"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ViewOptions(**{**OPTIONS, **options})


def test_an_embedder_without_a_threshold_needs_one(folder: Path) -> None:
    options = ViewOptions(**{**OPTIONS, "embedder": "org/other"})
    with pytest.raises(ArgumentError, match="no threshold is known for the embedder 'org/other'"):
        make_views(folder, options, editor=Copier(), embedder=ColorEmbedder())
