"""Pairs of whole datasets: synthetic ones whose truth is known, and the released sample."""

from __future__ import annotations

import hashlib
import json
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from helpers.built_dataset import rows_of, subjects_of, write_shards, write_vectors
from helpers.judge_endpoint import judge_endpoint, says

from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.data.opens2v5m.shards.verify import verify
from opens2v_hf.data.synthetic.dataset_plan import plan_dataset
from opens2v_hf.data.synthetic.scenes import phrase
from opens2v_hf.errors import ArgumentError, ResultError, ServiceUnavailableError
from opens2v_hf.models.endpoint.options import EndpointOptions
from opens2v_hf.models.gme import GmeEmbedder
from opens2v_hf.pipeline.pairs import EndpointVerifier, PairOptions, make_pairs
from opens2v_hf.pipeline.pairs.pictures import frame_of
from opens2v_hf.video.phash import phash, phash_distance

PLAN = {"clusters": 3, "clips_per_cluster": 3, "singles": 1}
OPTIONS = PairOptions(embedder="embedded")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("pairs")
    folder = write_shards(work / "dataset", work / "released", **PLAN)
    embedder = GmeEmbedder.from_pretrained("embedded", device="cpu")
    write_vectors(folder, embedder.embed_images, embedder.embed_texts)
    return folder


@pytest.fixture
def folder(dataset: Path, tmp_path: Path) -> Path:
    """A copy that a test may write pairs into."""
    return Path(shutil.copytree(dataset, tmp_path / "dataset"))


def pairs_in(folder: Path) -> list[dict]:
    builder = OpenS2V5M(dataset_name="opens2v-5m", config_name="cross_pairs", data_dir=str(folder))
    return list(builder.as_streaming_dataset(split="train"))


def sides(row: dict) -> frozenset[tuple[str, str]]:
    return frozenset((row[f"{side}_id"], row[f"{side}_label"]) for side in ("current", "other"))


def true_pairs() -> set[frozenset[tuple[str, str]]]:
    """The same sprite in two clips of a source, by the plan of the scenes."""
    clips = [clip for file in plan_dataset(**PLAN) for clip in file.clips]
    return {
        frozenset([(one.id, phrase(sprite)), (other.id, phrase(sprite))])
        for one, other in combinations(clips, 2)
        if one.cluster == other.cluster
        for sprite in set(one.scene.sprites) & set(other.scene.sprites)
    }


def test_the_pairs_of_synthetic_sources_are_the_true_ones(folder: Path) -> None:
    result = make_pairs(folder, OPTIONS)
    found = pairs_in(folder)
    truth = true_pairs()
    right = {sides(row) for row in found} & truth
    assert len(found) == result.pairs == len({sides(row) for row in found})
    assert len(right) >= 0.95 * len(found)
    assert len(right) >= 0.95 * len(truth)
    known = {(row["part"], row["id"], subject["id"]) for row in rows_of(folder) for subject in subjects_of(row)}
    for row in found:
        for side in ("current", "other"):
            assert (row[f"{side}_part"], row[f"{side}_id"], row[f"{side}_subject_id"]) in known


def test_pairing_again_replaces_the_pairs_and_gives_the_same_bytes(folder: Path) -> None:
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((folder / "data/cross_pairs").iterdir())}

    first = make_pairs(folder, OPTIONS)
    written = files()
    few = make_pairs(folder, PairOptions(embedder="embedded", max_pairs_per_clip=1))
    assert few.pairs < first.pairs
    assert files() != written
    again = make_pairs(folder, OPTIONS)
    assert files() == written
    assert again.dropped == first.dropped
    note = json.loads((folder / ".build/pairs.json").read_text())
    assert note["pairs"] == first.pairs
    assert note["thresholds"] == {"source": {"text": 0.6, "image": 0.6}}


