"""OpenS2V-5M as a dataset: what `load_dataset("opens2v-5m", ...)` builds.

By default it reads upstream's repo on the Hub, which has the released layout; `repo=` names another repo, `data_dir=` a
folder or URL. It reads both the released layout and converted shards.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.builder import Key
from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError, HTTPError

from opens2v_hf.data.cached_builder import CITATION, CachedByContent
from opens2v_hf.data.opens2v5m.filters import PRESETS, Filters, QualityFilter, row_filter
from opens2v_hf.data.opens2v5m.released.byte_source import hub_options, shown_url
from opens2v_hf.data.opens2v5m.released.json_stream import Malformed, OnError, byte_ranges
from opens2v_hf.data.opens2v5m.released.media_folder import Location
from opens2v_hf.data.opens2v5m.released.samples import JsonFile, ReleasedLayout, Subset, read_layout
from opens2v_hf.data.opens2v5m.shards import features
from opens2v_hf.data.opens2v5m.shards.convert_plan import view_ranges
from opens2v_hf.data.opens2v5m.shards.parquet_file import open_parquet
from opens2v_hf.data.opens2v5m.shards.row_iterable import RowIterable
from opens2v_hf.data.opens2v5m.shards.schema import BUILD_ONLY, BUILT
from opens2v_hf.data.opens2v5m.shards.tables import SCHEMAS, Selection, released_tables, shard_tables
from opens2v_hf.errors import ArgumentError, SourceError

DEFAULT_REPO = "BestWishYsh/OpenS2V-5M"

JSON_STEP = 64 << 20
"""Bytes of released JSON in a shard of the stream: what a resumed stream reads again at most."""

_FEATURES = {
    "regular": features.regular_features,
    "cross_pairs": features.cross_pairs_features,
    "views": features.view_features,
}

_logger = logging.getLogger(__name__)

_MOST_LEFT_OUT = 1000


@dataclass
class OpenS2V5MConfig(datasets.BuilderConfig):
    """Source and selection of the data.

    Attributes:
        repo: a dataset repo on the Hub, instead of upstream's; not together with `data_dir`.
        revision: of the repo.
        columns: names of the columns to read, None for all.
        filters: conditions on plain columns: `[(column, operator, value), ...]`, or a list of such lists, one of which
            must hold. Row groups of shards that fail them are not read.
        preset: "high-quality" for the authors' filter (see `filters.QualityFilter`), or a `QualityFilter`.
        subset: "high-quality" for the authors' smaller set of released records.
        index_dir: a folder of indices of the split tars, see `opens2v convert --index-only`.
        on_error: "raise" at a malformed record or row, or "skip" it with a warning.
    """

    repo: str | None = None
    revision: str | None = None
    columns: list[str] | None = None
    filters: Filters | None = None
    preset: str | QualityFilter | None = None
    subset: Subset = "all"
    index_dir: str | None = None
    on_error: OnError = "raise"


@dataclass(frozen=True)
class _Shard:
    """A Parquet file, or a range of the released layout."""

    url: str
    file: JsonFile | None = None
    start: int = 0
    stop: int = 0


class OpenS2V5M(CachedByContent, datasets.ArrowBasedBuilder):
    """Builds one of the configs "regular", "cross_pairs" and "views", each with the split "train".

    Raises, in addition to what `datasets` raises: SourceError where the dataset is not found or a file is damaged,
    SampleError at a malformed record, ArgumentError where the arguments do not fit.

    Attributes:
        left_out: the first records that were skipped while this process read.
        on_malformed: called with each malformed record, which is then skipped also where the config's `on_error` is
            "raise"; None to follow the config.
        mapped: whether local shards are mapped into memory while they are read; see `open_parquet`.
    """

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = OpenS2V5MConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - the name and type that `datasets` requires
        OpenS2V5MConfig(name="regular", version=VERSION, description="clips with captions, tags, scores and subjects"),
        OpenS2V5MConfig(name="cross_pairs", version=VERSION, description="the same subject in two clips of a cluster"),
        OpenS2V5MConfig(name="views", version=VERSION, description="synthesised views of the subjects of some clips"),
    ]
    DEFAULT_CONFIG_NAME = "regular"
    DEFAULT_WRITER_BATCH_SIZE = 64  # a row may hold its video
    data_arguments = "opens2v-5m takes data_dir= (a folder or URL) or repo="

    def open_config(self, config: OpenS2V5MConfig) -> Any:
        """See `CachedByContent`."""
        if config.repo is not None and config.data_dir is not None:
            raise ArgumentError(f"give repo= or data_dir=, not both (got {config.repo=} and {config.data_dir=})")
        if config.on_error not in get_args(OnError):
            raise ArgumentError(f"on_error must be one of {', '.join(get_args(OnError))} (got {config.on_error!r})")
        if config.data_dir is not None:
            config.data_dir = os.fspath(config.data_dir)
        if config.index_dir is not None and not Location(config.index_dir).exists():
            raise SourceError(f"there is no folder {config.index_dir}, which index_dir names")
        self.left_out: list[Malformed] = []
        self.on_malformed: Callable[[Malformed], object] | None = None
        self.mapped = True
        _selection(config, BUILT if config.name == "regular" else SCHEMAS[config.name])  # refuses unknown columns early
        self._layout, self._shards = _find(config, self.token)
        self._selection = _selection(config, _schema(config.name, self._layout, self._shards, self.token))
        options = (config.index_dir, config.columns, config.filters, config.preset, config.on_error)
        return repr((self._shards, *options)), _times(self._shards)

    @property
    def layout(self) -> ReleasedLayout | None:
        """The released layout that it reads; None where it reads converted shards."""
        return self._layout

    @property
    def shard_urls(self) -> list[str]:
        """The files that it reads; of the released layout one for each range of a file."""
        return [shard.url for shard in self._shards]

    @property
    def root(self) -> str:
        """The folder or URL that it reads, at its commit where it is on the Hub."""
        if self._layout is not None:
            return self._layout.location.root
        return self._shards[0].url.rsplit("/data/", 1)[0]

    @property
    def token_per_repo(self) -> dict[str, str]:
        """Hub repo -> token, as the features of files take it; empty without a token or a repo."""
        if not isinstance(self.token, str) or not self.root.startswith(features.HUB_PREFIX):
            return {}
        return {features.repo_of(self.root): self.token}

    def tables(self) -> Iterator[pa.Table]:
        """All rows that it reads, without the cache of `datasets`."""
        for shard in self._shards:
            yield from self._tables(shard)

    def _info(self) -> datasets.DatasetInfo:
        all_features = _FEATURES[self.config.name]()
        if self._selection.schema is BUILT:
            all_features = features.built_features()
        return datasets.DatasetInfo(
            description="OpenS2V-5M: clips with subjects, masks, captions and scores for subject-to-video generation.",
            features=datasets.Features({name: all_features[name] for name in self._selection.columns}),
            homepage=f"https://huggingface.co/datasets/{DEFAULT_REPO}",
            license="cc-by-4.0",
            citation=CITATION,
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        return [datasets.SplitGenerator(name=datasets.Split.TRAIN, gen_kwargs={"shards": list(self._shards)})]

    def _generate_shards(self, shards: list[_Shard]) -> Iterator[dict[str, Any]]:
        for shard in shards:
            yield {"url": shard.url, "start": shard.start, "stop": shard.stop}

    def _generate_tables(self, shards: list[_Shard]) -> Iterator[tuple[Key, pa.Table]]:
        for number, shard in enumerate(shards):
            for count, table in enumerate(self._tables(shard)):
                yield Key(number, count), table

    def _get_examples_iterable_for_split(self, split_generator: datasets.SplitGenerator) -> RowIterable:
        tables = super()._get_examples_iterable_for_split(split_generator)
        return RowIterable(tables, self.info.features, self.token_per_repo)

    def _tables(self, shard: _Shard) -> Iterator[pa.Table]:
        on_error: OnError = self.config.on_error if self.on_malformed is None else "skip"
        if self._layout is None:
            options = hub_options(shard.url, self.token)
            return shard_tables(
                shard.url, self._selection, options, on_error=on_error, report=self._leave_out, mapped=self.mapped
            )
        return released_tables(
            self._layout,
            self.config.name,
            shard.file,
            shard.start,
            shard.stop,
            self._selection,
            on_error=on_error,
            report=self._leave_out,
        )

    def _leave_out(self, malformed: Malformed) -> None:
        if len(self.left_out) < _MOST_LEFT_OUT:
            self.left_out.append(malformed)
        _logger.warning("left out: %s", malformed)
        if self.on_malformed is not None:
            self.on_malformed(malformed)


def _selection(config: OpenS2V5MConfig, schema: pa.Schema) -> Selection:
    if isinstance(config.columns, str) or (config.columns is not None and not config.columns):
        raise ArgumentError(f"columns must be a list of at least one name (got {config.columns!r})")
    columns = list(schema.names) if config.columns is None else list(config.columns)
    if unknown := [name for name in columns if name not in schema.names]:
        raise ArgumentError(f"{config.name} has no column {unknown[0]!r}; it has {', '.join(schema.names)}")
    quality = config.preset
    if isinstance(quality, str):
        if quality not in PRESETS:
            raise ArgumentError(f"there is no preset {quality!r}; there is {', '.join(PRESETS)}")
        quality = PRESETS[quality]
    if quality is not None and config.name != "regular":
        raise ArgumentError(f"a preset is for the config 'regular'; {config.name!r} has no such scores")
    rows = row_filter(config.filters, quality.conditions if quality else [], schema)
    return Selection(schema, tuple(name for name in schema.names if name in columns), rows, quality)


def _schema(name: str, layout: ReleasedLayout | None, shards: tuple[_Shard, ...], token: Any) -> pa.Schema:
    """The columns of a config; those of a build where the first shard has them."""
    if name == "regular" and layout is None:
        url = shards[0].url
        try:
            with open_parquet(url, hub_options(url, token)) as opened:
                if BUILD_ONLY[0].name in pq.read_schema(opened.file).names:
                    return BUILT
        except SourceError:  # raised, or skipped, when the shard is read
            return SCHEMAS[name]
    return SCHEMAS[name]


def _find(config: OpenS2V5MConfig, token: Any) -> tuple[ReleasedLayout | None, tuple[_Shard, ...]]:
    """The converted shards at the location, or else the released layout cut into ranges."""
    root = config.data_dir or _pinned(config.repo or DEFAULT_REPO, config.revision, token)
    options = hub_options(root, token)
    folder = Location(root, options).join("data", config.name)
    shards = tuple(_Shard(f"{folder.root}/{name}") for name in folder.files() if name.endswith(".parquet"))
    if shards:
        return None, shards
    present = Location(root, options).join("data").folders()
    if others := [name for name in present if name in SCHEMAS and name != config.name]:
        raise SourceError(
            f"{shown_url(root)} holds Parquet shards of {' and '.join(map(repr, others))}, and none of the config "
            f"{config.name!r}"
        )
    layout = read_layout(root, subset=config.subset, index_dir=config.index_dir, storage_options=options)
    if config.name == "views":
        shards = tuple(_Shard(layout.location.root, None, start, stop) for start, stop in view_ranges(layout))
    else:
        files = layout.parts if config.name == "regular" else layout.pairs
        shards = tuple(
            _Shard(file.url, file, start, stop) for file in files for start, stop in byte_ranges(file.size, JSON_STEP)
        )
    if not shards:
        raise SourceError(f"{shown_url(root)} holds OpenS2V-5M, but nothing of the config {config.name!r}")
    return layout, shards


def _pinned(repo: str, revision: str | None, token: Any) -> str:
    """The URL of the repo at its commit, so that all processes of a run read the same files."""
    try:
        info = HfApi(token=token).dataset_info(repo, revision=revision)
    except HFValidationError as error:
        raise SourceError(f"a dataset repo must be named org/name (got {repo!r})") from error
    except (OSError, HTTPError) as error:  # the latter of whichever HTTP library the Hub client uses
        raise SourceError(f"cannot reach the dataset {repo} on the Hub: {str(error).splitlines()[0]}") from error
    return f"hf://datasets/{repo}@{info.sha}"


def _times(shards: tuple[_Shard, ...]) -> list[tuple[str, int, int]]:
    """Sizes and times of local files: with them a cache knows that a file was replaced."""
    found = []
    for url in dict.fromkeys(shard.url for shard in shards):
        path = Path(url)
        if "://" not in url and path.is_file():
            stat = path.stat()
            found.append((url, stat.st_size, stat.st_mtime_ns))
    return found
