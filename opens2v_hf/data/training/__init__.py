"""OpenS2V-5M for training subject-to-video models: clips, captions, subject pictures, backgrounds.

    import opens2v_hf
    from datasets import load_dataset
    from torch.utils.data import DataLoader
    from opens2v_hf.data.training import SubjectRule, TrainingView, collate

    rows = load_dataset("opens2v-5m", split="train", streaming=True, preset="high-quality")
    view = TrainingView(
        rows,
        num_frames=49,
        stride=2,
        size=(480, 832),
        subjects=SubjectRule("white", max_count=3, size=(480, 832)),
        pairs=True,  # pictures of the same subjects from other clips of their clusters, also of other parts
        shuffle=64,
        seed=0,
        rank=rank,
        world_size=world_size,
        on_error="skip",
    )
    loader = DataLoader(view, batch_size=2, num_workers=4, collate_fn=collate)
    for epoch in range(epochs):
        view.set_epoch(epoch)
        for batch in loader:
            train(batch.clips, batch.captions, batch.subjects)  # uint8 [B, T, C, H, W], texts, lists of pictures
            view.consumed(batch)
            save(view.state_dict())  # a view that loads it resumes at the very next sample
        print(view.counts)

A sample depends on the seed, the epoch and the sample's id alone: neither on the number of workers and nodes, nor on
where a run was interrupted. Each epoch gives every sample once, over all nodes and workers.

The modules, in the order in which a row passes through them: `row_stream` (shares, shuffles, resumes), `clip_frames`
(which frames), `fit_frames` (crop and resize), `choose_subjects`, `pair_index` and `row_store` (the other clip of a
pair), `cut_subjects` (pictures), `sample`, and `view`, which puts them together.
"""

from typing import TYPE_CHECKING

from opens2v_hf._util.lazy import lazy_names

if TYPE_CHECKING:
    from opens2v_hf.data.training.choose_subjects import SubjectRule
    from opens2v_hf.data.training.pair_index import PairIndex, PairRule
    from opens2v_hf.data.training.problems import BadSample, Counts
    from opens2v_hf.data.training.sample import TrainingBatch, TrainingSample, collate
    from opens2v_hf.data.training.view import TrainingView

__all__ = [
    "BadSample",
    "Counts",
    "PairIndex",
    "PairRule",
    "SubjectRule",
    "TrainingBatch",
    "TrainingSample",
    "TrainingView",
    "collate",
]

# torch and OpenCV are imported on first use.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "opens2v_hf.data.training.choose_subjects": "SubjectRule",
        "opens2v_hf.data.training.pair_index": "PairIndex PairRule",
        "opens2v_hf.data.training.problems": "BadSample Counts",
        "opens2v_hf.data.training.sample": "TrainingBatch TrainingSample collate",
        "opens2v_hf.data.training.view": "TrainingView",
    },
)
