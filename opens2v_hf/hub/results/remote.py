"""The results dataset on the Hub."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi

from opens2v_hf.hub.client import told
from opens2v_hf.hub.results.record import DATA_FOLDER


def download_results(repo_id: str, *, revision: str | None = None, token: str | bool | None = None) -> Path:
    """A local copy of the records of a results dataset; what was downloaded before is not downloaded again.

    Raises:
        HubError: the Hub cannot be reached, or has no such dataset.
    """
    api = HfApi(token=token)
    with told(api):
        folder = api.snapshot_download(
            repo_id, repo_type="dataset", revision=revision, allow_patterns=[f"{DATA_FOLDER}/**/*.json"]
        )
    return Path(folder)
