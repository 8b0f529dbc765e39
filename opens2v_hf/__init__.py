"""OpenS2V-Nexus for the Hugging Face ecosystem.

Importing it lets `datasets` and `evaluate` load this project's datasets and metrics by bare name.
"""

from opens2v_hf._version import __version__
from opens2v_hf.hub import names as _names

_names.install()

__all__ = ["__version__"]
