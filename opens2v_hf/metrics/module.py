"""The base of every metric as a module of `evaluate`: what it takes, how that is stored, and how models are chosen."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import evaluate
from datasets import Features, Value

from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics import arguments as names
from opens2v_hf.metrics.stored_inputs import InputStore, as_list

_CITATION = """
@inproceedings{yuan2025opens2v,
  title={OpenS2V-Nexus: A Detailed Benchmark and Million-Scale Dataset for Subject-to-Video Generation},
  author={Yuan, Shenghai and others},
  booktitle={NeurIPS Datasets and Benchmarks},
  year={2025},
  note={arXiv:2505.20292}
}
"""
_OF_ONE_PROCESS = (
    "compute", "add", "add_batch", "filelock", "filelocks", "rendez_vous_lock", "file_paths", "cache_file_name",
    "writer", "buf_writer", "data", "_kept", "_store",
)  # fmt: skip


class MetricModule(evaluate.Metric):
    """A metric that `evaluate.load` gives; its script names the metric and describes it.

    Arguments of `evaluate.load` are defaults of `compute`. Models are loaded at the first `compute`, and each stays
    loaded while the arguments that choose it stay the same; a pickled module loads them again.
    """

    metric: ClassVar[str]
    filelocks: Any
    file_paths: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        own = inspect.signature(evaluate.Metric.__init__).parameters
        self.defaults = {name: kwargs.pop(name) for name in list(kwargs) if name not in own}
        names.check_names(self.metric, self.defaults)
        super().__init__(*args, **kwargs)
        self._start()

    def _info(self) -> evaluate.MetricInfo:
        columns = ("predictions", "references") if self.metric in names.NEEDS else ("predictions",)
        return evaluate.MetricInfo(
            description=inspect.cleandoc(type(self).__doc__ or ""),
            citation=_CITATION,
            inputs_description=names.inputs_description(self.metric),
            features=Features({name: Value("large_string") for name in columns}),
            reference_urls=["https://arxiv.org/abs/2505.20292"],
        )

    def _start(self) -> None:
        from opens2v_hf.metrics.model_cache import ModelCache

        self._kept = ModelCache()
        self._store = InputStore(shared=self.num_process > 1)

    def compute(self, *, predictions: Any = None, references: Any = None, **arguments: Any) -> dict[str, Any] | None:
        """Score videos."""
        names.check_names(self.metric, arguments)
        if predictions is None and references is None and self.writer is None:
            raise ArgumentError(f"{self.metric} has nothing to score; give predictions=[...]")
        arguments = {**self.defaults, **arguments}
        names.check_flags(arguments)
        try:
            return super().compute(predictions=predictions, references=references, **arguments)
        except BaseException:
            self._discard()
            raise
        finally:
            self._store.clear()

    def add(self, *, prediction: Any = None, reference: Any = None, **inputs: Any) -> None:
        """Add one video, and its reference, for `compute`."""
        # `evaluate.combine` gives both under the names of the columns
        prediction = inputs.pop("predictions", prediction)
        reference = inputs.pop("references", reference)
        stored = {"prediction": self._store.video(prediction, "prediction")}
        if self.metric in names.NEEDS:
            stored["reference"] = self._store.record(reference, "reference", names.NEEDS[self.metric], self.metric)
        super().add(**stored, **inputs)

    def add_batch(self, *, predictions: Any = None, references: Any = None, **inputs: Any) -> None:
        """Add several videos, and their references, for `compute`."""
        videos = as_list(predictions, "predictions", "videos")
        stored = {"predictions": [self._store.video(video, f"predictions[{i}]") for i, video in enumerate(videos)]}
        if self.metric in names.NEEDS:
            need = names.NEEDS[self.metric]
            if references is None:
                raise ArgumentError(f"{self.metric} needs references, one for each video; write references=[...]")
            records = as_list(references, "references", "one reference for each video")
            if len(records) != len(videos):
                raise ArgumentError(
                    f"{self.metric} needs one reference for each video (got {len(videos)} videos, "
                    f"{len(records)} references)"
                )
            stored["references"] = [
                self._store.record(record, f"references[{i}]", need, self.metric) for i, record in enumerate(records)
            ]
        super().add_batch(**stored, **inputs)

    def _compute(self, predictions: Sequence[str], references: Sequence[str] = (), **arguments: Any) -> dict[str, Any]:
        if not predictions:
            raise ArgumentError("predictions must have at least one video (got none)")
        fps = arguments.pop("fps", None)
        videos = [self._store.load_video(text, f"predictions[{i}]", fps) for i, text in enumerate(predictions)]
        return self._answer(videos, [self._store.load_record(text) for text in references], arguments)

    def _answer(self, videos: list[Any], records: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
        from types import SimpleNamespace

        from opens2v_hf.metrics.base import score_many
        from opens2v_hf.metrics.registry import METRICS

        entry = METRICS[self.metric]
        options = {name: given[name] for name in names.options_of(self.metric) if given.get(name) is not None}
        if "details" in entry.options:
            options["details"] = given.get("details", False)
        # Made without models first: a bad option shows before gigabytes are loaded.
        entry.build(dict.fromkeys(entry.roles, SimpleNamespace(deterministic=False)), options)
        references = _references_for(self.metric, records, given)
        choices = self._choices(entry.roles, given)
        encodes = given.get("prompt_encoder") is not None or any(
            getattr(reference, "needs_encoder", False) for reference in references or ()
        )
        if not encodes:  # embeddings are given for all videos
            choices.pop("prompt_encoder", None)
        metric = entry.build(self._load(choices, given), options)
        return score_many(metric, videos, references, **self._how(given))

    def _choices(self, roles: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
        """Role to the model that was named or given, or the released one."""
        from opens2v_hf.metrics.model_cache import choose
        from opens2v_hf.models.roles import ModelChoice

        choices = choose(roles, given.get("metric_models"))
        for role in names.roles_of(self.metric):
            model, revision = given.get(role), given.get(f"{role}_revision")
            if role not in choices:
                if model is not None or revision is not None:
                    raise ArgumentError(f"none of the metrics uses a model {role!r}; leave it out")
                continue
            if model is not None:
                choices[role] = model
            if revision is not None:
                chosen = choices[role]
                if isinstance(chosen, str | os.PathLike):
                    chosen = ModelChoice(chosen)
                if not isinstance(chosen, ModelChoice):
                    raise ArgumentError(f"a loaded {role} takes no revision; leave out {role}_revision")
                choices[role] = ModelChoice(chosen.name, {**chosen.arguments, "revision": revision})
        return choices

    def _load(self, choices: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        from opens2v_hf.metrics.model_cache import load_models

        return load_models(self._kept, choices, {role: self._loading(role, given) for role in choices})

    def _loading(self, role: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of loading that were given for a role."""
        wanted = {"device", *names.LOADING.get(role, ())}
        if role == "judge" and set(given) - set(names.arguments_of(self.metric)):
            wanted |= names.judge_arguments()
        return {name: given[name] for name in wanted if given.get(name) is not None}

    def _how(self, given: Mapping[str, Any]) -> dict[str, Any]:
        chosen = {name: given[name] for name in ("backend", "details", "distributed") if given.get(name) is not None}
        return {"backend": "auto", "details": False, "distributed": True} | chosen

    def _discard(self) -> None:
        """Let go of what a computation that failed has stored; `evaluate` itself would keep its lock and its file."""
        self.data = None
        for lock, path in zip(self.filelocks or (), self.file_paths or (), strict=False):
            with suppress(OSError):
                os.remove(path)
            lock.release()
        self.filelocks = self.file_paths = None

    def __getstate__(self) -> dict[str, Any]:
        if self.writer is not None:
            raise ArgumentError(f"{self.metric} holds examples that were added; call compute() before it is pickled")
        return {name: value for name, value in self.__dict__.items() if name not in _OF_ONE_PROCESS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        methods = ("compute", "add", "add_batch")
        self.__dict__.update(dict.fromkeys(name for name in _OF_ONE_PROCESS if name not in methods), **state)
        self._start()


def _references_for(
    metric: str, records: Sequence[Mapping[str, Any]], given: Mapping[str, Any]
) -> Sequence[Any] | None:
    """One reference for each video, or None for a metric that needs none."""
    from opens2v_hf.metrics.face_reference import face_references_of
    from opens2v_hf.metrics.nexus_reference import references_of
    from opens2v_hf.metrics.subject_reference import subject_references_of

    if metric == "gmescore":
        return [record["prompt"] for record in records]
    if metric == "nexusscore":
        embeds = {name: given.get(name) for name in ("image_embeds", "prompt_embeds")}
        return references_of(records, given.get("ids"), **embeds)
    if metric in ("subject_identity", "copypaste"):
        return subject_references_of(records, given.get("ids"))
    return face_references_of(records, given.get("ids")) if metric.startswith("facesim") else None
