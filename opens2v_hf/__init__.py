"""OpenS2V-Nexus for the Hugging Face ecosystem.

Importing it lets `datasets` and `evaluate` load this project's datasets and metrics by bare name.
"""

from typing import TYPE_CHECKING, Any

from opens2v_hf._version import __version__
from opens2v_hf.hub import names as _names

if TYPE_CHECKING:
    from opens2v_hf.run.door import score
    from opens2v_hf.run.result import RunResult

_names.install()

__all__ = ["RunResult", "__version__", "score"]

_LAZY = {"score": "opens2v_hf.run.door", "RunResult": "opens2v_hf.run.result"}


def __getattr__(name: str) -> Any:
    """Import what needs heavy libraries only when it is used."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)
