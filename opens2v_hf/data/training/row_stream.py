"""The rows of one consumer: its share of the shards, in the order of the epoch, from any position on.

Rows are shuffled in blocks: the order of the shards is random in each epoch, and so is the order of the rows within a
block of consecutive rows. Unlike with a buffer that is refilled row by row, a stream can resume exactly at a position
in such an order: at the beginning of the block, and so many rows further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import datasets

from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.data.training.randomness import generator
from opens2v_hf.errors import ArgumentError, OpenS2VError, SampleError, SourceError


@dataclass(frozen=True)
class Position:
    """Between two rows of a consumer's share.

    Attributes:
        shard: how many shards of the share are done.
        row: number of the block's first row in its shard.
        source: state of the shard's stream before the block; None at the beginning.
        taken: rows of the block that are done.
    """

    shard: int = 0
    row: int = 0
    source: dict[str, Any] | None = None
    taken: int = 0

    def to_dict(self) -> dict[str, Any]:
        """A dict that JSON can hold."""
        return asdict(self)


@dataclass(frozen=True)
class RowStream:
    """Rows of a streamed dataset, shared among consumers.

    Attributes:
        dataset: whose rows.
        seed: of the order.
        block: rows that are shuffled together; 0 for the dataset's own order, of its shards too.
    """

    dataset: datasets.IterableDataset
    seed: int
    block: int

    def rows(
        self,
        epoch: int,
        consumer: int,
        consumers: int,
        start: Position,
        on_bad_shard: Callable[[OpenS2VError], object],
    ) -> Iterator[tuple[dict[str, Any], Position]]:
        """Rows, each with the position after it.

        Over all consumers every row comes exactly once. Where there are fewer shards than consumers, all of them read
        all rows and each decodes its part.

        Args:
            epoch: decides the order.
            consumer: 0..consumers - 1.
            consumers: how many there are.
            start: the first position.
            on_bad_shard: called where the rest of a shard cannot be read; the next shard follows.
        """
        shards = self._share(epoch, consumer, consumers)
        step = consumers if self.dataset.num_shards < consumers else 1
        for done in range(start.shard, len(shards)):
            at = start if done == start.shard else Position(done)
            try:
                yield from self._shard_rows(shards[done], epoch, at, step, consumer if step > 1 else 0)
            except (SampleError, SourceError) as error:
                on_bad_shard(error)

    def _share(self, epoch: int, consumer: int, consumers: int) -> list[int]:
        count = self.dataset.num_shards
        order = list(range(count))
        if self.block:
            order = generator(self.seed, epoch, "shards").permutation(count).tolist()
        return order if count < consumers else order[consumer::consumers]

    def _shard_rows(
        self, shard: int, epoch: int, start: Position, step: int, offset: int
    ) -> Iterator[tuple[dict[str, Any], Position]]:
        source = self.dataset.shard(self.dataset.num_shards, shard)
        if start.source is not None:
            source.load_state_dict(start.source)
        # `iter`, unlike `__iter__`, does not share rows among the workers of a DataLoader, which `_share` does.
        rows = iter(source.iter(batch_size=1))
        first, taken, before = start.row, start.taken, start.source
        while True:
            batches = list(islice(rows, max(self.block, 1)))
            if not batches:
                return
            block = [batch for number, batch in enumerate(batches, first) if number % step == offset]
            order = range(len(block))
            if self.block:
                order = generator(self.seed, epoch, "block", shard, first).permutation(len(block)).tolist()
            for count in range(taken, len(block)):
                row = {name: values[0] for name, values in block[order[count]].items()}
                yield row, Position(start.shard, first, before, count + 1)
            first, taken, before = first + len(batches), 0, source.state_dict()


def as_stream(dataset: datasets.Dataset | datasets.IterableDataset) -> datasets.IterableDataset:
    """The dataset as a stream that can be split and resumed.

    Raises:
        ArgumentError: it is no dataset, or its rows are shuffled through a buffer, which cannot be resumed without
            losing rows.
    """
    if isinstance(dataset, datasets.Dataset):
        return dataset.to_iterable_dataset(num_shards=max(1, min(len(dataset), _SHARDS_OF_MAP_STYLE)))
    if not isinstance(dataset, datasets.IterableDataset):
        raise ArgumentError(f"a training view needs a dataset of load_dataset (got {type(dataset).__name__})")
    if any(type(node).__name__ == "BufferShuffledExamplesIterable" for node in nodes(dataset)):
        raise ArgumentError(
            "the dataset is shuffled through a buffer, whose rows are lost when a run is resumed; "
            "leave .shuffle() out and give shuffle=<rows of a block> to the training view"
        )
    return dataset


_SHARDS_OF_MAP_STYLE = 256


def builders_of(dataset: datasets.IterableDataset) -> list[OpenS2V5M]:
    """The builders whose rows a streamed dataset gives; none where it does not come from "opens2v-5m"."""
    found = (getattr(getattr(node, "generate_tables_fn", None), "__self__", None) for node in nodes(dataset))
    return [builder for builder in found if isinstance(builder, OpenS2V5M)]


def nodes(dataset: datasets.IterableDataset) -> Iterator[Any]:
    """The transformations that a streamed dataset consists of, the last first."""
    # `datasets` has no public list of the steps of a stream. It is needed to refuse a buffered shuffle, which loses
    # rows when a run is resumed, and to find the builder, which knows the location of the other clip of a pair.
    waiting = [dataset._ex_iterable]
    while waiting:
        node = waiting.pop()
        yield node
        inner = getattr(node, "ex_iterable", None)
        waiting.extend(getattr(node, "ex_iterables", ()) if inner is None else (inner,))
