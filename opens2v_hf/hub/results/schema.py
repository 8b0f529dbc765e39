"""The form of a record of the results dataset: one description for checking, for reading and for the dataset's card.

Every record has every field, and maps are lists of named entries, so that all files together are one table whose
columns do not depend on what somebody submits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opens2v_hf.scores.scorecard import COLUMNS


@dataclass(frozen=True)
class Scalar:
    """A value of JSON that holds no others.

    Attributes:
        types: that Python's json gives it; a bool is no number here.
        dtype: of the column, as `datasets.Value` names it.
        word: what a message calls it.
        nullable: whether it may be null.
    """

    types: tuple[type, ...]
    dtype: str
    word: str
    nullable: bool = False


TEXT = Scalar((str,), "string", "a string")
TEXT_OR_NULL = Scalar((str,), "string", "a string or null", nullable=True)
NUMBER = Scalar((int, float), "float64", "a number")
NUMBER_OR_NULL = Scalar((int, float), "float64", "a number or null", nullable=True)
COUNT_OR_NULL = Scalar((int,), "int64", "an integer or null", nullable=True)
FLAG = Scalar((bool,), "bool", "true or false")

_MAX_INTEGER = 2**53
"""Beyond it a float is not exact, and beyond 2**63 a column of `datasets` cannot hold the number."""

Schema = Scalar | Mapping[str, Any] | list[Any]
"""A scalar; field name to schema; or a list of one schema, that of its entries."""

FIELDS: Mapping[str, Schema] = {
    "format": TEXT,
    "model": TEXT,
    "model_id": TEXT,
    "link": TEXT,
    "team": TEXT,
    "venue": TEXT,
    "split": TEXT,
    "version": TEXT,
    "scoring": TEXT,
    "total": NUMBER,
    "columns": dict.fromkeys(COLUMNS, NUMBER_OR_NULL),
    "num_videos": dict.fromkeys(COLUMNS, COUNT_OR_NULL),
    "per_video": [{"id": TEXT, **dict.fromkeys(COLUMNS, NUMBER_OR_NULL)}],
    "provenance": {
        "kind": TEXT,
        "source": TEXT,
        "packages": [{"name": TEXT, "version": TEXT}],
        "models": [
            {
                "metric": TEXT,
                "role": TEXT,
                "name": TEXT,
                "revision": TEXT_OR_NULL,
                "dtype": TEXT_OR_NULL,
                "device": TEXT_OR_NULL,
                "embedded": FLAG,
                "quantization": TEXT_OR_NULL,
            }
        ],
        "options": [{"metric": TEXT, "option": TEXT, "value": TEXT}],
        "caveats": [{"metric": TEXT, "caveat": TEXT}],
        "benchmark": {"source": TEXT, "prompt_file": TEXT, "sha256": TEXT},
    },
    "submitted_by": TEXT,
    "submitted_at": TEXT,
}
"""The fields of a record, in their order in a file."""


def mismatches(value: object, schema: Schema = FIELDS, where: str = "") -> Iterator[tuple[str, str]]:
    """Where a JSON value does not have the form of a record, and what it should be there.

    It looks no deeper than the schema does, however deep the value is.

    Example:
        >>> list(mismatches({"id": 3}, {"id": TEXT, "total": NUMBER}))
        [('id', 'should be a string, not a number'), ('total', 'is missing')]
    """
    if isinstance(schema, Scalar):
        if not _fits(value, schema):
            yield where, f"should be {schema.word}, not {_kind(value)}"
    elif isinstance(schema, list):
        if not isinstance(value, list):
            yield where, f"should be a list, not {_kind(value)}"
            return
        for index, entry in enumerate(value):
            yield from mismatches(entry, schema[0], f"{where}[{index}]")
    else:
        if not isinstance(value, dict):
            yield where, f"should be an object, not {_kind(value)}"
            return
        prefix = f"{where}." if where else ""
        for name, entry_schema in schema.items():
            if name in value:
                yield from mismatches(value[name], entry_schema, prefix + name)
            else:
                yield prefix + name, "is missing"
        unknown = [name for name in value if name not in schema]
        if unknown:
            yield where, f"has fields that no record has: {', '.join(repr(name[:40]) for name in unknown[:3])}"


def features_yaml(schema: Schema = FIELDS) -> Any:
    """The schema as `dataset_info.features` of a dataset card holds it."""
    if isinstance(schema, Scalar):
        return schema.dtype
    if isinstance(schema, list):
        return features_yaml(schema[0])
    return [_feature(name, entry) for name, entry in schema.items()]


def _feature(name: str, schema: Schema) -> dict[str, Any]:
    key = "dtype" if isinstance(schema, Scalar) else "list" if isinstance(schema, list) else "struct"
    return {"name": name, key: features_yaml(schema)}


def _fits(value: object, schema: Scalar) -> bool:
    if value is None:
        return schema.nullable
    if isinstance(value, bool):
        return bool in schema.types
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        return False
    return isinstance(value, schema.types)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        return "a number beyond 2**53"
    return {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}.get(
        type(value), f"a {type(value).__name__}"
    )
