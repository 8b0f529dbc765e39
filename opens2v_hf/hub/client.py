"""Talking to the Hub: what goes wrong there is told in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, HTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import get_session

from opens2v_hf.errors import HubError

TOKENS_PAGE = "https://huggingface.co/settings/tokens"

PATIENCE_S = 120.0
"""How long the Hub may be silent. Its client alone would wait for ever."""


class HubUnreachableError(HubError):
    """There is no way to the Hub: offline mode, no network, no answer."""


@dataclass(frozen=True)
class HubUser:
    """Who a token is of.

    Attributes:
        names: the user's name, then those of their organisations.
        may_write: whether the token is not for reading alone; what it may do in each repo only the Hub knows.
    """

    names: tuple[str, ...]
    may_write: bool


def who_am_i(api: HfApi, purpose: str = "this needs a token of the Hub") -> HubUser:
    """Who the token is of.

    Args:
        api: with a token, or for the one that is logged in.
        purpose: of the token, for the message where there is none, e.g. "publishing needs a token that may write".

    Raises:
        HubError: there is no token, it is not valid, or the Hub cannot be reached.
    """
    if not api.token and not get_token():
        raise HubError(f"{purpose}: `hf auth login`, or set HF_TOKEN")
    with told(api):
        user = api.whoami()
        names = (user["name"], *(entry["name"] for entry in user.get("orgs", ())))
        role = user.get("auth", {}).get("accessToken", {}).get("role")
    return HubUser(names, may_write=role != "read")


def who_may_write(api: HfApi, purpose: str = "this needs a token of the Hub") -> HubUser:
    """As `who_am_i`, for what writes: a token for reading alone does not even open a pull request.

    Raises:
        HubError: as `who_am_i`, or the token may only read.
    """
    user = who_am_i(api, purpose)
    if not user.may_write:
        raise HubError(f"the token may only read; make one that may write at {TOKENS_PAGE}")
    return user


@contextmanager
def told(api: HfApi, forbidden: str = "") -> Iterator[None]:
    """Turns what the Hub's client raises into one sentence that holds no token.

    Args:
        api: that is asked.
        forbidden: advice for where the Hub forbids it.

    Raises:
        HubUnreachableError: the Hub cannot be reached.
        HubError: it refuses, knows no such repo or file, or does not answer as a Hub does.
    """
    session = get_session()  # one for the whole process
    if session.timeout.read is None:
        session.timeout = PATIENCE_S
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise HubUnreachableError("offline mode is on; unset HF_HUB_OFFLINE") from error
    except HFValidationError as error:
        raise HubError(f"that is no name on the Hub: {_first_line(error)}") from error
    except GatedRepoError as error:
        page = str(error.response.url).partition("/resolve/")[0].partition("/api/")[0]
        message = f"the repo is gated, and the token has no access to it; ask for it on the repo's page at {page}"
        raise HubError(_without_token(f"{message} ({_first_line(error)})", api)) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        advice = {
            401: "the token is not valid; log in again with `hf auth login`",
            403: "the token may not do this" + f"; {forbidden}" * bool(forbidden),
            404: "there is no such repo, or the token may not see it",
            409: "somebody else is changing the repo; run the command again",
            412: "somebody else has changed the repo; run the command again",
        }.get(status, "the Hub answered with an error")
        raise HubError(_without_token(f"{advice} ({_first_line(error)})", api)) from error
    except (HTTPError, OSError) as error:  # no answer at all; of whichever HTTP library the Hub client stands on
        message = f"the Hub at {api.endpoint} cannot be reached: {_first_line(error)}"
        raise HubUnreachableError(_without_token(message, api)) from error
    except UnicodeEncodeError as error:
        raise HubError("the token holds characters that no token has; log in again with `hf auth login`") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # the client trusts the form of an answer
        raise HubError(
            f"what answers at {api.endpoint} does not answer as a Hub does, perhaps a proxy or a login page; check the "
            f"network and HF_ENDPOINT ({type(error).__name__}: {_without_token(_first_line(error), api)})"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _without_token(message: str, api: HfApi) -> str:
    for token in (api.token, get_token()):
        if isinstance(token, str) and token:
            message = message.replace(token, "***")
    return message
