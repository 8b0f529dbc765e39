"""Making a dataset like OpenS2V-5M from a folder of videos.

- A **record** (`records.ClipRecord`) is all that is known of a clip; stages fill it in.
- A **stage** (`stage.Stage`) takes a batch of records and returns what it kept, and what it dropped and why. It knows
  no engine, no shard and no other stage; each works alone from Python.
- A **unit** is some files of the input. All stages are applied to it, and what is left becomes one Parquet shard. An
  engine decides where and when units are processed; the shards do not depend on it.
- **Association** (pairs of clips with the same subject) and **views** (synthesised pictures of subjects) need more than
  one unit, or cost money; they are made after the units, from the shards and the vectors stored next to them.
"""

from typing import TYPE_CHECKING

from opens2v_hf._util.lazy import lazy_names

if TYPE_CHECKING:
    from opens2v_hf.models.endpoint.options import EndpointOptions
    from opens2v_hf.pipeline.engines.local import LocalEngine
    from opens2v_hf.pipeline.engines.ray import RayEngine
    from opens2v_hf.pipeline.options import BuildOptions
    from opens2v_hf.pipeline.overlays import OverlayRules
    from opens2v_hf.pipeline.pairs import EndpointVerifier, PairOptions, make_pairs
    from opens2v_hf.pipeline.plan import plan_build
    from opens2v_hf.pipeline.records import ClipRecord, SourceFile, Subject
    from opens2v_hf.pipeline.stage import Dropped, Resources, Stage, StageOutput
    from opens2v_hf.pipeline.views import ViewOptions, make_views

__all__ = [
    "BuildOptions",
    "ClipRecord",
    "Dropped",
    "EndpointOptions",
    "EndpointVerifier",
    "LocalEngine",
    "OverlayRules",
    "PairOptions",
    "RayEngine",
    "Resources",
    "SourceFile",
    "Stage",
    "StageOutput",
    "Subject",
    "ViewOptions",
    "make_pairs",
    "make_views",
    "plan_build",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "opens2v_hf.models.endpoint.options": "EndpointOptions",
        "opens2v_hf.pipeline.engines.local": "LocalEngine",
        "opens2v_hf.pipeline.engines.ray": "RayEngine",
        "opens2v_hf.pipeline.options": "BuildOptions",
        "opens2v_hf.pipeline.overlays": "OverlayRules",
        "opens2v_hf.pipeline.pairs": "EndpointVerifier PairOptions make_pairs",
        "opens2v_hf.pipeline.plan": "plan_build",
        "opens2v_hf.pipeline.records": "ClipRecord SourceFile Subject",
        "opens2v_hf.pipeline.stage": "Dropped Resources Stage StageOutput",
        "opens2v_hf.pipeline.views": "ViewOptions make_views",
    },
)
