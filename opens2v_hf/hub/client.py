"""Requests to the Hub, with errors of one sentence that contain no token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
)
from huggingface_hub.utils import get_session

from opens2v_hf.errors import HubError

TOKENS_PAGE = "https://huggingface.co/settings/tokens"

TIMEOUT_S = 120.0
"""The Hub client has no read timeout of its own."""


class HubUnreachableError(HubError):
    """The Hub cannot be reached: offline mode, no network, no answer."""


@dataclass(frozen=True)
class HubUser:
    """The owner of a token.

    Attributes:
        names: the user's name, then those of their organisations.
        may_write: whether the token is more than a read token; its rights in a repo are known to the Hub only.
    """

    names: tuple[str, ...]
    may_write: bool


def who_am_i(api: HfApi, purpose: str = "this needs a token of the Hub") -> HubUser:
    """The owner of the token.

    Args:
        api: with a token; the saved one by default.
        purpose: of the token, for the message if it is missing, e.g. "publishing needs a token that may write".

    Raises:
        HubError: the token is missing or invalid, or the Hub cannot be reached.
    """
    if not api.token and not get_token():
        raise HubError(f"{purpose}: `hf auth login`, or set HF_TOKEN")
    with hub_errors(api):
        user = api.whoami()
        names = (user["name"], *(entry["name"] for entry in user.get("orgs", ())))
        role = user.get("auth", {}).get("accessToken", {}).get("role")
    return HubUser(names, may_write=role != "read")


def who_may_write(api: HfApi, purpose: str = "this needs a token of the Hub") -> HubUser:
    """As `who_am_i`, for calls that write: a read token cannot even open a pull request.

    Raises:
        HubError: as `who_am_i`, or the token is a read token.
    """
    user = who_am_i(api, purpose)
    if not user.may_write:
        raise HubError(f"the token may only read; make one that may write at {TOKENS_PAGE}")
    return user


@contextmanager
def hub_errors(api: HfApi, forbidden: str = "") -> Iterator[None]:
    """Convert exceptions of the Hub client to `HubError`; tokens are redacted.

    Args:
        api: whose calls are made.
        forbidden: advice if the Hub answers 403.

    Raises:
        HubUnreachableError: the Hub cannot be reached.
        HubError: the Hub refuses, the repo or file does not exist, or the answer is malformed.
    """
    session = get_session()  # one for the whole process
    if session.timeout.read is None:
        session.timeout = TIMEOUT_S
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise HubUnreachableError("offline mode is on; unset HF_HUB_OFFLINE") from error
    except HFValidationError as error:
        raise HubError(f"invalid repo name: {_first_line(error)}") from error
    except GatedRepoError as error:
        page = str(error.response.url).partition("/resolve/")[0].partition("/api/")[0]
        message = f"the repo is gated, and the token has no access to it; ask for it on the repo's page at {page}"
        raise HubError(_without_token(f"{message} ({_first_line(error)})", api)) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        advice = {
            401: "the token is not valid; log in again with `hf auth login`",
            403: "the token may not do this" + f"; {forbidden}" * bool(forbidden),
            404: "the repo does not exist, or the token has no access to it",
            409: "another commit to the repo is in progress; run the command again",
            412: "the repo has changed meanwhile; run the command again",
        }.get(status, "the Hub answered with an error")
        raise HubError(_without_token(f"{advice} ({_first_line(error)})", api)) from error
    except LocalTokenNotFoundError as error:  # an OSError
        raise HubError("this needs a token: `hf auth login`, or set HF_TOKEN") from error
    except (HTTPError, OSError) as error:  # no answer; HTTPError is that of the HTTP library of the Hub client
        message = f"the Hub at {api.endpoint} cannot be reached: {_first_line(error)}"
        raise HubUnreachableError(_without_token(message, api)) from error
    except UnicodeEncodeError as error:
        raise HubError("the token must be ASCII; log in again with `hf auth login`") from error
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:  # the client does not check the form of an answer
        raise HubError(
            f"the answer of {api.endpoint} is not that of a Hub, perhaps that of a proxy or a login page; check the "
            f"network and HF_ENDPOINT ({type(error).__name__}: {_without_token(_first_line(error), api)})"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _without_token(message: str, api: HfApi) -> str:
    for token in (api.token, get_token()):
        if isinstance(token, str) and token:
            message = message.replace(token, "***")
    return message
