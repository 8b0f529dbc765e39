"""The estimate of a run, by calculation."""

import itertools
import json
from time import thread_time

import pytest
from helpers.videos import encode, numbered_frames

import opens2v_hf
from opens2v_hf._util.threads import in_order
from opens2v_hf.cli import main
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation import cost_constants as c
from opens2v_hf.evaluation.cost_formulas import (
    VideoShape,
    generation_flops,
    gmescore_flops,
    judge_tokens,
    motion_smoothness_flops,
    nexusscore_flops,
)
from opens2v_hf.evaluation.cost_model import estimate, gpu_named, memory_gb
from opens2v_hf.evaluation.timings import TimedClip, Timings, measured_seconds
from opens2v_hf.generators import Recipe
from opens2v_hf.metrics.registry import METRICS
from opens2v_hf.models.roles import ROLES
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace

HD = VideoShape(121, 1280, 720)


def test_operations_of_the_embedder():
    # 1280 x 720 / 28^2 = 1175.51 tokens, 25 of text; 4 x as many patches
    a_frame = 2 * 6.53e9 * (1175.51 + 25) + 2 * 0.675e9 * 4 * 1175.51
    assert gmescore_flops(HD) == pytest.approx(32 * a_frame, rel=1e-5)
    # a fifth of the frame has 235 tokens, which the processor brings to 256
    a_crop = 2 * 6.53e9 * (256 + 25) + 2 * 0.675e9 * 4 * 256
    assert nexusscore_flops(HD, 2.0) == pytest.approx(64 * (0.2e12 + 1.5 * a_crop))


def test_operations_of_motion_smoothness_and_of_a_video_model():
    # 3 x 65 + 40 = 235 tokens in the language model, 1025 in the vision tower, for each frame
    assert motion_smoothness_flops(HD) == pytest.approx(121 * (2 * 6.48e9 * 235 + 2 * 0.304e9 * 1025))
    model = c.VIDEO_MODELS["Wan-AI/Wan2.1-VACE-14B-diffusers"]
    # 21 latent frames and one reference, of 52 x 30 tokens
    tokens = 22 * 52 * 30
    one_pass = 2 * 17.34e9 * tokens + 4 * tokens**2 * 5120 * 40
    recipe = Recipe(width=832, height=480, num_frames=81, steps=10)
    assert generation_flops(model, recipe) == pytest.approx(10 * 2 * one_pass)


def test_seconds_on_a_gpu_and_in_a_split():
    made = estimate("open-domain", "h100", metrics=["gmescore", "motion_amplitude"], cores=6)
    parts = {part.name: part for part in made.parts}
    gme = gmescore_flops(HD) / (989e12 * 0.4)
    assert parts["gmescore"].seconds == pytest.approx(gme)
    assert 1.5 < gme < 2.5  # the budget on paper: 2.0 s
    assert parts["motion_amplitude"].seconds == pytest.approx(0.15 * 120)
    assert parts["decoding"].seconds == pytest.approx(0.0037 * 121)
    # six cores: (18 + 0.4477) s x 180 / 6 is more than the GPU's 1.78 s x 180
    assert made.hours == pytest.approx((18 + 0.4477) * 180 / 6 / 3600)
    assert estimate("open-domain", "h100", metrics=["gmescore"], num_gpus=2).hours == pytest.approx(gme * 90 / 3600)
    assert estimate("open-domain", "a100", metrics=["gmescore"]).gpu_dollars == pytest.approx(
        2.5 * (gmescore_flops(HD) / (312e12 * 0.4)) * 180 / 3600
    )
    assert made.gpu_dollars is None  # no Job runs on it


