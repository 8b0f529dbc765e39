"""OpenS2V-Eval as a dataset: what `load_dataset("opens2v-eval", ...)` builds.

The files are read in their released layout: three prompt files and the folder `Images/` in one place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
from datasets.builder import Key
from datasets.fingerprint import Hasher

from opens2v_hf.data.benchmark.prompts import PROMPT_FILES
from opens2v_hf.data.benchmark.released_files import ReleasedFiles
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.data.benchmark.split import DEFAULT_REPO, open_split
from opens2v_hf.data.images import check_image
from opens2v_hf.errors import ArgumentError, ImageError, SampleError

FEATURES = datasets.Features(
    {
        "id": datasets.Value("string"),
        "category": datasets.Value("string"),
        "paper_category": datasets.Value("string"),
        "prompt": datasets.Value("string"),
        "synthetic": datasets.Value("bool"),
        "subjects": datasets.List(
            {"label": datasets.Value("string"), "image": datasets.Image(), "path": datasets.Value("string")}
        ),
        "metrics": datasets.List(datasets.Value("string")),
    }
)

CITATION = """@article{yuan2025opens2v,
  title={OpenS2V-Nexus: A Detailed Benchmark and Million-Scale Dataset for Subject-to-Video Generation},
  author={Yuan, Shenghai and He, Xianyi and Deng, Yufan and Ye, Yang and Huang, Jinfa and Lin, Bin and
          Luo, Jiebo and Yuan, Li},
  journal={arXiv preprint arXiv:2505.20292},
  year={2025}
}"""


@dataclass
class OpenS2VEvalConfig(datasets.BuilderConfig):
    """A split of the benchmark, and where its files are.

    Attributes:
        revision: of the Hub repo.
        prompts_only: leave the pictures out (None), as where only the prompt files are at hand.
    """

    revision: str | None = None
    prompts_only: bool = False


class OpenS2VEval(datasets.GeneratorBasedBuilder):
    """Builds one of the benchmark's three splits, each a config with the split "test".

    Pictures are kept as the bytes of the released files. Raises, besides what `datasets` raises:
    SampleError where a prompt file or a picture is missing or malformed, ImageError where a picture is broken,
    ArgumentError where the arguments do not fit.
    """

    VERSION = datasets.Version("1.1.0")
    BUILDER_CONFIG_CLASS = OpenS2VEvalConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - the name and type that `datasets` asks for
        OpenS2VEvalConfig(name="open-domain", version=VERSION, description="all 180 prompts"),
        OpenS2VEvalConfig(name="human-domain", version=VERSION, description="60 prompts of one person, face crops"),
        OpenS2VEvalConfig(name="single-domain", version=VERSION, description="90 prompts of one subject"),
    ]
    DEFAULT_CONFIG_NAME = "open-domain"
    DEFAULT_WRITER_BATCH_SIZE = 16  # a row holds up to five pictures of some megabytes

    def _create_builder_config(
        self, config_name: str | None = None, custom_features: Any = None, config_id: str | None = None, **kwargs: Any
    ) -> tuple[datasets.BuilderConfig, str]:
        config, default_id = super()._create_builder_config(
            config_name=config_name, custom_features=custom_features, config_id=config_id, **kwargs
        )
        if config.data_files is not None:
            raise ArgumentError(
                "opens2v-eval takes data_dir= (a folder or hf:// URL that holds the prompt files), not data_files="
            )
        opened = open_split(config.name, data_dir=config.data_dir, revision=config.revision, token=self.token)
        self._files, self._samples = opened.files, list(opened.samples)
        if config_id is not None:
            return config, default_id
        # The cache is looked up by this id alone, so it must change with the files, wherever the place is named from.
        pictures = [] if config.prompts_only else _picture_paths(self._samples)
        contents = self._files.fingerprint([PROMPT_FILES[config.name], *pictures])
        return config, f"{config.name}-{Hasher.hash((contents, config.prompts_only, custom_features))}"

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
            self._require_pictures()
            if not dl_manager.is_streaming:
                self._files.fetch_all(_picture_paths(self._samples))
                for sample in self._samples:
                    for subject in sample.subjects:
                        _read_picture(self._files, subject.path, sample.id)
        # One sample a shard: any number of workers and nodes gets its share, and a stream resumes at any sample.
        arguments = {"samples": self._samples, "files": None if self.config.prompts_only else self._files}
        return [datasets.SplitGenerator(name=datasets.Split.TEST, gen_kwargs=arguments)]

    def _require_pictures(self) -> None:
        missing = set(self._files.missing(_picture_paths(self._samples)))
        if not missing:
            return
        sample, path = next(
            (s, subject.path) for s in self._samples for subject in s.subjects if subject.path in missing
        )
        rest = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise SampleError(
            f"the reference picture {path!r} of sample {sample.id!r} is missing in {self._files.where}{rest}. Get the "
            f'pictures with `hf download {DEFAULT_REPO} --repo-type dataset --include "*_Eval.json" "Images/**" '
            "--local-dir FOLDER` and pass data_dir=FOLDER, or load the prompts without pictures with prompts_only=True"
        )

    def _generate_shards(self, samples: Sequence[EvalSample], files: ReleasedFiles | None) -> Iterator[str]:
        yield from (sample.id for sample in samples)

    def _generate_examples(
        self, samples: Sequence[EvalSample], files: ReleasedFiles | None
    ) -> Iterator[tuple[Key, dict[str, Any]]]:
        for shard, sample in enumerate(samples):
            yield Key(shard, 0), _row(sample, files)


def _picture_paths(samples: Sequence[EvalSample]) -> list[str]:
    return list(dict.fromkeys(subject.path for sample in samples for subject in sample.subjects))


def _row(sample: EvalSample, files: ReleasedFiles | None) -> dict[str, Any]:
    # Bytes without a path: `datasets` would rather read a file of that name in the working folder than the bytes.
    subjects = [
        {
            "label": subject.label,
            "image": files and {"bytes": _read_picture(files, subject.path, sample.id), "path": None},
            "path": subject.path,
        }
        for subject in sample.subjects
    ]
    return {
        "id": sample.id,
        "category": sample.category,
        "paper_category": sample.paper_category,
        "prompt": sample.prompt,
        "synthetic": sample.synthetic,
        "subjects": subjects,
        "metrics": list(sample.metrics),
    }


def _read_picture(files: ReleasedFiles, path: str, sample_id: str) -> bytes:
    """The bytes of a picture whose header is that of a picture."""
    name = f"the reference picture {path!r} of sample {sample_id!r} in {files.where}"
    try:
        content = files.fetch(path).read_bytes()
        check_image(content, name=name)
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror or error}") from error
    except ImageError as error:
        raise ImageError(f"{error}, or download it again") from error
    return content
