"""Talking to the Hub: what goes wrong there is told in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, OfflineModeIsEnabled

from opens2v_hf.errors import HubError


@contextmanager
def told(api: HfApi, forbidden: str = "") -> Iterator[None]:
    """Turns what the Hub's client raises into one sentence that holds no token.

    Args:
        api: that is asked.
        forbidden: advice for where the Hub forbids it.

    Raises:
        HubError: the Hub cannot be reached, refuses, or knows no such repo or file.
    """
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise HubError("offline mode is on; unset HF_HUB_OFFLINE") from error
    except HFValidationError as error:
        raise HubError(f"that is no name on the Hub: {_first_line(error)}") from error
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
        raise HubError(_without_token(message, api)) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _without_token(message: str, api: HfApi) -> str:
    for token in (api.token, get_token()):
        if isinstance(token, str) and token:
            message = message.replace(token, "***")
    return message
