"""The training view: rows in, training samples out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

import datasets
import torch
import torch.utils.data
from datasets.distributed import split_dataset_by_node

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.foreign_code import ends_as_errors
from opens2v_hf.data.training.choose_subjects import Form, SubjectRule
from opens2v_hf.data.training.clip_frames import FrameRule, Start
from opens2v_hf.data.training.fit_frames import Fit, Resize, quiet_in_worker
from opens2v_hf.data.training.make_sample import COLUMNS, SampleMaker
from opens2v_hf.data.training.pair_index import PairIndex
from opens2v_hf.data.training.problems import BadRow, BadSample, Counts, Reason, Tally
from opens2v_hf.data.training.row_stream import Position, RowStream, as_stream, builders_of
from opens2v_hf.data.training.sample import ConsumerPosition, TrainingBatch, TrainingSample
from opens2v_hf.errors import ArgumentError, OpenS2VError, SourceError, short_repr

OnBad = Literal["raise", "skip"]

_logger = logging.getLogger(__name__)


class TrainingView(torch.utils.data.IterableDataset[TrainingSample]):
    """OpenS2V-5M as training samples; see the package for an example.

    Args:
        dataset: rows of the config "regular", streamed or not, filtered as you like.
        num_frames: of a training clip.
        stride: from one of its frames to the next, in frames of the file.
        size: (height, width) of its frames in pixels.
        fit: "crop" keeps the aspect ratio and cuts off the edges, "stretch" keeps all.
        start: "random" for a clip that begins anywhere within the bounds of the row's clip, "first" for its beginning.
        subjects: a `SubjectRule`, or its form: "white", "black", "transparent" or "box"; None for no pictures.
        pairs: whether pictures come from the other clips of cross-video pairs instead of the clip itself; a `PairIndex`
            to say which pairs. Samples that no pair names are left out then, and counted.
        background: whether samples have backgrounds.
        shuffle: rows of a block, in which the order is random, as the order of the shards is; 0 for the order of the
            dataset. As many rows are held in memory, with the bytes of their videos where shards embed them.
        seed: of all random choices.
        rank: of this node.
        world_size: number of nodes; rows are shared as `split_dataset_by_node` does.
        on_error: "raise" at a bad sample, or "skip" it: it is logged with its reason and counted. With "skip" a subject
            that cannot be cut out is left out, and the sample only if too few are left. The rest of a shard that cannot
            be read is skipped and counted as one.
        most_skipped: bad samples in a row that are an error also with "skip": then the source may be at fault.

    Raises:
        ArgumentError: an argument does not fit; the dataset lacks a column or is shuffled through a buffer.
    """

    @checked
    def __init__(
        self,
        dataset: datasets.Dataset | datasets.IterableDataset,
        *,
        num_frames: int,
        size: tuple[int, int],
        stride: int = 1,
        fit: Fit = "crop",
        start: Start = "random",
        subjects: SubjectRule | Form | None = "white",
        pairs: bool | PairIndex = False,
        background: bool = True,
        shuffle: int = 0,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        on_error: OnBad = "raise",
        most_skipped: int = 100,
    ) -> None:
        super().__init__()
        if not 0 <= rank < world_size:
            raise ArgumentError(f"rank goes from 0 to world_size - 1 (got {rank=}, {world_size=})")
        if shuffle < 0 or seed < 0 or most_skipped < 1:
            raise ArgumentError(
                f"shuffle and seed are at least 0, most_skipped at least 1 (got {shuffle=}, {seed=}, {most_skipped=})"
            )
        if isinstance(subjects, str):
            subjects = SubjectRule(subjects)
        rule = SubjectRule(max_count=0, min_count=0) if subjects is None else subjects
        if pairs and not rule.max_count:
            raise ArgumentError("pairs are for pictures of subjects: give subjects= too")
        stream = as_stream(dataset)
        _check_columns(stream.column_names, background)
        self._maker = SampleMaker(
            frames=FrameRule(num_frames, stride, start),
            resize=Resize.to(size, fit),
            subjects=rule,
            pairs=pairs if isinstance(pairs, PairIndex) else PairIndex.of(dataset) if pairs else None,
            background=background,
            seed=seed,
        )
        if world_size > 1:
            stream = split_dataset_by_node(stream, rank, world_size)
        self._rows = RowStream(stream, seed, shuffle)
        self._on_error = on_error
        self._most_skipped = most_skipped
        self._settings = {"seed": seed, "shuffle": shuffle, "rank": rank, "world_size": world_size}
        # In shared memory, so that the workers of a DataLoader that persist see a new epoch.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._tally = Tally()
        self._loaded: dict[str, Any] | None = None
        self._positions: dict[int, ConsumerPosition] = {}
        self._consumers = 1
        self._next = 0
        self._skipped_in_a_row = 0

    @property
    def epoch(self) -> int:
        """Number of the epoch."""
        return int(self._epoch)

    @property
    def counts(self) -> Counts:
        """Numbers of samples, and of skipped rows by reason, over all epochs and workers of this node.

        Workers read ahead of what a DataLoader has given.
        """
        return self._tally.read()

    def set_epoch(self, epoch: int) -> None:
        """Begins an epoch: another order, other clips and pictures.

        The epoch of a state that was loaded resumes; any other begins at its first sample.
        """
        if epoch < 0:
            raise ArgumentError(f"an epoch is at least 0 (got {epoch=})")
        self._epoch.fill_(epoch)
        if self._loaded is None or self._loaded["epoch"] != epoch:
            self._resume_from(None)

    def consumed(self, samples: TrainingBatch | TrainingSample) -> None:
        """Records that a batch, or a sample, of a DataLoader with workers was trained on.

        Workers read ahead, so that only the training loop knows where to resume. Without workers there is no need.
        """
        position = samples.position
        self._consumers = position.consumers
        self._positions[position.consumer] = position
        self._next = (position.consumer + 1) % position.consumers

    def state_dict(self) -> dict[str, Any]:
        """The state from which `load_state_dict` resumes at the very next sample; JSON can hold it.

        With the workers of a DataLoader it counts the batches given to `consumed`, and the same number of workers must
        resume. All samples that were not consumed come then, in the same order until a worker has reached its end.
        """
        return {
            "settings": dict(self._settings),
            "epoch": self.epoch,
            "consumers": self._consumers,
            "next": self._next,
            "positions": {str(consumer): position.rows for consumer, position in self._positions.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resumes from a state: sets the epoch, and the next iteration begins after its last sample.

        Raises:
            ArgumentError: the state is of a view with another seed, shuffle, rank or world size.
        """
        if not isinstance(state, Mapping) or not {"settings", "epoch", "consumers", "next", "positions"} <= set(state):
            raise ArgumentError(
                f"a state must be what state_dict() of a training view returned (got {short_repr(state)})"
            )
        for name, value in self._settings.items():
            if state["settings"].get(name) != value:
                raise ArgumentError(f"the state is of a view with {name}={state['settings'].get(name)}, not {value}")
        self._epoch.fill_(state["epoch"])
        self._resume_from(state)

    def __iter__(self) -> Iterator[TrainingSample]:
        worker = torch.utils.data.get_worker_info()
        index, consumers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        quiet_in_worker()
        epoch = self.epoch
        consumer, start = self._begin(epoch, index, consumers)
        if worker is None:
            self._loaded = None
        self._skipped_in_a_row = 0
        builders = builders_of(self._rows.dataset)
        try:
            for builder in builders:
                # A shard that is cut off ends a process that has mapped it. Next to decoding, a copy costs little.
                builder.mapped = False
                if self._on_error == "skip":
                    builder.on_malformed = lambda malformed: self._count_skipped(Reason.ROW, str(malformed))
            for row, reached in self._rows.rows(epoch, consumer, consumers, start, self._skip_shard):
                position = ConsumerPosition(epoch, consumer, consumers, reached.to_dict())
                try:
                    sample = self._make(row, position)
                except BadSample as error:
                    self._skip(error, row)
                    continue
                if sample is None:
                    self._tally.no_pair()
                    continue
                self._skipped_in_a_row = 0
                self._tally.sample()
                self._positions[consumer] = position
                yield sample
        finally:
            for builder in builders:
                builder.on_malformed, builder.mapped = None, True

    def _make(self, row: dict[str, Any], position: ConsumerPosition) -> TrainingSample | None:
        try:
            with ends_as_errors():
                return self._maker.make(row, position, partial(self._drop, row))
        except OpenS2VError:
            raise
        except Exception as error:  # shards may hold anything, such as None where the released records have a number
            _logger.debug("%s/%s", row.get("part"), row.get("id"), exc_info=True)
            raise BadRow(f"its row cannot be used ({type(error).__name__}: {error}); see the columns' types") from error

    def _begin(self, epoch: int, index: int, consumers: int) -> tuple[int, Position]:
        """The consumer that the process with an index is, and the position at which it starts."""
        loaded = self._loaded
        if loaded is None or loaded["epoch"] != epoch:
            self._resume_from(None)
            self._consumers = consumers
            return index, Position()
        if loaded["positions"] and loaded["consumers"] != consumers:
            raise ArgumentError(
                f"the state is of {loaded['consumers']} reading processes and must be resumed by as many (got "
                f"{consumers}); give DataLoader the num_workers that it had then"
            )
        # The DataLoader takes the first batch from worker 0, which resumes for the one whose turn it was.
        consumer = (index + loaded["next"]) % consumers
        position = loaded["positions"].get(str(consumer))
        return consumer, Position() if position is None else Position(**position)

    def _resume_from(self, state: dict[str, Any] | None) -> None:
        self._loaded = state
        self._consumers = 1 if state is None else state["consumers"]
        self._next = 0 if state is None else state["next"]
        self._positions = {
            int(consumer): ConsumerPosition(self.epoch, int(consumer), self._consumers, rows)
            for consumer, rows in ({} if state is None else state["positions"]).items()
        }

    def _drop(self, row: dict[str, Any], error: BadSample) -> None:
        if self._on_error == "raise":
            raise error
        self._tally.drop(error.reason)
        _logger.warning("%s/%s: left out a subject: %s", row["part"], row["id"], error)

    def _skip(self, error: BadSample, row: dict[str, Any]) -> None:
        message = f"{row['part']}/{row['id']}: {error}"
        if self._on_error == "raise":
            raise type(error)(message) from error
        _logger.warning("left out: %s", message)
        self._count_skipped(error.reason, message)

    def _skip_shard(self, error: OpenS2VError) -> None:
        if self._on_error == "raise":
            raise error
        _logger.warning("left out the rest of a shard: %s", error)
        self._count_skipped(Reason.SHARD, str(error))

    def _count_skipped(self, reason: Reason, message: str) -> None:
        self._tally.skip(reason)
        self._skipped_in_a_row += 1
        if self._skipped_in_a_row >= self._most_skipped:
            raise SourceError(
                f"{self._skipped_in_a_row} samples in a row were bad; check the source. The last: {message}"
            )


def _check_columns(names: list[str] | None, background: bool) -> None:
    needed = (*COLUMNS, "background") if background else COLUMNS
    missing = [name for name in needed if names is not None and name not in names]
    if missing:
        raise ArgumentError(
            f"a training view needs the column {missing[0]!r} of the config 'regular'; leave columns= out, or name "
            f"{', '.join(needed)}"
        )
