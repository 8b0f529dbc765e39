"""What a run of making videos is asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from opens2v_hf.generators.recipe import SEED, Recipe
from opens2v_hf.generators.references import TooMany
from opens2v_hf.generators.request import GeneratorInfo


@dataclass(frozen=True)
class Settings:
    """What is the same for all videos of a run.

    Attributes:
        recipe: complete.
        seed: of every video.
        too_many_references: see `TooMany`.
        seeds: that were asked for together, `seed` among them; empty where it was the only one.
    """

    recipe: Recipe
    seed: int = SEED
    too_many_references: TooMany = "fail"
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class GenerationRun:
    """What a run made.

    Attributes:
        generator: who made the videos.
        settings: with which settings.
        made: sample id to the record of its video, those of earlier runs included.
        failed: sample id to the reason.
        num_reused: how many videos were there already.
        others: further seeds of the same samples, to what was made from each.
    """

    generator: GeneratorInfo
    settings: Settings
    made: Mapping[str, Mapping[str, Any]]
    failed: Mapping[str, str]
    num_reused: int
    others: Mapping[int, GenerationRun] = field(default_factory=dict)

    @property
    def references_changed(self) -> dict[str, int]:
        """How many samples had their references cut ("first") or joined ("collage")."""
        changes = [record["references"] for record in self.made.values() if record["references"]]
        return {change: changes.count(change) for change in sorted(set(changes))}

    @property
    def prompts_cut(self) -> list[str]:
        """Samples of whose prompt the text encoder saw a part only."""
        return sorted(id_ for id_, record in self.made.items() if "prompt_cut_at_tokens" in record["facts"])

    @property
    def prompts_rewritten(self) -> list[str]:
        """Samples whose generator says that it used another prompt."""
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
