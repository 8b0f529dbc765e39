"""`eval.yaml`, which registers a benchmark with the Hub, checked as the Hub checks it."""

from __future__ import annotations

from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from opens2v_hf.errors import ResultError

FILE = "eval.yaml"

FRAMEWORKS_OF = "2026-08-21"
FRAMEWORKS = frozenset({
    "apex-evals", "archipelago", "benchflow", "claw-eval", "exgentic", "extractbench", "harbor", "ifstruct",
    "inspect-ai", "math-arena", "mdpbench", "mmmu", "mteb", "nanofold", "nemo-evaluator", "olmocr-bench",
    "open-asr-leaderboard", "parsebench", "pbench", "pier", "real5-omnidocbench", "redline-bench", "researchclawbench",
    "screenspot-pro", "swe-bench", "swe-bench-pro", "video-mme-v2", "wbench", "wildclawbench", "yc-bench",
})  # fmt: skip
"""The Hub's list of that day: the keys of EVALUATION_FRAMEWORKS in huggingface.js, packages/tasks/src/eval.ts. The Hub
refuses a file that names another framework, and accepts one that names none."""


def _registered(name: str) -> str:
    if name not in FRAMEWORKS:
        raise ValueError(
            f"{name!r} is not on the Hub's list of {FRAMEWORKS_OF}; leave it out until it has been added there"
        )
    return name


def _visible(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f"it must be visible text on one line (got {text!r})")
    return text


def _one_word(text: str) -> str:
    if " " in _visible(text):
        raise ValueError(f"it must be one word, since results name it (got {text!r})")
    return text


_Word = Annotated[str, AfterValidator(_one_word)]


class _Task(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: _Word
    config: _Word | None = None
    split: _Word = "test"


class EvalYaml(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[str, AfterValidator(_visible)]
    description: str = Field(min_length=1)
    evaluation_framework: Annotated[str, AfterValidator(_registered)] | None = None
    tasks: list[_Task] = Field(min_length=1)


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, as the Hub's parser does; the last one would count without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """See `yaml.SafeLoader`."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(None, None, f"{twice[0]!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def check_eval_yaml(content: str) -> EvalYaml:
    """Parse the file's content, with the checks of the Hub.

    Raises:
        ResultError: it is not YAML, a key is given twice, a field is missing, a task's name is not
            one visible word, or the framework is not registered with the Hub.
    """
    try:
        value = yaml.load(content, _Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that does not exist
        raise ResultError(f"{FILE} cannot be read as YAML: {' '.join(str(error).split())[:200]}") from error
    try:
        found = EvalYaml.model_validate(value)
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise ResultError(f"{FILE} would be refused by the Hub: {reasons}") from error
    if found.evaluation_framework == "inspect-ai":
        for task in found.tasks:
            if missing := {"field_spec", "solvers", "scorers"} - {
                name for name, value in (task.model_extra or {}).items() if value
            }:
                lacks = ", ".join(sorted(missing))
                raise ResultError(f"{FILE} would be refused by the Hub: inspect-ai needs {lacks} in the task {task.id}")
    ids = [task.id for task in found.tasks]
    if len(set(ids)) < len(ids):
        raise ResultError(f"{FILE} would be refused by the Hub: two of its tasks have the same id")
    return found
