"""Batches on devices and under accelerate, alone and in two processes."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils.operations import concatenate, find_batch_size, slice_tensors
from helpers.opens2v5m import folder_form
from helpers.training import records, stream
from torch.utils.data import DataLoader

from opens2v_hf.data.training import SubjectRule, TrainingView, collate


def view(**options) -> TrainingView:
    rule = SubjectRule(min_area=1e-6)  # pictures of their own sizes, so that samples have different numbers of bytes
    return TrainingView(stream("folder"), **{"num_frames": 4, "size": (32, 48), "subjects": rule, **options})


def rows_of(batch) -> list:
    """All that a batch says of each of its samples."""
    rows = zip(batch.ids, batch.parts, batch.captions, batch.subjects, batch.backgrounds, batch.clips, strict=True)
    return [
        (
            sample_id, part, caption, clip.tolist(), None if background is None else background.tolist(),
            [(s.label, s.subject_id, s.source, s.source_subject_id, s.image.tolist()) for s in subjects],
        )
        for sample_id, part, caption, subjects, background, clip in rows
    ]  # fmt: skip


def test_a_batch_moves_as_a_tensor_does() -> None:
    batch = next(iter(DataLoader(view(), batch_size=3, collate_fn=collate)))
    moved = batch.to("meta", non_blocking=True)
    tensors = [moved.clips, *moved.backgrounds, *(s.image for subjects in moved.subjects for s in subjects)]
    assert {tensor.device.type for tensor in tensors if tensor is not None} == {"meta"}
    assert (moved.ids, moved.captions, moved.position) == (batch.ids, batch.captions, batch.position)
    assert rows_of(batch.to("cpu")) == rows_of(batch)


def test_a_batch_is_pinned_with_all_its_tensors(monkeypatch) -> None:
    batch = next(iter(DataLoader(view(), batch_size=3, collate_fn=collate)))
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    batch = torch.utils.data._utils.pin_memory.pin_memory(batch)
    assert type(batch).__name__ == "TrainingBatch"
    assert len(pinned) == 1 + len(batch.backgrounds) + sum(map(len, batch.subjects))


def test_batches_are_joined_and_cut_by_their_samples() -> None:
    first, second, *_ = DataLoader(view(), batch_size=3, collate_fn=collate)
    assert first["rest"].shape != second["rest"].shape
    joined = concatenate([first, second])
    assert find_batch_size(joined) == 6
    assert rows_of(joined) == rows_of(first) + rows_of(second)
    cut = slice_tensors(joined, slice(2, 4))
    assert rows_of(cut) == rows_of(joined)[2:4]
    assert rows_of(concatenate([cut, cut])) == 2 * rows_of(cut)
    assert (joined.position, cut.position) == (second.position, DataLoader(view(), batch_size=4, collate_fn=collate)
                                         .__iter__().__next__().position)  # fmt: skip
    with pytest.raises(KeyError):
        first["other"]


@pytest.mark.parametrize("dispatch", [None, False, True])
@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("workers", [0, 1])
def test_accelerate_in_one_process(dispatch, split, workers) -> None:
    configuration = DataLoaderConfiguration(dispatch_batches=dispatch, split_batches=split)
    loader = DataLoader(view(), batch_size=4, collate_fn=collate, num_workers=workers)
    prepared = Accelerator(cpu=True, dataloader_config=configuration).prepare(loader)
    found = [row for batch in prepared for row in rows_of(batch)]
    assert found == [row for batch in loader for row in rows_of(batch)]
    assert len(found) == len(records())


SCRIPT = """
    import json, sys
    from pathlib import Path
    from helpers import opens2v5m
    opens2v5m.folder_form = lambda: Path(sys.argv[2])
    from accelerate import Accelerator, DataLoaderConfiguration
    from torch.utils.data import DataLoader
    from data.training.test_batch import rows_of, view
    from opens2v_hf.data.training import collate
    found = {}
    whole = [row for batch in DataLoader(view(), batch_size=4, collate_fn=collate) for row in rows_of(batch)]
    for dispatch in (True, False):
        for split in (True, False):
            configuration = DataLoaderConfiguration(dispatch_batches=dispatch, split_batches=split)
            accelerator = Accelerator(cpu=True, dataloader_config=configuration)
            loader = accelerator.prepare(DataLoader(view(), batch_size=4, collate_fn=collate))
            rows = [row for batch in loader for row in rows_of(batch)]
            assert all(row in whole for row in rows)
            found[f"{dispatch} {split}"] = [row[0] for row in rows]
    Path(sys.argv[1], f"{accelerator.process_index}.json").write_text(json.dumps(found))
"""


def test_accelerate_in_two_processes(tmp_path) -> None:
    """Every sample comes to one of the processes; the last batch is filled up from the first, as accelerate does."""
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), str(root / "tests")))}
    done = subprocess.run(
        [*command, tmp_path / "script.py", tmp_path, folder_form()],
        capture_output=True, text=True, timeout=300, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    # A file for each process: lines of two processes may mix on one output.
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    names = [name.partition("/")[2] for name in records()]
    for way in found[0]:
        shares = [one[way] for one in found]
        assert len(shares[0]) == len(shares[1])
        assert set(shares[0]) | set(shares[1]) == set(names)
        assert sum(map(len, shares)) - len(names) < 8