def test_a_built_dataset_names_its_embedder_and_its_manifest_follows(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = json.dumps({"scores": {"embedder": {"name": "embedded", "revision": None}}})
    shards = []
    for path in sorted((folder / "data/regular").glob("*.parquet")):
        table = pq.read_table(path)
        pq.write_table(table.append_column("provenance", pa.array([facts] * len(table))), path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        shards.append({"path": f"data/regular/{path.name}", "rows": len(table), "sha256": digest})
    manifest = {"rows": {"regular": sum(one["rows"] for one in shards)}, "shards": shards, "written_by": "x"}
    (folder / "build.json").write_text(json.dumps(manifest))
    result = make_pairs(folder)
    assert result.thresholds == {"source": {"text": 0.6, "image": 0.6}}
    checked = verify(folder)
    assert checked.problems == ()
    assert checked.rows["cross_pairs"] == result.pairs > 0
    make_pairs(folder, PairOptions(near_duplicate=64))
    assert verify(folder).problems == ()
    assert json.loads((folder / "build.json").read_text())["written_by"] == "x"


def test_thresholds_can_leave_no_pair_and_then_there_is_no_shard(folder: Path) -> None:
    make_pairs(folder, OPTIONS)
    result = make_pairs(folder, PairOptions(embedder="embedded", near_duplicate=64))
    assert result.pairs == 0
    assert list((folder / "data/cross_pairs").iterdir()) == []
    assert result.dropped["source"]["same moment"] > 0


def test_visual_clusters_find_a_subject_under_another_file_name(folder: Path) -> None:
    path = folder / "vectors" / "all.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    # the shards' ids with it: each clip becomes its own source
    renamed = {str(name): f"v{place}" for place, name in enumerate(np.unique(arrays["clip_ids"]))}
    arrays["clip_ids"] = np.array([renamed[str(name)] for name in arrays["clip_ids"]])
    np.savez(path, **arrays)
    _rename(folder, renamed)
    assert make_pairs(folder, OPTIONS).pairs == 0
    both = PairOptions(embedder="embedded", clusters=("source", "visual"))
    result = make_pairs(folder, both)
    back = {new: old for old, new in renamed.items()}
    found = {frozenset((back[clip], label) for clip, label in sides(row)) for row in pairs_in(folder)}
    right = found & true_pairs()
    assert result.by_cluster == {"source": 0, "visual": len(found)}
    assert len(right) >= 0.6 * len(true_pairs())
    assert all(row["cluster_id"].startswith("visual/v") for row in pairs_in(folder))


def _rename(folder: Path, renamed: dict[str, str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in (folder / "data/regular").glob("*.parquet"):
        table = pq.read_table(path)
        ids = pa.array([renamed[name] for name in table["id"].to_pylist()])
        pq.write_table(table.set_column(table.schema.get_field_index("id"), "id", ids), path)


YES = '{"same_identity": true, "other_context": true}'
NO = 'They differ: {"same_identity": false, "other_context": true}'


def verifier(url: str, **options: object) -> EndpointVerifier:
    return EndpointVerifier("openai:some-vlm", EndpointOptions(base_url=url, api_key="", **options))


def test_a_verifier_refuses_pairs_and_is_asked_once_about_each(folder: Path) -> None:
    unverified = make_pairs(folder, OPTIONS).pairs
    with judge_endpoint(says(NO), says(YES)) as endpoint:
        first = make_pairs(folder, OPTIONS, verifier=verifier(endpoint.base_url))
        asked = len(endpoint.requests)
        second = make_pairs(folder, OPTIONS, verifier=verifier(endpoint.base_url))
        assert len(endpoint.requests) == asked
    assert first.dropped["source"]["verifier"] == 1
    assert first.pairs == second.pairs
    # `says` reports 99 and 1 tokens; the second run counts the verdicts of the first
    assert first.usage == second.usage == {"calls": asked, "input_tokens": 99 * asked, "output_tokens": asked}
    assert asked >= unverified
    content = endpoint.requests[0]["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text"] + ["image_url"] * 4
    assert endpoint.requests[0]["model"] == "some-vlm"


def test_no_verdict_is_no_pair_and_is_asked_again(folder: Path) -> None:
    with judge_endpoint(says("I cannot tell")) as endpoint:
        result = make_pairs(folder, OPTIONS, verifier=verifier(endpoint.base_url, max_reply_attempts=1))
    assert result.pairs == 0
    assert result.unanswered > 0
    with judge_endpoint(says(YES)) as endpoint:
        assert make_pairs(folder, OPTIONS, verifier=verifier(endpoint.base_url)).pairs > 0


def test_a_spent_budget_ends_the_run_and_keeps_the_verdicts(folder: Path) -> None:
    before = make_pairs(folder, OPTIONS).pairs
    with judge_endpoint(says(YES)) as endpoint:
        with pytest.raises(ServiceUnavailableError, match="budget"):
            make_pairs(folder, OPTIONS, verifier=verifier(endpoint.base_url, max_calls=3))
        assert len(pairs_in(folder)) == before  # the earlier pairs stay until there are new ones
        result = make_pairs(folder, OPTIONS, verifier=verifier(endpoint.base_url))
    assert result.pairs == before
    assert len(endpoint.requests) == before


def test_missing_thresholds_and_shards_are_errors(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no thresholds are known for an unnamed embedder"):
        make_pairs(folder)
    with pytest.raises(ResultError, match="no shards in data/regular"):
        make_pairs(tmp_path / "empty", OPTIONS)


def test_the_released_pairs_are_copies_of_one_moment(shared_data: Path) -> None:
    place = shared_data / "opens2v-5m-demo"
    frames = {f"{row['part']}/{row['id']}": phash(frame_of(row)) for row in rows_of(place)}
    pairs = pairs_in(place)
    image = [row["image_similarity"] for row in pairs]
    assert len(pairs) == 104
    assert min(image) == pytest.approx(0.809, abs=5e-4)
    assert np.median(image) == pytest.approx(0.998, abs=5e-4)
    for row in pairs:
        one, other = (frames[f"{row[f'{side}_part']}/{row[f'{side}_id']}"] for side in ("current", "other"))
        assert phash_distance(one, other) <= PairOptions().near_duplicate
