"""A bounded store of the vectors of texts."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch


class VectorCache:
    """Vectors of texts; those that were used longest ago are forgotten. May be used by several threads.

    Args:
        size: texts that are remembered.
    """

    def __init__(self, size: int = 4096) -> None:
        self._size = size
        self._vectors: OrderedDict[tuple[str, str], torch.Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._vectors)

    def get(
        self, texts: Sequence[str], instruction: str, compute: Callable[[list[str]], Sequence[torch.Tensor]]
    ) -> list[torch.Tensor]:
        """The vectors [D] of texts; `compute` gives those of texts that are not known, and gets each once."""
        requested = dict.fromkeys(texts)
        known = {text: vector for text in requested if (vector := self._vectors.get((instruction, text))) is not None}
        missing = [text for text in requested if text not in known]
        known.update(zip(missing, compute(missing) if missing else (), strict=True))
        with self._lock:
            for text in requested:
                self._vectors[(instruction, text)] = known[text]
                self._vectors.move_to_end((instruction, text))
            while len(self._vectors) > self._size:
                self._vectors.popitem(last=False)
        return [known[text] for text in texts]
