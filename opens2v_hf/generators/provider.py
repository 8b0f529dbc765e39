"""Inference Providers of the Hugging Face Hub as a generator: `hf:<provider>/<org>/<model>`.

The Hub lists the task of each provider's model. For `image-to-video` the first reference is the first frame, which is
not subject-driven. For `text-to-video` no picture is sent. For a model that takes references, the recipe names the
provider's argument, `extra: {references_as: reference_image_urls}`, which gets a list of data URLs.
"""

from __future__ import annotations

import importlib.metadata
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from opens2v_hf._util.content_coding import coding_problem
from opens2v_hf._util.data_url import picture_url
from opens2v_hf._util.retries import retry_after_s
from opens2v_hf._util.text import reason_of
from opens2v_hf.errors import ArgumentError, GenerationError, ModelError
from opens2v_hf.generators.endpoint import (
    MAX_VIDEO_BYTES,
    BusyError,
    ask_until_free,
)
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.generators.request import Generated, GeneratorInfo, Progress, Request

PREFIX = "hf:"
REFERENCES_AS = "references_as"
"""In `Recipe.extra`: the provider's argument for references."""

TEXT, IMAGE = "text-to-video", "image-to-video"
_NAME = re.compile(r"hf:(?P<provider>[a-z0-9-]+)/(?P<model>[\w.-]+/[\w.-]+)")
_SILENCE_S = 120.0
_REFUSED = {401: "the token is not valid", 402: "the account has no credits left", 403: "the token may not do this"}


@dataclass(frozen=True)
class ProviderPlan:
    """A provider's model that the Hub knows.

    Attributes:
        provider: e.g. "fal-ai".
        model: Hub id.
        provider_id: the provider's name of the model.
        task: "text-to-video" or "image-to-video".
        references: "none" makes videos from the text alone.
    """

    provider: str
    model: str
    provider_id: str
    task: str
    references: Literal["given", "none"] = "given"

    @property
    def name(self) -> str:
        """The name that the user gives."""
        return f"{PREFIX}{self.provider}/{self.model}"


