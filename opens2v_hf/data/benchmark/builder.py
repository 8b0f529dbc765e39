"""OpenS2V-Eval as a dataset: what `load_dataset("opens2v-eval", ...)` builds.

The files are read in their released layout: three prompt files and the folder `Images/` in one folder or Hub repo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
from datasets.builder import Key

from opens2v_hf.data.benchmark.prompts import PROMPT_FILES
from opens2v_hf.data.benchmark.released_files import ReleasedFiles
from opens2v_hf.data.benchmark.rows import FEATURES, check_pictures, picture_paths, require_pictures, row_of
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.data.benchmark.split import DEFAULT_REPO, open_split
from opens2v_hf.data.cached_builder import CITATION, CachedByContent


@dataclass
class OpenS2VEvalConfig(datasets.BuilderConfig):
    """A split of the benchmark, and where its files are.

    Attributes:
        revision: of the Hub repo.
        prompts_only: whether pictures are left out (None), for a folder that holds the prompt files alone.
    """

    revision: str | None = None
    prompts_only: bool = False


class OpenS2VEval(CachedByContent, datasets.GeneratorBasedBuilder):
    """Builds one of the benchmark's three splits, each a config with the split "test".

    Pictures are the bytes of the released files. Raises, in addition to what `datasets` raises:
    SampleError where a prompt file or a picture is missing or malformed, ImageError where a picture is broken,
    ArgumentError where the arguments do not fit.
    """

    VERSION = datasets.Version("1.1.0")
    BUILDER_CONFIG_CLASS = OpenS2VEvalConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - the name and type that `datasets` requires
        OpenS2VEvalConfig(name="open-domain", version=VERSION, description="all 180 prompts"),
        OpenS2VEvalConfig(name="human-domain", version=VERSION, description="60 prompts of one person, face crops"),
        OpenS2VEvalConfig(name="single-domain", version=VERSION, description="90 prompts of one subject"),
    ]
    DEFAULT_CONFIG_NAME = "open-domain"
    DEFAULT_WRITER_BATCH_SIZE = 16  # a row holds up to five pictures of some megabytes
    data_arguments = "opens2v-eval takes data_dir= (a folder or hf:// URL that holds the prompt files)"

    def open_config(self, config: OpenS2VEvalConfig) -> Any:
        """See `CachedByContent`."""
        opened = open_split(config.name, data_dir=config.data_dir, revision=config.revision, token=self.token)
        self._files, self._samples = opened.files, list(opened.samples)
        pictures = [] if config.prompts_only else picture_paths(self._samples)
        return self._files.fingerprint([PROMPT_FILES[config.name], *pictures]), config.prompts_only

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description="OpenS2V-Eval: prompts and reference pictures for subject-to-video generation.",
            features=FEATURES,
            homepage=f"https://huggingface.co/datasets/{DEFAULT_REPO}",
            license="apache-2.0",
            citation=CITATION,
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        if not self.config.prompts_only:
            require_pictures(self._samples, self._files)
            if not dl_manager.is_streaming:
                check_pictures(self._samples, self._files)
        # One sample a shard: any number of workers and nodes gets its share, and a stream resumes at any sample.
        arguments = {"samples": self._samples, "files": None if self.config.prompts_only else self._files}
        return [datasets.SplitGenerator(name=datasets.Split.TEST, gen_kwargs=arguments)]

    def _generate_shards(self, samples: Sequence[EvalSample], files: ReleasedFiles | None) -> Iterator[str]:
        yield from (sample.id for sample in samples)

    def _generate_examples(
        self, samples: Sequence[EvalSample], files: ReleasedFiles | None
    ) -> Iterator[tuple[Key, dict[str, Any]]]:
        for shard, sample in enumerate(samples):
            yield Key(shard, 0), row_of(sample, files)
