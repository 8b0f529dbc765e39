"""Results made by hand, for tests of what is done with results."""

from opens2v_hf.models.info import ModelInfo
from opens2v_hf.results.result import Coverage, MetricResult, RunResult, VideoRecord
from opens2v_hf.scores.outcome import VideoScore


def make_result(
    model: str = "alpha",
    values: tuple[float | None, ...] = (0.25, 0.75, None),
    *,
    metric: str = "gmescore",
    embedded: bool = False,
    reason: str = "broken file",
) -> RunResult:
    """A result over singleobj_1, faceobj_1, singleobj_2, ...; None is a video that failed for `reason`."""
    ids = [f"{('singleobj', 'faceobj')[index % 2]}_{index // 2 + 1}" for index in range(len(values))]
    return RunResult(
        model=model,
        split="open-domain",
        benchmark={"source": "folder", "sha256": "0" * 64},
        source="videos",
        coverage=Coverage(len(ids) + 1, len(ids), ("humanobj_1",), ("notes.txt",)),
        videos=tuple(VideoRecord(i, f"{i}.mp4", "ab" * 32, i.rsplit("_", 1)[0], 16, 8.0, 168, 112) for i in ids),
        metrics=(
            MetricResult(
                name=metric,
                models=(ModelInfo("embedder", "org/some-model", "c0ffee", "float32", "cpu", embedded),),
                options={"sampling": "linspace-32"},
                caveats=(),
                scores={
                    i: VideoScore.failed(reason) if value is None else VideoScore.scored(value, frames=[value])
                    for i, value in zip(ids, values, strict=True)
                },
            ),
        ),
        package={"opens2v-hf": "0.1.0"},
        created_at="2026-01-01T00:00:00+00:00",
    )