def plan_provider(name: str, *, references: Literal["given", "none"] = "given") -> ProviderPlan:
    """Ask the Hub for the task of a provider's model.

    Raises:
        ArgumentError: the name has another form, or the model cannot run without references.
        ModelError: the Hub cannot be asked, or the provider makes no videos with this model.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled

    named = _NAME.fullmatch(name)
    if named is None:
        raise ArgumentError(
            f"a model of a provider is named hf:PROVIDER/ORG/MODEL, e.g. hf:fal-ai/org/model (got {name!r})"
        )
    provider, model = named["provider"], named["model"]
    try:
        served = HfApi().model_info(model, expand=["inferenceProviderMapping"]).inference_provider_mapping or []
    except (HTTPError, OfflineModeIsEnabled, OSError) as error:
        raise ModelError(f"the providers of {model} cannot be read from the Hub: {reason_of(error)}") from error
    found = next((mapping for mapping in served if mapping.provider == provider), None)
    if found is None or found.task not in (TEXT, IMAGE):
        videos = sorted(mapping.provider for mapping in served if mapping.task in (TEXT, IMAGE))
        others = f"; these do: {', '.join(videos)}" if videos else "; no other provider does either"
        raise ModelError(f"{provider} makes no videos with {model}{others}")
    if references == "none" and found.task == IMAGE:
        raise ArgumentError(f"{name} makes a video from a picture, which cannot be left out (references='none')")
    return ProviderPlan(provider, model, found.provider_id, found.task, references)


class ProviderGenerator:
    """Asks a provider for each video, by `huggingface_hub.InferenceClient` and the Hub's token.

    Args:
        plan: of `plan_provider`.
        timeout_s: for one video, from the request to its last byte.
        sleep: waits some seconds before a busy provider is asked again.
    """

    recipe = Recipe()

    def __init__(
        self, plan: ProviderPlan, *, timeout_s: float = 3600.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._plan = plan
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._references_as: str | None = None

    @property
    def info(self) -> GeneratorInfo:
        """The generator of the videos; complete after `check_recipe`."""
        notes = [f"made by the provider {self._plan.provider}, whose versions and seeds are its own"]
        if self._plan.references == "none":
            notes.append("made from the text alone, without references")
        elif self._references_as is None:
            notes.append("the picture is the first frame: the model is not subject-driven")
        return GeneratorInfo(
            kind="provider",
            name=self._plan.name,
            revision=self._plan.provider_id,
            family=self._plan.task,
            versions={"huggingface_hub": importlib.metadata.version("huggingface_hub")},
            subject_driven=self._references_as is not None,
            notes=tuple(notes),
        )

    @property
    def max_references(self) -> int | None:
        """1 for an image-to-video model; None if the recipe names an argument for references, or none is sent."""
        return 1 if self._plan.task == IMAGE and self._references_as is None else None

    def check_recipe(self, recipe: Recipe) -> None:
        """Refuse settings without an argument of the provider, and read the name of its argument for references.

        Raises:
            ArgumentError: a setting or the references have no argument.
        """
        named = recipe.extra.get(REFERENCES_AS)
        if named is not None and (not isinstance(named, str) or not named.isidentifier()):
            raise ArgumentError(f"{REFERENCES_AS} in the recipe must name an argument of the provider (got {named!r})")
        if self._plan.task == TEXT and named is None and self._plan.references == "given":
            raise ArgumentError(
                f"{self._plan.name} makes videos from text: give the provider's argument for references in the recipe, "
                f"extra: {{{REFERENCES_AS}: reference_image_urls}}, or references='none' for an ablation"
            )
        without = ["flow_shift"] + (["width", "height"] if self._plan.task == TEXT else [])
        if given := [setting for setting in without if getattr(recipe, setting) is not None]:
            raise ArgumentError(
                f"{self._plan.provider} has no common argument for {', '.join(given)}; give them in the recipe's "
                "`extra` by the provider's own names"
            )
        self._references_as = named if self._plan.references == "given" else None

    def generate(self, request: Request, progress: Progress | None = None) -> Generated:
        """Ask for one video.

        Raises:
            GenerationError: no answer, a refusal, or an answer that is no video file.
            ModelError: the token or the account does not allow it, for any video.
        """
        video = ask_until_free(lambda: self._ask(request), self._plan.name, self._sleep)
        return Generated(video=video, facts={"provider": self._plan.provider, "task": self._plan.task})

    def close(self) -> None:
        """Nothing to free."""

    def _ask(self, request: Request) -> bytes:
        from huggingface_hub.errors import HfHubHTTPError, HTTPError, InferenceTimeoutError

        until = time.monotonic() + self._timeout_s
        try:
            with _guarded(until, self._plan.name):
                answer = self._call(request)
        except InferenceTimeoutError as error:
            raise _too_late(self._plan.name) from error
        except HfHubHTTPError as error:
            raise self._refusal(error) from error
        except (HTTPError, OSError) as error:
            if time.monotonic() > until:
                raise _too_late(self._plan.name) from error
            raise BusyError(f"{type(error).__name__}: {reason_of(error)}") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:  # the client does not check answers
            raise GenerationError(
                f"{self._plan.name} gave an answer of another form than a provider's ({type(error).__name__}: "
                f"{reason_of(error)})",
                transient=True,
            ) from error
        if not isinstance(answer, bytes) or not answer:
            raise GenerationError(f"{self._plan.name} answered nothing where a video file is expected", transient=True)
        return answer

    def _call(self, request: Request) -> Any:
        from huggingface_hub import ImageToVideoTargetSize, InferenceClient

        recipe = request.recipe
        client: Any = InferenceClient(provider=self._plan.provider, timeout=self._timeout_s)  # type: ignore[arg-type]
        extra = {name: value for name, value in recipe.extra.items() if name != REFERENCES_AS}
        if self._references_as is not None:
            extra[self._references_as] = [picture_url(image, "png") for image in request.images]
        common = {
            "model": self._plan.model,
            "guidance_scale": recipe.guidance,
            "num_frames": recipe.num_frames,
            "num_inference_steps": recipe.steps,
            "seed": request.seed,
        }
        negative = recipe.negative_prompt
        if self._plan.task == TEXT:
            said = None if negative is None else [negative]
            return client.text_to_video(request.prompt, negative_prompt=said, extra_body=extra or None, **common)
        size = None
        if recipe.width is not None and recipe.height is not None:
            size = ImageToVideoTargetSize(width=recipe.width, height=recipe.height)
        return client.image_to_video(
            request.images[0], prompt=request.prompt, negative_prompt=negative, target_size=size, **common, **extra
        )

    def _refusal(self, error: Any) -> Exception:
        """The exception for an answer with an error's status."""
        status = error.response.status_code
        if status == 429 or status >= 500:
            return BusyError(f"status {status}", retry_after_s(error.response.headers.get("Retry-After"), time.time()))
        if status in _REFUSED:
            return ModelError(
                f"{self._plan.name} refuses: {_REFUSED[status]} (status {status}); finished videos are saved"
            )
        return GenerationError(f"{self._plan.name} refused the request (status {status}): {reason_of(error)}")


@contextmanager
def _guarded(until: float, name: str) -> Iterator[None]:
    """Bound the size of what the Hub's client reads and the time that it polls; by itself it has no limits."""
    from huggingface_hub.utils import get_session

    def in_time() -> None:
        if time.monotonic() > until:
            raise _too_late(name)

    def prepare(request: Any) -> None:
        in_time()
        request.headers["Accept-Encoding"] = "gzip"  # Brotli, which the Hub's client accepts, has no useful bound

    def read_bounded(response: Any) -> None:
        if problem := coding_problem(response.headers.get("Content-Encoding", "")):
            raise GenerationError(f"the answer of {name} cannot be read: {problem}", transient=True)
        parts = bytearray()
        for part in response.iter_bytes():
            parts += part
            if len(parts) > MAX_VIDEO_BYTES:
                raise GenerationError(f"{name} answered more than {MAX_VIDEO_BYTES >> 20} MB for one video")
            in_time()
        response._content = bytes(parts)  # as `read` does

    client = get_session()
    hooks, timeout = client.event_hooks, client.timeout
    client.event_hooks = {
        "request": [*hooks.get("request", ()), prepare],
        "response": [*hooks.get("response", ()), read_bounded],
    }
    client.timeout = _SILENCE_S
    try:
        yield
    finally:
        client.event_hooks, client.timeout = hooks, timeout


def _too_late(name: str) -> GenerationError:
    return GenerationError(f"{name} gave no answer in time", transient=True)
