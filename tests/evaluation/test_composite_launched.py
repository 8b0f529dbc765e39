"""The composite module under `accelerate launch`: the processes share the videos."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from helpers.videos import encode, numbered_frames

from opens2v_hf.data.benchmark.given_sample import given_samples
from opens2v_hf.evaluation.composite import score_composite
from opens2v_hf.metrics.motion_amplitude import MotionAmplitude

ROOT = Path(__file__).resolve().parents[2]
LENGTHS = [12, 3, 7, 5]
# Without --multi_gpu, accelerate launches one process where there is no GPU, whatever number it is given.
LAUNCH = [
    sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes", "2",
    "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
]  # fmt: skip
SCRIPT = """
    import json, os, sys
    from pathlib import Path
    import opens2v_hf, evaluate
    from opens2v_hf.metrics.motion_amplitude import MotionAmplitude

    scored, score = [], MotionAmplitude.score
    MotionAmplitude.score = lambda self, clip, reference=None: scored.append(clip.name) or score(self, clip, reference)
    videos = json.loads(sys.argv[1])
    module = evaluate.load("opens2v_eval")
    answer = module.compute(predictions=videos, references=["a prompt"] * len(videos), metrics=["motion_amplitude"])
    Path(sys.argv[2], os.environ["RANK"] + ".json").write_text(json.dumps({"answer": answer, "scored": scored}))
"""


@pytest.mark.timeout(900)  # imports of several processes take long on a busy machine
def test_processes_share_the_videos_and_each_gets_the_whole_scorecard(tmp_path: Path) -> None:
    videos = [str(encode(tmp_path / f"{count}.mp4", numbered_frames(count))) for count in LENGTHS]
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ACCELERATE_", "OMP_"))}
    settings = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path)}
    launched = subprocess.run(
        [*LAUNCH, str(tmp_path / "script.py"), json.dumps(videos), str(tmp_path)], env={**own, **settings},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert launched.returncode == 0, launched.stderr[-4000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert sorted(first["scored"] + second["scored"]) == sorted(videos)
    alone = score_composite(
        [MotionAmplitude()], videos, given_samples(["a prompt"] * len(videos), split="open-domain"), distributed=False
    )
    assert first["answer"] == second["answer"] == json.loads(json.dumps(alone))
