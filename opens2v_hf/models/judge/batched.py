"""A judge behind an endpoint that is asked in batches, for half the price, and not video by video."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from opens2v_hf._util.files import append_lines, whole_file, write_errors
from opens2v_hf._util.json_file import read_json
from opens2v_hf.errors import ArgumentError, ServiceUnavailableError
from opens2v_hf.models.endpoint.batches import ENDED, Batch, BatchClient
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.base import Rating, check_request
from opens2v_hf.models.judge.endpoint import EndpointJudge
from opens2v_hf.models.judge.rubric import Rubric

if TYPE_CHECKING:
    from PIL import Image

POLL_S = 60.0
MAX_BYTES = 100 << 20
"""Bytes of one batch's requests; services take 200 MB."""

_NOT_YET = "the judge has not answered in a batch yet; the same command asks again and pays for no answer twice"


class BatchedJudge:
    """Asks for all videos at once, and gives the answers when the videos are rated.

    Answers and the batches under way lie in a folder, so that a run that was killed resumes waiting for the batches
    that it has paid for. A batch whose id was lost is found again by its content.

    Args:
        judge: that makes the requests and reads the answers.
        folder: for `answers.jsonl` and `batches.json`.
        sleep: waits some seconds.
    """

    def __init__(
        self,
        judge: EndpointJudge,
        folder: str | os.PathLike[str],
        *,
        sleep: Callable[[float], None],
    ) -> None:
        self._judge = judge
        self._folder = Path(folder)
        self._sleep = sleep
        self._client = BatchClient(judge.base_url, judge.headers, timeout_s=1800.0, sleep=sleep)
        self._answers = self._read_answers()

    @property
    def info(self) -> ModelInfo:
        """See `EndpointJudge`."""
        return self._judge.info

    @property
    def deterministic(self) -> bool:
        """See `EndpointJudge`."""
        return self._judge.deterministic

    @property
    def options(self) -> Mapping[str, Any]:
        """See `EndpointJudge`: that it is asked in batches decides no score."""
        return self._judge.options

    def rate(self, frames: Sequence[Image.Image], rubric: Rubric, *, runs: int = 1) -> list[Rating]:
        """See `Judge.rate`; what the batches have answered."""
        check_request(frames, runs)
        digest = self._digest(self._judge.messages(frames, rubric))
        return [
            self._judge.rating_of(self._attempts(digest, run)) or Rating(None, error=_NOT_YET) for run in range(runs)
        ]

    def ask(
        self,
        videos: Callable[[], Iterable[Sequence[Image.Image]]],
        rubric: Rubric,
        *,
        runs: int = 1,
        say: Callable[[str], None] = lambda _: None,
        price: Callable[[int], str] = lambda _: "",
    ) -> None:
        """Ask for the ratings of many videos, and wait.

        Args:
            videos: gives the frames of each; called once for each round, since a reply that is no score is requested
                again.
            rubric: see `rate`.
            runs: likewise.
            say: called with messages about the requests and the progress.
            price: from a number of requests to what they cost, in words.

        Raises:
            ArgumentError: there are more requests than the judge's `max_calls`.
            ServiceUnavailableError: the service refuses a batch, or a batch failed or expired; answers are
                stored.
            ResultError: the folder cannot be written.
        """
        self._collect(say)
        while chunks := self._write_requests(videos(), rubric, runs):
            count = sum(len(ids) for _, ids in chunks)
            most = self._judge.budget.max_calls
            if most is not None and self._judge.budget.calls + count > most:
                raise ArgumentError(f"{count} requests are left for batches, more than max_calls={most}; raise it")
            say(f"{count} requests in {len(chunks)} batches{price(count)}")
            for path, ids in chunks:
                content = path.read_bytes()
                tag = hashlib.sha256(content).hexdigest()
                ended = [batch["id"] for batch in self._batches() if not batch["open"]]
                batch_id = self._client.submit(content, tag, ended=ended)
                for _ in ids:
                    self._judge.budget.take_call()
                self._save([*self._batches(), {"id": batch_id, "open": True}])
                path.unlink()
            known = len(self._answers)
            self._collect(say)
            if len(self._answers) == known:  # a request that is never answered would be sent, and paid for, without end
                raise ServiceUnavailableError("the batches are completed and hold no answer to any of their requests")

    def _attempts(self, digest: str, run: int) -> list[Mapping[str, Any]]:
        """The answers of a run in order."""
        names = (f"{digest}-{run}-{attempt}" for attempt in range(self._judge.max_reply_attempts))
        return [self._answers[name] for name in names if name in self._answers]

    def _write_requests(
        self, videos: Iterable[Sequence[Image.Image]], rubric: Rubric, runs: int
    ) -> list[tuple[Path, list[str]]]:
        """Files of requests that are not answered yet, and the names of these."""
        chunks: list[tuple[Path, list[str]]] = []
        size = MAX_BYTES
        with write_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            for name, line in self._pending(videos, rubric, runs):
                if size + len(line) > MAX_BYTES:
                    chunks.append((self._folder / f"requests-{len(chunks)}.jsonl", []))
                    chunks[-1][0].write_bytes(b"")
                    size = 0
                with chunks[-1][0].open("ab") as file:
                    file.write(line)
                chunks[-1][1].append(name)
                size += len(line)
        return chunks

    def _pending(
        self, videos: Iterable[Sequence[Image.Image]], rubric: Rubric, runs: int
    ) -> Iterator[tuple[str, bytes]]:
        asked: set[str] = set()
        for frames in videos:
            messages = self._judge.messages(frames, rubric)
            digest = self._digest(messages)
            for run in range(runs):
                attempts = self._attempts(digest, run)
                name = f"{digest}-{run}-{len(attempts)}"
                if name in asked or self._judge.rating_of(attempts) is not None:
                    continue
                asked.add(name)
                body = self._judge.request_after(messages, attempts)
                head = json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions"}).encode()
                yield name, head[:-1] + b', "body": ' + body + b"}\n"

    def _collect(self, say: Callable[[str], None]) -> None:
        """Wait for the batches under way, and keep what they answered."""
        while waiting := [batch for batch in self._batches() if batch["open"]]:
            states = [self._client.status(batch["id"]) for batch in waiting]
            for batch in states:
                if batch.state in ENDED:
                    self._keep(batch)
            if all(batch.state in ENDED for batch in states):
                return
            say(f"batches: {sum(b.completed for b in states)} of {sum(b.total for b in states)} requests are answered")
            self._sleep(POLL_S)

    def _keep(self, batch: Batch) -> None:
        lines = b"".join(self._client.content(file) for file in batch.files).splitlines()
        records = [record for line in lines if line.strip() and (record := _answer(line)) is not None]
        append_lines(self._folder / "answers.jsonl", [json.dumps(record).encode() for record in records])
        self._answers |= {record["id"]: record for record in records}
        self._save([{**one, "open": one["open"] and one["id"] != batch.id} for one in self._batches()])
        if batch.state != "completed":
            why = f" ({batch.problem})" if batch.problem else ""
            raise ServiceUnavailableError(
                f"the batch {batch.id} is {batch.state}{why}; {len(records)} of its requests were answered, and the "
                "same command asks for the others"
            )

    def _batches(self) -> list[dict[str, Any]]:
        path = self._folder / "batches.json"
        found = read_json(path) if path.exists() else []
        return found if isinstance(found, list) else []

    def _save(self, batches: Sequence[Mapping[str, Any]]) -> None:
        with whole_file(self._folder / "batches.json") as temporary:
            temporary.write_text(json.dumps(list(batches)), encoding="utf-8")

    def _read_answers(self) -> dict[str, Mapping[str, Any]]:
        path = self._folder / "answers.jsonl"
        if not path.exists():
            return {}
        with write_errors(path):
            lines = path.read_bytes().splitlines()
        found = {}
        for line in lines:
            try:
                record = json.loads(line)
                found[record["id"]] = record
            except (ValueError, KeyError, TypeError):  # the process was killed while it wrote it; it comes again
                continue
        return found

    def _digest(self, messages: bytes) -> str:
        return hashlib.sha256(self._judge.request_after(messages, ())).hexdigest()[:40]


def _answer(line: bytes) -> dict[str, Any] | None:
    """Name of the request, status and body of a line of a file of answers or errors."""
    try:
        record = json.loads(line)
        response = record.get("response") or {}
        body = response.get("body") if response else {"error": record.get("error") or {}}
        status = int(response.get("status_code") or httpx.codes.INTERNAL_SERVER_ERROR)
        return {"id": str(record["custom_id"]), "status": status, "body": json.dumps(body)}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
