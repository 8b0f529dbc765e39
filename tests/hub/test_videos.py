"""Videos of a run that go to a dataset repo on a Hub on loopback."""

import json

import httpx
import pytest
from helpers.eval_folder import write_eval_folder
from helpers.hub_commands import opens2v

from opens2v_hf.errors import ArgumentError
from opens2v_hf.hub.videos import check_videos_repo

MODULE = """
import numpy as np
def generate(request):
    frames = np.zeros((4, 16, 32, 3), np.uint8)
    frames[range(4), :, range(4)] = 40 + request.seed
    return frames
"""


def files_of(hub, repo):
    answer = httpx.get(f"{hub.url}/api/datasets/{repo}").json()
    return sorted(file["rfilename"] for file in answer["siblings"] if file["rfilename"].startswith("Results"))


def test_videos_and_records_are_pushed_once_in_the_layout_of_the_leaderboard(loopback_hub, tmp_path):
    benchmark, module = write_eval_folder(tmp_path / "benchmark"), tmp_path / "mine.py"
    module.write_text(MODULE)
    make = ["generate", "--model", f"python:{module}:generate", "--data-dir", benchmark, "--limit", "2"]
    make += ["--out", tmp_path / "out", "--videos-repo", "bob/my-videos", "--seeds", "1,2"]
    # somebody else scores what was pushed
    score = ["score", "hf://datasets/bob/my-videos/Results/mine.py-generate", "--metrics", "motion_amplitude"]
    score += ["--data-dir", benchmark, "--out", tmp_path / "theirs"]
    (code, said), (again, said_again), (_, scored) = opens2v(loopback_hub, make, make, score, user="bob")
    assert code == again == 0, said + said_again
    assert "hf://datasets/bob/my-videos/Results/mine.py-generate" in said
    assert "up to date" in said_again
    assert "2/4 videos" in scored
    folders = ["Results/mine.py-generate", "Results/mine.py-generate-seed-2"]
    made = sorted(path.stem for path in (tmp_path / "out/videos").glob("*.mp4"))
    assert files_of(loopback_hub, "bob/my-videos") == sorted(
        f"{folder}/{name}"
        for folder in folders
        for name in ["generation.json", *(f"{each}{ending}" for each in made for ending in (".mp4", ".json"))]
    )
    place = f"{loopback_hub.url}/datasets/bob/my-videos/resolve/main/{folders[1]}"
    assert httpx.get(f"{place}/{made[0]}.mp4").content == (tmp_path / f"out/seed-2/videos/{made[0]}.mp4").read_bytes()
    record = httpx.get(f"{place}/{made[0]}.json").text
    assert json.loads(record)["seed"] == 2
    assert str(tmp_path) not in record  # folders of this machine


PUSH = """
import sys
from argparse import Namespace
from opens2v_hf.cli.generate import push
push(Namespace(out=sys.argv[1], videos_repo="bob/of-a-service", videos_private=False))
"""


def test_the_address_of_an_endpoint_is_not_published(loopback_hub, tmp_path):
    address = "http://10.0.0.7:8000/internal"
    videos = tmp_path / "videos"
    videos.mkdir()
    generator = {"kind": "http", "name": address, "notes": ["made by a service"]}
    (videos / "singleobj_1.mp4").write_bytes(b"video")
    (videos / "singleobj_1.json").write_text(json.dumps({"generator": generator, "seed": 42}))
    failed = {"singleobj_2": f"{address} is busy", "manobj_1": f"no memory in {tmp_path}"}
    (videos / "generation.json").write_text(json.dumps({"generator": generator, "failed": failed}))
    loopback_hub.run(PUSH, tmp_path, user="bob")
    files = files_of(loopback_hub, "bob/of-a-service")
    assert files == [f"Results/endpoint/{name}" for name in ("generation.json", "singleobj_1.json", "singleobj_1.mp4")]
    root = f"{loopback_hub.url}/datasets/bob/of-a-service/resolve/main"
    summary, record = (json.loads(httpx.get(f"{root}/{file}").text) for file in files[:2])
    assert record == {"generator": {**generator, "name": "endpoint"}, "seed": 42}
    assert summary == {"generator": {**generator, "name": "endpoint"}, "failed": ["manobj_1", "singleobj_2"]}


def test_a_repo_of_somebody_else_is_refused_before_a_video_is_made(loopback_hub, tmp_path):
    module, benchmark = tmp_path / "mine.py", write_eval_folder(tmp_path / "benchmark")
    module.write_text(MODULE)
    make = ["generate", "--model", f"python:{module}:generate", "--out", tmp_path / "out", "--data-dir", benchmark]
    given = ["score", "videos", "--out", tmp_path / "out", "--videos-repo", "bob/videos"]
    refused, pointless = opens2v(loopback_hub, [*make, "--videos-repo", "nobody-else/videos"], given, user="bob")
    assert refused[0] == pointless[0] == 2
    assert "cannot publish for 'nobody-else'" in refused[1]
    assert "--videos-repo" in pointless[1]
    assert "--model" in pointless[1]
    assert not (tmp_path / "out").exists()


def test_the_name_of_the_repo_is_checked():
    with pytest.raises(ArgumentError, match="must be org/name"):
        check_videos_repo("videos")