def test_only_the_videos_that_a_metric_applies_to_count():
    counts = {part.name: part.num_videos for part in estimate("open-domain", "h100").parts}
    assert (counts["nexusscore"], counts["facesim_cur"], counts["facesim_multi"]) == (141, 90, 120)
    human = {part.name: part.num_videos for part in estimate("human-domain", "h100").parts}
    assert "nexusscore" not in human
    assert human["facesim_cur"] == human["gmescore"] == 60
    assert estimate("open-domain", "h100", metrics=["gmescore"], limit=10).parts[1].num_videos == 10


def test_the_judge():
    # three calls of sixteen pictures of 85 + 170 tokens, and 700 of text
    assert judge_tokens() == 3 * (16 * 255 + 700) == 14340
    made = estimate("open-domain", "h100", metrics=["naturalscore"])
    assert made.service_dollars == pytest.approx(180 * (14340 * 2.5e-6 + 15 * 10e-6))
    local = estimate("open-domain", "h100", metrics=["naturalscore"], judge="org/judge")
    assert local.service_dollars == 0
    assert local.parts[1].resource == "gpu"
    assert local.memory_keep_gb == pytest.approx(16.6 + 4)
    served = estimate("open-domain", "h100", metrics=["naturalscore"], judge="vllm:http://host/org/judge")
    assert (served.parts[1].resource, served.parts[1].seconds) == ("service", local.parts[1].seconds)
    assert (served.service_dollars, served.memory_keep_gb) == (0, pytest.approx(4))


def test_no_price_is_made_up(capsys):
    assert estimate("open-domain", "h100", metrics=["naturalscore"], judge="openai:other").service_dollars is None
    assert main(["doctor", "--estimate", "--gpu", "h100", "--judge", "openai:other"]) == 0
    printed = capsys.readouterr().out
    assert "its price is unknown" in printed
    assert "dollars" not in printed
    assert "no price of a h100" in printed, "no Job has one"


def test_the_parts_against_the_budget_on_paper():
    """Seconds of one 121-frame 720p video on an H100 that were budgeted before the formulas were written."""
    parts = {part.name: part.seconds for part in estimate("open-domain", "h100", judge="naturalscore-open-1").parts}
    assert parts["gmescore"] == pytest.approx(2.0, rel=0.15)
    assert parts["motion_smoothness"] == pytest.approx(1.1, rel=0.15)
    assert parts["naturalscore"] == pytest.approx(0.2, abs=0.05)
    assert parts["nexusscore"] == pytest.approx(1.3, rel=0.15)  # 1.3 to 2.8, by the number of references
    # 500 videos an hour on an H100, open-domain within the hour on an A100
    assert 180 / estimate("open-domain", "h100").hours > 500
    assert estimate("open-domain", "a100").hours < 1


def test_two_metrics_share_one_detection_of_subjects():
    made = {
        part.name: part for part in estimate("single-domain", "h100", metrics=["subject_identity", "copypaste"]).parts
    }
    # 32 frames of one reference: the detector, and 1.5 crops of 257 tokens in 86 million parameters
    operations = 32 * (0.2e12 + 1.5 * 2 * 86e6 * 257)
    assert made["subject_identity"].seconds == pytest.approx(operations / (989e12 * 0.4))
    assert (made["copypaste"].seconds, made["copypaste"].num_videos) == (0.0, 90)
    alone = estimate("single-domain", "h100", metrics=["copypaste"]).parts[1]
    assert alone.seconds == made["subject_identity"].seconds


def test_two_metrics_share_one_search_for_faces():
    made = estimate("open-domain", "h100", metrics=["facesim_cur", "facesim_multi"])
    # 90 videos of one person and 30 of several, 32 frames of 0.05 s each
    assert made.seconds_of("gpu") == pytest.approx(32 * 0.05 * 120)
    assert made.seconds_of("gpu") == estimate("open-domain", "h100", metrics=["facesim_multi"]).seconds_of("gpu")


