"""OpenS2V-Nexus for the Hugging Face ecosystem."""

from opens2v_hf._version import __version__

__all__ = ["__version__"]
