"""Sizes of a Q-Align network, as its config.json gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from opens2v_hf.errors import ModelError
from opens2v_hf.models.config_file import config_from

_Part = TypeVar("_Part", "VisionConfig", "AbstractorConfig", "LanguageConfig")


@dataclass(frozen=True)
class VisionConfig:
    """The picture encoder; the defaults are those of the released class.

    Attributes:
        hidden_size: width of a token.
        intermediate_size: hidden width of the MLPs.
        num_hidden_layers: blocks.
        num_attention_heads: of every block.
        image_size: side of the square input in px, a multiple of `patch_size`.
        patch_size: side of a patch in px.
        layer_norm_eps: of all its norms.
    """

    hidden_size: int = 1024
    intermediate_size: int = 4096
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    image_size: int = 448
    patch_size: int = 14
    layer_norm_eps: float = 1e-6

    @property
    def grid_size(self) -> int:
        """Patches along a side."""
        return self.image_size // self.patch_size

    @property
    def num_tokens(self) -> int:
        """Tokens of a picture: its patches and the class token."""
        return self.grid_size**2 + 1


@dataclass(frozen=True)
class AbstractorConfig:
    """The abstractor, which reduces a picture to a few tokens; the defaults are those of the released class.

    Attributes:
        num_learnable_queries: tokens that a picture is reduced to.
        hidden_size: width of a token, that of the picture encoder.
        num_hidden_layers: cross-attention layers.
        num_attention_heads: of every layer.
        intermediate_size: hidden width of the MLPs.
        layer_norm_eps: of the norm inside the MLPs.
    """

    num_learnable_queries: int = 64
    hidden_size: int = 1024
    num_hidden_layers: int = 6
    num_attention_heads: int = 16
    intermediate_size: int = 2816
    layer_norm_eps: float = 1e-6


@dataclass(frozen=True)
class LanguageConfig:
    """The language model; the defaults are those of the released class.

    Attributes:
        vocab_size: tokens.
        hidden_size: width of a token.
        intermediate_size: hidden width of the MLPs.
        num_hidden_layers: decoder layers.
        num_attention_heads: of every layer; keys and values have as many.
        rms_norm_eps: of all its norms.
        rope_theta: base of the rotary positions.
    """

    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0


@dataclass(frozen=True)
class QAlignConfig:
    """Everything that a set of weights does not say itself."""

    vision: VisionConfig = field(default_factory=VisionConfig)
    abstractor: AbstractorConfig = field(default_factory=AbstractorConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)

    def __post_init__(self) -> None:
        for part in (self.vision, self.abstractor, self.language):
            if part.hidden_size % part.num_attention_heads:
                raise ModelError(f"num_attention_heads must divide hidden_size (got {part})")
        if self.vision.image_size % self.vision.patch_size:
            raise ModelError(f"patch_size must divide image_size (got {self.vision})")
        if self.abstractor.hidden_size != self.vision.hidden_size:
            raise ModelError(
                f"the abstractor must be as wide as the picture encoder (got {self.abstractor}, {self.vision})"
            )
        if self.abstractor.hidden_size % 4:
            raise ModelError(f"the abstractor's width must be a multiple of 4 (got {self.abstractor})")
        if (self.language.hidden_size // self.language.num_attention_heads) % 2:
            raise ModelError(f"heads must have an even width (got {self.language})")

    @property
    def frame_tokens(self) -> int:
        """Tokens of one frame in the language model: the queries and the token that ends a frame."""
        return self.abstractor.num_learnable_queries + 1

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of a config.json, in the released layout."""
        vision = {**asdict(self.vision), "hidden_act": "quick_gelu", "num_channels": 3}
        abstractor = {
            **asdict(self.abstractor),
            "encoder_hidden_size": self.vision.hidden_size,
            "grid_size": self.vision.grid_size,
        }
        return {
            "architectures": ["MPLUGOwl2LlamaForCausalLM"],
            "model_type": "mplug_owl2",
            **asdict(self.language),
            "num_key_value_heads": self.language.num_attention_heads,
            "hidden_act": "silu",
            "visual_config": {"visual_model": vision, "visual_abstractor": abstractor},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "the configuration") -> QAlignConfig:
        """Read the JSON object of a config.json.

        A missing value has the default of the released class; keys that change nothing here are ignored.

        Raises:
            ModelError: a value of the wrong type, or one that asks for another network.
        """
        visual = _section(values, "visual_config", source)
        vision = _section(visual, "visual_model", source)
        abstractor = _section(visual, "visual_abstractor", source)
        config = cls(
            vision=_part(VisionConfig, vision, source),
            abstractor=_part(AbstractorConfig, abstractor, source),
            language=_part(LanguageConfig, values, source),
        )
        required = [
            (values, "model_type", "mplug_owl2"),
            (values, "hidden_act", "silu"),
            (values, "num_key_value_heads", config.language.num_attention_heads),
            (values, "rope_scaling", None),
            (values, "attention_bias", False),
            (vision, "hidden_act", "quick_gelu"),
            (vision, "num_channels", 3),
            (abstractor, "grid_size", config.vision.grid_size),
            (abstractor, "encoder_hidden_size", config.vision.hidden_size),
        ]
        for section, key, expected in required:
            if section.get(key, expected) != expected:
                raise ModelError(f"{source}: {key} is {section[key]!r}; only {expected!r} is known for this network")
        return config

    @classmethod
    def from_file(cls, path: Path) -> QAlignConfig:
        """Read a config.json.

        Raises:
            ModelError: the file is missing, no JSON object, or see `from_dict`.
        """
        return config_from(path, "a quality scorer", lambda values: cls.from_dict(values, source=str(path)))


def _section(values: Mapping[str, Any], key: str, source: str) -> Mapping[str, Any]:
    section = values.get(key, {})
    if not isinstance(section, Mapping):
        raise ModelError(f"{source}: {key} is a {type(section).__name__} where a JSON object is expected")
    return section


def _part(kind: type[_Part], values: Mapping[str, Any], source: str) -> _Part:
    found: dict[str, Any] = {}
    for item in fields(kind):
        if item.name not in values:
            continue
        value = values[item.name]
        whole = item.type == "int"
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or value <= 0:
            kind_name = "a whole number" if whole else "a number"
            raise ModelError(f"{source}: {item.name} must be {kind_name} above 0 (got {value!r})")
        found[item.name] = value if whole else float(value)
    return kind(**found)