def test_memory_with_all_models_and_with_one_group_at_a_time():
    # detector 0.5, prompt encoder 0.6 and embedder 16.6 are one group, the quality scorer 16.4 is another
    keep, low = memory_gb(["gmescore", "nexusscore", "motion_smoothness"])
    assert (keep, low) == (pytest.approx(0.5 + 0.6 + 16.6 + 16.4 + 4), pytest.approx(17.7 + 4))


def test_a_search_for_faces_keeps_the_gpu_waiting():
    made = estimate("open-domain", "h100", metrics=["facesim_cur"])
    # 32 frames of 0.05 s on one core, for 90 videos; decoding takes 121 x 0.0037 s on 8 cores and is shorter
    assert made.hours == pytest.approx(32 * 0.05 * 90 / 3600)
    measured = estimate("open-domain", "h100", metrics=["facesim_cur"], measured={"facesim_cur": 2.0})
    assert measured.hours == pytest.approx(2.0 * 90 / 3600)


def test_names_of_gpus():
    assert gpu_named("NVIDIA H100 80GB HBM3").name == "h100"
    assert (gpu_named("a10g-large").name, gpu_named("l40sx4").name, gpu_named("l4x1").name) == ("a10g", "l40s", "l4")
    with pytest.raises(ArgumentError, match=r"the GPU must be one of .*got 'voodoo2'"):
        gpu_named("voodoo2")


def test_unknown_parts_are_named(capsys):
    assert main(["doctor", "--estimate", "--gpu", "h100", "--model", "org/new", "--metrics", "gmescore"]) == 0
    printed = capsys.readouterr().out
    assert "unknown" in next(line for line in printed.splitlines() if line.startswith("generation"))
    assert "without generation (unknown)" in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gpu", "voodoo2"], "the GPU must be one of"),
        (["--gpu", "h100", "--metrics", "beauty"], "no metric 'beauty'"),
        (["--gpu", "h100", "--frames", "0"], "num_frames must be"),
        (["--gpu", "h100", "--cores", "0"], "cores must be"),
        (["--gpu", "h100", "--measured", "nowhere"], "there are no timings of a run on open-domain in nowhere"),
    ],
)
def test_wrong_arguments_of_the_estimate_are_refused(words, said, capsys):
    assert main(["doctor", "--estimate", *words]) == 2
    assert said in capsys.readouterr().err


def test_every_metric_and_network_has_figures():
    made = estimate("open-domain", "h100")
    assert {part.name for part in made.parts} == {"decoding", *METRICS}
    assert made.unknown == []
    memory_gb(METRICS)  # every role has its weights
    assert set(c.REFERENCES) == {"open-domain", "human-domain", "single-domain"}
    assert all(gpu.source for gpu in c.GPUS.values())
    assert "judge" in ROLES


def test_measured_seconds_of_a_run_replace_the_estimate(tmp_path, capsys):
    write_eval(tmp_path / "benchmark", per_category=1)
    write_generated(tmp_path / "videos", "perfect", ids=("singleobj_1", "singleface_1"), num_frames=8)
    common = {"data_dir": tmp_path / "benchmark", "metrics": ["motion_amplitude"], "name": "x"}
    opens2v_hf.score(tmp_path / "videos", out=tmp_path / "out", **common)
    printed = capsys.readouterr().err
    header, row = (line.split() for line in printed.splitlines() if line.startswith(("part", "motion_amplitude")))
    assert header[-1] == "estimated"
    # 168 x 112 pixels, seven pairs of frames
    assert float(row[-1]) == pytest.approx(0.15 * 7 * 168 * 112 / (1280 * 720), abs=5e-4)
    assert row[1] == "2"
    opens2v_hf.score(tmp_path / "videos", out=tmp_path / "out", **common)  # all from the journal: nothing to measure
    assert "measured" not in capsys.readouterr().err
    record = json.loads((tmp_path / "out/open-domain.journal/timings.json").read_text())
    assert record["motion_amplitude"]["num_videos"] == 2
    opens2v_hf.score(tmp_path / "videos", out=tmp_path / "out", resume="never", **common)
    record = json.loads((tmp_path / "out/open-domain.journal/timings.json").read_text())
    assert record["motion_amplitude"]["num_videos"] == 2  # those of the run that was forgotten do not count
    seconds = measured_seconds(tmp_path / "out", "open-domain")["motion_amplitude"]
    assert seconds == pytest.approx(record["motion_amplitude"]["seconds"] / 2)
    words = ["--gpu", "h100", "--metrics", "motion_amplitude", "--measured", str(tmp_path / "out")]
    assert main(["doctor", "--estimate", *words]) == 0
    shown = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("motion_amplitude"))
    assert shown.split()[2] == f"{seconds:.2f}"
    assert shown.endswith("measured")


