"""Common parts of the two dataset builders: a cache key from the files, and the citation."""

from __future__ import annotations

from typing import Any

import datasets
from datasets.fingerprint import Hasher

from opens2v_hf.errors import ArgumentError

CITATION = """@article{yuan2025opens2v,
  title={OpenS2V-Nexus: A Detailed Benchmark and Million-Scale Dataset for Subject-to-Video Generation},
  author={Yuan, Shenghai and He, Xianyi and Deng, Yufan and Ye, Yang and Huang, Jinfa and Lin, Bin and
          Luo, Jiebo and Yuan, Li},
  journal={arXiv preprint arXiv:2505.20292},
  year={2025}
}"""


class CachedByContent(datasets.DatasetBuilder):
    """A builder whose cache is found by what it reads, and not by the arguments of the call.

    A subclass implements `open_config`.
    """

    data_arguments: str
    """The name of the dataset and the arguments that name its files, for messages."""

    def open_config(self, config: Any) -> Any:
        """Find the files of a config.

        Returns:
            What the rows depend on: the hash of its pickle names the cache.
        """
        raise NotImplementedError

    def _create_builder_config(
        self, config_name: str | None = None, custom_features: Any = None, config_id: str | None = None, **kwargs: Any
    ) -> tuple[datasets.BuilderConfig, str]:
        try:
            config, default_id = super()._create_builder_config(
                config_name=config_name, custom_features=custom_features, config_id=config_id, **kwargs
            )
        except UnicodeEncodeError as error:  # `datasets` writes the arguments into a name
            raise ArgumentError(
                f"`datasets` takes only names that are UTF-8 (got {error.object!r:.80}); rename the folder"
            ) from error
        if config.data_files is not None:
            raise ArgumentError(f"{self.data_arguments}, not data_files=")
        contents = self.open_config(config)
        if config_id is not None:
            return config, default_id
        # `datasets` finds a cache by this id alone, so that it must change with the files.
        return config, f"{config.name}-{Hasher.hash((contents, custom_features))}"
