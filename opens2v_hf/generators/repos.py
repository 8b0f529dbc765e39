"""Facts about repos that are not in their index files: licences, wrong class names, own code.

From the repos' cards and files in 2026; check the licence of a repo before you use its videos.
"""

from __future__ import annotations

from dataclasses import dataclass

_OWN_CODE = (
    "this model runs only with its own code, even if its index file names a pipeline; score it by a Python function "
    "(--model python:module:function), an HTTP endpoint (--model http://...), or videos that its own code made"
)


@dataclass(frozen=True)
class KnownRepo:
    """Facts about a repo on the Hub.

    Attributes:
        licence: of the weights.
        excluded: territories in which the licence grants nothing.
        refusal: why it cannot be run here, and the alternatives; empty if it can.
        weights_gb: size of the download; None where it is not known.
        references: number that it takes, in words.
        memory: of the GPU that it needs, in words, without activations if nothing else is said: two bytes for each
            parameter of its networks, or what its card says; empty where it is not known.
    """

    licence: str
    excluded: tuple[str, ...] = ()
    refusal: str = ""
    weights_gb: float | None = None
    references: str = ""
    memory: str = ""


_HUNYUAN_EXCLUDED = ("the EU", "the UK", "South Korea")

REPOS: dict[str, KnownRepo] = {
    "Wan-AI/Wan2.1-VACE-1.3B-diffusers": KnownRepo(
        "Apache-2.0", weights_gb=19, references="any number", memory="16 GB in bfloat16"
    ),
    "Wan-AI/Wan2.1-VACE-14B-diffusers": KnownRepo(
        "Apache-2.0", weights_gb=75, references="any number", memory="46 GB in bfloat16"
    ),
    "Wan-AI/Wan2.1-VACE-1.3B": KnownRepo(
        "Apache-2.0", refusal="it holds the original format; take Wan-AI/Wan2.1-VACE-1.3B-diffusers"
    ),
    "Wan-AI/Wan2.1-VACE-14B": KnownRepo(
        "Apache-2.0", refusal="it holds the original format; take Wan-AI/Wan2.1-VACE-14B-diffusers"
    ),
    "linoyts/Wan2.2-VACE-Fun-14B-diffusers": KnownRepo(
        "see the repo", weights_gb=80, references="any number", memory="81 GB in bfloat16"
    ),
    "alibaba-pai/Wan2.2-VACE-Fun-A14B": KnownRepo(
        "see the repo", refusal="it holds the original format; take linoyts/Wan2.2-VACE-Fun-14B-diffusers"
    ),
    "MiniMaxAI/MiniMax-H3": KnownRepo(
        "MiniMax Community",
        ("the EU", "the UK", "South Korea", "the USA"),
        weights_gb=124,
        references="up to 9",
        memory="62 GB for each of its two parts",
    ),
    "BestWishYsh/ConsisID-preview": KnownRepo(
        "Apache-2.0", weights_gb=44, references="one face", memory="5 to 7 GB with offloading and tiling"
    ),
    "bytedance-research/Phantom": KnownRepo("Apache-2.0", refusal=_OWN_CODE, references="up to 4"),
    "Skywork/SkyReels-A2": KnownRepo("Apache-2.0 on the Hub", refusal=_OWN_CODE, references="up to 3"),
    "Skywork/SkyReels-V3-R2V-14B": KnownRepo(
        "other", refusal=_OWN_CODE, references="up to 4", memory="under 24 GB in float8 with offloading"
    ),
    "MAGREF-Video/MAGREF": KnownRepo("Apache-2.0", refusal=_OWN_CODE, weights_gb=70, references="any, on one canvas"),
    "tencent/HunyuanCustom": KnownRepo(
        "Tencent",
        _HUNYUAN_EXCLUDED,
        refusal=_OWN_CODE,
        references="one",
        memory="60 GB with activations at 896x512, 80 GB at 1280x720",
    ),
    "ByteDance/BindWeave": KnownRepo("Apache-2.0", refusal=_OWN_CODE, references="up to 4"),
    "ByteDance/Bernini-R-Diffusers": KnownRepo("Apache-2.0", refusal=_OWN_CODE, references="any number"),
    "ByteDance/Bernini-R-1.3B-Diffusers": KnownRepo("Apache-2.0", refusal=_OWN_CODE, references="any number"),
    "ByteDance/Bernini-Diffusers": KnownRepo("Apache-2.0", refusal=_OWN_CODE, weights_gb=126, references="any number"),
    "gudaochangsheng/RefAlign-1.3B": KnownRepo("MIT", refusal=_OWN_CODE, references="any number"),
    "gudaochangsheng/RefAlign-14B": KnownRepo("MIT", refusal=_OWN_CODE, references="any number"),
    "bytedance-research/HuMo": KnownRepo("Apache-2.0", refusal=_OWN_CODE, references="any number, and audio"),
    "BowenXue/Stand-In": KnownRepo("Apache-2.0", refusal=_OWN_CODE, references="one face"),
    "ByteDance/lynx": KnownRepo("Apache-2.0", refusal=_OWN_CODE, references="one face"),
    "acvlab/FantasyID": KnownRepo("Apache-2.0", refusal=_OWN_CODE, references="one face"),
    "ID-Animator/ID-Animator": KnownRepo("see the repo", refusal=_OWN_CODE, references="one face"),
    "SugerWu/VideoMaker": KnownRepo("Tencent", ("the EU",), refusal=_OWN_CODE, references="one"),
}
"""Hub id to facts about the repo."""

_BY_LOWER_CASE = {name.lower(): repo for name, repo in REPOS.items()}


def known_repo(name: str) -> KnownRepo | None:
    """Facts about a repo; as on the Hub, upper and lower case are the same in its id."""
    return _BY_LOWER_CASE.get(name.lower())


SPEECH_TO_VIDEO = ("wan2.2-s2v", "kandinsky-s2v")
"""Parts of ids, in lower case, of models whose S2V means speech to video."""
