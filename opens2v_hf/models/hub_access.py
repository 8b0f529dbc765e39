"""Whether a repo of models can be had: one question to the Hub before a library asks for file after file."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ModelError
from opens2v_hf.models.info import EMBEDDED

_TIMEOUT_S = 10.0
_REMEMBERED_S = 60.0

_lock = threading.Lock()
_answers: dict[tuple[str, ...], tuple[float, str]] = {}  # what was asked: when, and the problem or ""


class ModelUnavailableError(ModelError):
    """A model is not in the local cache, and the Hub does not give it.

    Attributes:
        role: of the model.
        repo_id: of its Hub repo.
        problem: why the Hub does not give it, in words.
    """

    def __init__(self, role: str, repo_id: str, problem: str) -> None:
        super().__init__(
            f"the {role} {repo_id!r} cannot be loaded: it is not in the local cache, and {problem}; without a network "
            f"give a folder that holds it as `{role}=`, or `{role}={EMBEDDED}` for the small model of this package"
        )
        self.role = role
        self.repo_id = repo_id
        self.problem = problem


def unavailable_messages(errors: Sequence[ModelUnavailableError]) -> list[str]:
    """Models that are not available, a sentence for each reason.

    Example:
        >>> errors = [ModelUnavailableError(role, "org/weights", "the Hub is down") for role in ("judge", "detector")]
        >>> unavailable_messages(errors)[0].partition(";")[0]
        'not in the local cache, and the Hub is down: org/weights (judge, detector)'
    """
    if len(errors) == 1:
        return [str(errors[0])]
    found: dict[str, dict[str, list[str]]] = {}
    for error in errors:
        found.setdefault(error.problem, {}).setdefault(error.repo_id, []).append(error.role)
    return [
        f"not in the local cache, and {problem}: "
        + ", ".join(f"{repo_id} ({', '.join(roles)})" for repo_id, roles in repos.items())
        + "; without a network give a folder for each of these roles, "
        + ", ".join(f"`{role}=`" for roles in repos.values() for role in roles)
        + f", or `models={EMBEDDED}` for the small models of this package"
        for problem, repos in found.items()
    ]


def cached_commit(repo_id: str, revision: str | None = None, *, filename: str = "config.json") -> str | None:
    """The commit of a Hub repo whose file was loaded into the local cache; None where that is not known."""
    folder = cached_folder(repo_id, revision, filename=filename)
    return None if folder is None else folder.name


def cached_folder(repo_id: str, revision: str | None = None, *, filename: str = "config.json") -> Path | None:
    """The snapshot of a Hub repo in the local cache that holds a file; None where there is none."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repo_id, filename, revision=revision)
    if not isinstance(path, str):
        return None
    return Path(path).parents[len(Path(filename).parts) - 1]


def load_arguments(role: str, repo_id: str, revision: str | None, filename: str = "config.json") -> dict[str, Any]:
    """The arguments with which `from_pretrained` and `hf_hub_download` get a repo without retrying in vain.

    Where the Hub gives no answer, what the local cache holds is loaded and the Hub is not asked again for every file.

    Args:
        role: of the model, for messages.
        repo_id: of the Hub repo.
        revision: branch, tag or commit.
        filename: that the repo must hold.

    Returns:
        `revision`, where there is one, and `local_files_only` where the Hub gives no answer.

    Raises:
        ModelError: the repo is not in the local cache, and the Hub does not give it; the message says why.
    """
    arguments: dict[str, Any] = {} if revision is None else {"revision": revision}
    problem = hub_problem(repo_id, revision, filename)
    if not problem:
        return arguments
    if cached_folder(repo_id, revision, filename=filename) is None:
        raise ModelUnavailableError(role, repo_id, problem)
    return {**arguments, "local_files_only": True}


def hub_problem(repo_id: str, revision: str | None, filename: str) -> str:
    """Why the Hub does not give a file, in words; empty where it does. Answers are remembered for a minute."""
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return "offline mode is set (HF_HUB_OFFLINE)"
    everything = (str(constants.ENDPOINT),)
    this = (*everything, repo_id, revision or "", filename)
    with _lock:
        for asked in (everything, this):
            when, problem = _answers.get(asked, (-_REMEMBERED_S, ""))
            if time.monotonic() - when < _REMEMBERED_S and (problem or asked == this):
                return problem
        problem, is_everywhere = _ask(repo_id, revision, filename)
        _answers[everything if is_everywhere else this] = (time.monotonic(), problem)
        return problem


def _ask(repo_id: str, revision: str | None, filename: str) -> tuple[str, bool]:
    """The problem, and whether it is that of every repo."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        get_hf_file_metadata(hf_hub_url(repo_id, filename, revision=revision), timeout=_TIMEOUT_S)
    except GatedRepoError:
        return "its repo is gated: accept its terms on its page on the Hub, and log in with `hf auth login`", False
    except RepositoryNotFoundError:
        return "the Hub knows no such repo, or `hf auth login` is needed to see it; check the id", False
    except RevisionNotFoundError:
        return f"its repo has no revision {revision!r}; check it", False
    except EntryNotFoundError:  # the caller that reads the file raises its own error
        return "", False
    except HfHubHTTPError as error:
        status = error.response.status_code
        return f"the Hub answers {status}", status >= 500
    except (HTTPError, OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return f"the Hub at {constants.ENDPOINT} cannot be reached ({reason})", True
    return "", False
