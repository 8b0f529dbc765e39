"""Generation of the videos of a result, if the same run made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from opens2v_hf._util.public_names import generator_name


@dataclass(frozen=True)
class Generation:
    """Generator and settings of the videos of a result.

    Attributes:
        kind: of the generator: "diffusers", "python", "http" or "provider".
        name: its Hub id, folder, "module:function", or "endpoint"; see `public_name`.
        revision: commit of the Hub repo, or a digest; None where there is none.
        family: pipeline class; None where it is not known.
        dtype: of the weights; None where it is not known.
        versions: of the libraries that decide the videos.
        subject_driven: whether the model takes pictures of subjects as such, and was given them.
        notes: what a reader must know; each makes the result one that cannot be compared.
        recipe: the settings, by name.
        seed: of every video.
        too_many_references: what was done with samples that have more references than the model takes: "fail",
            "first" or "collage".
        references_changed: "first" or "collage" to the number of samples to which it was done.
        prompts_cut: ids of samples of whose prompt the text encoder saw a part only.
        prompts_rewritten: ids of samples whose video was made from another prompt.
        failed: id of a sample that has no video to the reason.
        seeds: of the same run, `seed` among them; empty if it was the only one.
    """

    kind: str
    name: str
    revision: str | None
    family: str | None
    dtype: str | None
    versions: Mapping[str, str]
    subject_driven: bool
    notes: tuple[str, ...]
    recipe: Mapping[str, Any]
    seed: int
    too_many_references: str
    references_changed: Mapping[str, int] = field(default_factory=dict)
    prompts_cut: tuple[str, ...] = ()
    prompts_rewritten: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()

    @property
    def caveats(self) -> list[str]:
        """Why scores of these videos are not comparable with the leaderboard's."""
        found = list(self.notes)
        if not self.subject_driven and not found:
            found.append("the model is not subject-driven")
        for change, count in self.references_changed.items():
            what = "only the first references" if change == "first" else "all references on one canvas"
            found.append(f"{count} videos were made from {what}, since the model takes fewer")
        if self.prompts_rewritten:
            found.append(f"{len(self.prompts_rewritten)} videos were made from a rewritten prompt")
        if self.seeds and self.seed != self.seeds[0]:
            listed = ", ".join(map(str, self.seeds))
            found.append(f"seed {self.seed} is not the first of {listed}: a seed may not be chosen by its scores")
        return found

    @property
    def public_name(self) -> str:
        """The name without folders of the machine that made the videos, and without the address of an endpoint.

        Example:
            >>> made = Generation("python", "/home/me/mine.py:generate", None, None, None, {}, True, (), {}, 42, "fail")
            >>> made.public_name
            'mine.py:generate'
        """
        return generator_name(self.kind, self.name, self.revision)

    @property
    def settings(self) -> str:
        """The recipe in one line, without long texts."""
        hidden = ("negative_prompt", "extra", "source")
        return ", ".join(f"{name} {value}" for name, value in self.recipe.items() if name not in hidden)

    def describe(self) -> str:
        """One line: the generator, its settings, and what failed."""
        about = [self.kind] + [text for text in (self.family, self.revision and self.revision[:19]) if text]
        settings = self.settings
        seed = f"seed {self.seed}" + (f" of {', '.join(map(str, self.seeds))}" if self.seeds else "")
        said = f"videos by {self.name} ({', '.join(about)}); {seed}" + (f", {settings}" if settings else "")
        if self.prompts_cut:
            said += f"; {len(self.prompts_cut)} prompts cut by the text encoder"
        if self.failed:
            said += f"; {len(self.failed)} videos could not be made"
        return said

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict."""
        return asdict(self)
