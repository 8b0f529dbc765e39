"""Which rows come in which order, on a plain streamed dataset."""

import json
from collections import Counter
from itertools import chain

import datasets
import pytest

from opens2v_hf.data.training.row_stream import Position, RowStream, as_stream
from opens2v_hf.errors import ArgumentError


def numbers(shards: list[range]):
    for shard in shards:
        for number in shard:
            yield {"number": number}


def dataset(*lengths: int) -> datasets.IterableDataset:
    ends = [sum(lengths[: index + 1]) for index in range(len(lengths))]
    shards = [range(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    return datasets.IterableDataset.from_generator(numbers, gen_kwargs={"shards": shards})


def raise_it(error: Exception) -> None:
    raise error


def read(stream: RowStream, epoch: int = 0, consumer: int = 0, consumers: int = 1) -> list[int]:
    return [row["number"] for row, _ in stream.rows(epoch, consumer, consumers, Position(), raise_it)]


@pytest.mark.parametrize("block", [0, 1, 3, 100])
@pytest.mark.parametrize("consumers", [1, 2, 3, 5, 7])
def test_consumers_share_the_rows(block, consumers) -> None:
    stream = RowStream(dataset(7, 1, 5, 4), seed=3, block=block)
    shares = [read(stream, 2, consumer, consumers) for consumer in range(consumers)]
    assert Counter(chain.from_iterable(shares)) == Counter(range(17))


def test_without_shuffling_the_order_is_the_datasets() -> None:
    assert read(RowStream(dataset(3, 4), 0, 0), epoch=5) == list(range(7))


def test_shuffling_moves_shards_and_rows_and_keeps_to_its_seed() -> None:
    rows = dataset(*[8] * 6)
    orders = [read(RowStream(rows, seed, 4), epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert orders[0] == orders[3]
    assert len({tuple(order) for order in orders}) == 3
    assert all(sorted(order) == list(range(48)) for order in orders)
    # Rows stay within their block of four.
    blocks = [set(orders[0][begin : begin + 4]) for begin in range(0, 48, 4)]
    assert all({number // 4 for number in block} == {min(block) // 4} for block in blocks)
    assert any(order[:4] != sorted(order[:4]) for order in orders)


@pytest.mark.parametrize("block", [0, 3])
@pytest.mark.parametrize(("consumer", "consumers"), [(0, 1), (1, 2), (4, 5)])
def test_a_stream_resumes_at_every_position(block, consumer, consumers) -> None:
    stream = RowStream(dataset(7, 4, 5), seed=0, block=block)
    whole = list(stream.rows(1, consumer, consumers, Position(), raise_it))
    assert len(whole) >= 2
    for count, (_, position) in enumerate(whole, 1):
        position = Position(**json.loads(json.dumps(position.to_dict())))
        rest = [row["number"] for row, _ in stream.rows(1, consumer, consumers, position, raise_it)]
        assert rest == [row["number"] for row, _ in whole[count:]]


def test_datasets_that_cannot_be_split_or_resumed() -> None:
    assert as_stream(datasets.Dataset.from_dict({"number": list(range(5))})).num_shards == 5
    with pytest.raises(ArgumentError, match="got list"):
        as_stream([1])
    with pytest.raises(ArgumentError, match="shuffled through a buffer"):
        as_stream(dataset(3, 4).shuffle(seed=0, buffer_size=2).map(lambda row: row))