def test_timings_of_two_runs_are_added_and_a_damaged_file_is_ignored(tmp_path, capsys):
    first = Timings()
    first.add("gmescore", 3.0, 2)
    first.save(tmp_path)
    second = Timings()
    second.add("gmescore", 1.0)
    second.add("nexusscore", 2.0)
    second.save(tmp_path)
    record = json.loads((tmp_path / "timings.json").read_text())
    assert record == {
        "gmescore": {"seconds": 4.0, "num_videos": 3},
        "nexusscore": {"seconds": 2.0, "num_videos": 1},
    }
    (tmp_path / "file").write_text("")
    second.save(tmp_path / "file")
    assert "the seconds of this run are not saved" in capsys.readouterr().err
    (tmp_path / "timings.json").write_text('{"gmescore": {"seconds": "many"}')
    second.save(tmp_path)
    assert json.loads((tmp_path / "timings.json").read_text())["gmescore"]["num_videos"] == 1


@pytest.fixture
def clip(tmp_path):
    return TimedClip(encode(tmp_path / "video.mp4", numbered_frames(9)), rules=[linspace(3)])


def test_a_block_that_raises_is_not_measured(clip):
    timings = Timings()
    with pytest.raises(ZeroDivisionError), timings.measure("gmescore", clip, of_core=False):
        1 / 0  # noqa: B018
    assert timings.format() == ""


def test_decoding_does_not_count_for_the_metric(clip, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("opens2v_hf.evaluation.timings.perf_counter", lambda: clock[0])

    def slow_frames(self):
        for number in range(3):
            clock[0] += 2.0
            yield number

    monkeypatch.setattr(Clip, "stream", slow_frames)
    timings = Timings()
    with timings.measure("gmescore", clip, of_core=False):
        for _ in clip.stream():
            clock[0] += 0.5
    assert clip.wall_s == 6.0
    assert timings.seconds_a_video == {"gmescore": 1.5}


def test_metrics_without_a_model_are_measured_in_seconds_of_one_core(clip, monkeypatch):
    monkeypatch.setattr("opens2v_hf.evaluation.timings.perf_counter", itertools.count(step=100).__next__)

    def work(item):
        begin = thread_time()
        while thread_time() - begin < 0.02:
            pass

    timings = Timings()
    with timings.measure("motion_amplitude", clip, of_core=True):
        list(in_order(work, range(4), threads=2))
    assert 0.08 <= timings.seconds_a_video["motion_amplitude"] < 10


def test_decoding_is_counted_once_for_each_video(tmp_path):
    write_eval(tmp_path / "benchmark", per_category=1)
    write_generated(tmp_path / "videos", "perfect", ids=("singleobj_1", "singleface_1"), num_frames=8)
    names = ["gmescore", "aesthetics"]
    opens2v_hf.score(
        tmp_path / "videos", out=tmp_path / "out", data_dir=tmp_path / "benchmark", metrics=names, name="x",
        metric_models="embedded", num_frames=2,
    )  # fmt: skip
    record = json.loads((tmp_path / "out/open-domain.journal/timings.json").read_text())
    assert {part: sums["num_videos"] for part, sums in record.items()} == dict.fromkeys([*names, "decoding"], 2)
