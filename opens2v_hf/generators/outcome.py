"""The settings and the outcome of a run that makes videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from opens2v_hf.generators.recipe import SEED, Recipe
from opens2v_hf.generators.references import TooMany
from opens2v_hf.generators.request import GeneratorInfo


@dataclass(frozen=True)
class Settings:
    """Settings that all videos of a run share.

    Attributes:
        recipe: complete.
        seed: of every video.
        too_many_references: see `TooMany`.
        seeds: all seeds of the run, `seed` among them; empty if it is the only one.
    """

    recipe: Recipe
    seed: int = SEED
    too_many_references: TooMany = "fail"
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class GenerationRun:
    """The videos of a run.

    Attributes:
        generator: who made the videos.
        settings: of the videos.
        made: sample id to the record of its video; includes videos of earlier runs.
        failed: sample id to the reason.
        num_reused: number of videos from earlier runs.
        others: further seed to the run with it.
    """

    generator: GeneratorInfo
    settings: Settings
    made: Mapping[str, Mapping[str, Any]]
    failed: Mapping[str, str]
    num_reused: int
    others: Mapping[int, GenerationRun] = field(default_factory=dict)

    @property
    def references_changed(self) -> dict[str, int]:
        """Number of samples whose references were cut ("first") or joined ("collage")."""
        changes = [record["references"] for record in self.made.values() if record["references"]]
        return {change: changes.count(change) for change in sorted(set(changes))}

    @property
    def prompts_cut(self) -> list[str]:
        """Samples whose prompt the text encoder cut."""
        return sorted(id_ for id_, record in self.made.items() if "prompt_cut_at_tokens" in record["facts"])

    @property
    def prompts_rewritten(self) -> list[str]:
        """Samples whose generator reports another prompt than the request's."""
        return sorted(
            id_
            for id_, record in self.made.items()
            if record["facts"].get("used_prompt", record["prompt"]) != record["prompt"]
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible summary."""
        return {
            "generator": asdict(self.generator),
            "recipe": self.settings.recipe.to_dict(),
            "seed": self.settings.seed,
            "seeds": list(self.settings.seeds),
            "too_many_references": self.settings.too_many_references,
            "references_changed": self.references_changed,
            "prompts_cut": self.prompts_cut,
            "prompts_rewritten": self.prompts_rewritten,
            "num_videos": len(self.made),
            "failed": dict(self.failed),
        }
