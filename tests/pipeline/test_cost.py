"""Requests, tokens and costs of endpoints by stage, in the notes, the summary and the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.build_stages import write_videos
from helpers.judge_endpoint import fails, judge_endpoint, raw, says

from opens2v_hf.cli import main

CAPTION = "A white bar moves over a grey wall."
TAGS = json.dumps({"subject": ["white bar"], "background": ["grey wall"]})


def reply(content: str, sent: int, made: int):
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made}
    record = {"model": "m", "choices": [{"finish_reason": "stop", "message": message}], "usage": usage}
    return raw(json.dumps(record).encode())


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("videos"), ["a.mp4", "b.mp4"], frames=6)


def command(videos: Path, out: Path, stages: str, model: str) -> list[str]:
    return ["build", str(videos), str(out), "--stages", stages, "--captioner", f"openai:{model}", "--report"]


def test_captions_and_tags_by_an_endpoint_are_counted_and_priced(videos, tmp_path, capsys, monkeypatch) -> None:
    out, prices = tmp_path / "out", tmp_path / "prices.json"
    tokens = {"per_million_tokens": {"input": 2.0, "output": 8.0}, "from": "a contract"}
    prices.write_text(json.dumps({"date": "2026-12-01", "models": {"m": tokens}}))
    script = [reply(CAPTION, 1000, 50), reply(CAPTION, 1200, 70), reply(TAGS, 300, 40), reply(TAGS, 300, 60)]
    with judge_endpoint(*script) as endpoint:
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url)
        assert main([*command(videos, out, "probe,caption,tags", "m"), "--prices", str(prices)]) == 0

    (note,) = (json.loads(path.read_text()) for path in (out / ".build").glob("clips-*.json"))
    usage = {stage["name"]: stage["usage"] for stage in note["stages"]}
    assert usage == {
        "probe": {},
        "caption": {"calls": 2, "input_tokens": 2200, "output_tokens": 120},
        "tags": {"calls": 2, "input_tokens": 600, "output_tokens": 100},
    }
    assert "caption asked an endpoint: 2 calls, 2,200 input and 120 output tokens" in capsys.readouterr().out
    page = (out / "report.html").read_text()
    # 2200 * 2 + 120 * 8 and 600 * 2 + 100 * 8 millionths
    assert "0.005 USD<br><small>2 calls, 2,200 input and 120 output tokens</small>" in page
    assert "0.002 USD<br><small>2 calls, 600 input and 100 output tokens</small>" in page
    assert "a contract (2026-12-01)" in page


def test_a_cost_that_is_not_known_is_not_zero(videos, tmp_path, monkeypatch) -> None:
    with judge_endpoint(says(CAPTION, tokens=None)) as endpoint:
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url)
        assert main(command(videos, tmp_path / "out", "probe,caption", "m")) == 0
    page = (tmp_path / "out/report.html").read_text()
    assert "2 calls, no reply reports its tokens" in page
    assert "its cost is not known" in page


def test_an_endpoint_that_stopped_one_build_is_asked_again_by_the_next(videos, tmp_path, capsys, monkeypatch) -> None:
    words = command(videos, tmp_path / "out", "probe,caption", "m")
    with judge_endpoint(fails(401, "wrong key")) as endpoint:
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url)
        assert main(words) == 1
        assert len(endpoint.requests) == 1
    assert "wrong key" in capsys.readouterr().out
    with judge_endpoint(says(CAPTION)) as endpoint:  # in the same process, e.g. a notebook
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url)
        assert main(words) == 0
    assert "2 clips" in capsys.readouterr().out
