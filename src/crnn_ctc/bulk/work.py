"""Reading and writing of one shard."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import fs, parquet

from crnn_ctc.bulk.items import Item, items
from crnn_ctc.bulk.parts import write_part
from crnn_ctc.bulk.places import Place
from crnn_ctc.bulk.shards import Shard
from crnn_ctc.errors import InputError
from crnn_ctc.find.photo import Find
from crnn_ctc.model_file.opening import model_path
from crnn_ctc.model_file.runtime import CPU
from crnn_ctc.reader import Reader
from crnn_ctc.reading import Reading

SCHEMA = pyarrow.schema(
    [
        ("path", pyarrow.string()),
        ("text", pyarrow.string()),
        ("confidence", pyarrow.float32()),
        ("accepted", pyarrow.bool_()),
        ("error", pyarrow.string()),
        ("warning", pyarrow.string()),
        ("plate", pyarrow.int32()),
        ("corners", pyarrow.list_(pyarrow.float32())),
    ]
)
"""One row per picture, or per plate of a photograph.

``error`` is null if the picture was read. ``plate`` numbers the plates of a photograph from 1; it
is null if none was found, and for crops. ``corners`` are x and y of tl, tr, br, bl of the plate in
pixels of the picture, null if unknown."""

_KEY = b"crnn_ctc"
"""Key of a part's metadata: its shard, and the settings of reading."""

_DONE = b"crnn_ctc.done"
"""Key of a part's metadata: its outcome."""

_GROUP = 64
"""Batches per row group."""

TRIES = 3
"""Maximum number of attempts per shard if its worker dies."""


@dataclass(frozen=True)
class BulkJob:
    """Settings of reading and writing.

    Attributes:
        out: folder of the parts.
        model: name of a shipped model, or a file that every worker can access.
        grammar: see :class:`crnn_ctc.Reader`.
        known: file of known texts that every worker can access; None for none.
        device: see :class:`crnn_ctc.Reader`.
        threads: inference threads of a worker.
        min_confidence: confidence below which a reading is not accepted.
        batch_size: pictures per inference batch.
        find: see :class:`crnn_ctc.Reader`.
    """

    out: Place
    model: str = "plates-small"
    grammar: str | None = None
    device: str = CPU
    threads: int = 1
    min_confidence: float = 0.0
    batch_size: int = 32
    known: str | None = None
    find: Find = "auto"

    def reader(self) -> Reader:
        """Create a reader with these settings.

        Raises:
            InputError: see :class:`crnn_ctc.Reader`.
        """
        return Reader(
            self.model,
            self.threads,
            self.grammar,
            device=self.device,
            min_confidence=self.min_confidence,
            known=self.known,
            find=self.find,
        )

    def settings(self) -> dict[str, Any]:
        """Settings that determine a reading."""
        with model_path(self.model) as path:
            model = _digest(path)
        return {
            "model": model,
            "grammar": self.grammar,
            "known": None if self.known is None else _digest(Path(self.known)),
            "min_confidence": self.min_confidence,
            "find": self.find,
        }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Done:
    """The outcome of a shard.

    Attributes:
        shard: number of the shard.
        pictures: number of pictures in the part.
        failed: number of these that could not be read.
        refused: number of readings below the minimum confidence.
        found: whether an earlier run had written it.
        error: why there is no part; None if there is one.
    """

    shard: int
    pictures: int = 0
    failed: int = 0
    refused: int = 0
    found: bool = False
    error: str | None = None


def given_up(shard: Shard) -> Done:
    """Outcome of a shard that killed ``TRIES`` workers."""
    said = f"{shard.name}, {shard.files[0].shown} and what follows: {TRIES} workers died over it"
    return Done(
        shard.number,
        error=f"{said} (memory, a broken picture); move the picture away, or give more memory",
    )


class Worker:
    """Reads shards, one after another, with one model.

    Args:
        job: settings of reading.

    Raises:
        InputError: see :class:`crnn_ctc.Reader`.
    """

    def __init__(self, job: BulkJob) -> None:
        self._job = job
        self._reader = job.reader()
        self._settings = job.settings()

    def __call__(self, shard: Shard) -> Done:
        """Read a shard and write its part atomically, unless it exists."""
        part = self._job.out / shard.name
        mark = {"shard": shard.digest, **self._settings}
        try:
            return _found(part, mark) or self._write(part, shard, mark)
        except InputError as error:
            return Done(shard.number, error=str(error))

    def _write(self, part: Place, shard: Shard, mark: dict[str, Any]) -> Done:
        pictures = failed = refused = 0
        schema = SCHEMA.with_metadata({_KEY: json.dumps(mark).encode()})
        # in memory, about 30 bytes per row: object stores would keep incomplete files
        written = pyarrow.BufferOutputStream()
        with parquet.ParquetWriter(written, schema, compression="zstd") as writer:
            rows = self._rows(shard)
            while group := list(islice(rows, _GROUP * self._job.batch_size)):
                pictures += sum(row["plate"] in {None, 1} for row in group)
                failed += sum(row["error"] is not None for row in group)
                if self._job.min_confidence > 0:
                    refused += sum(row["error"] is None and not row["accepted"] for row in group)
                writer.write_table(pyarrow.Table.from_pylist(group, schema))
            done = Done(shard.number, pictures, failed, refused)
            writer.add_key_value_metadata({_DONE: json.dumps(asdict(done))})
        write_part(part, written.getvalue().to_pybytes())
        return done

    def _rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        waiting = items(shard)
        while batch := list(islice(waiting, self._job.batch_size)):
            readings = self._reader.read([item.content for item in batch], self._job.batch_size)
            for item, reading in zip(batch, readings, strict=True):
                for number, one in enumerate(reading.each(), 1):
                    yield _row(item, one, number if reading.plates else None)


def _row(item: Item, reading: Reading, plate: int | None) -> dict[str, Any]:
    error, warning = reading.error, reading.warning
    if error is not None and not isinstance(item.content, InputError):
        error = item.name + error.removeprefix("picture")  # the reader had only bytes
    if warning is not None:
        warning = item.name + warning.removeprefix("picture")
    return {
        "path": item.name,
        "text": reading.text,
        "confidence": reading.confidence,
        "accepted": reading.accepted,
        "error": error,
        "warning": warning,
        "plate": plate,
        "corners": [value for point in reading.corners for value in point] or None,
    }


def _found(part: Place, mark: dict[str, Any]) -> Done | None:
    """Load the outcome of an earlier run; None if there is none.

    Raises:
        InputError: the part is of another shard, or was read with other settings.
    """
    if part.kind is fs.FileType.NotFound:
        return None
    try:
        with part.system.open_input_file(part.path) as file:
            known = parquet.read_metadata(file).metadata or {}
        before, done = json.loads(known[_KEY]), Done(**json.loads(known[_DONE]))
    except (OSError, pyarrow.ArrowException, KeyError, TypeError, ValueError):
        raise InputError(f"{part.shown}: not a part of a reading; give another --out") from None
    if before["shard"] != mark["shard"]:
        raise InputError(
            f"{part.shown}: holds other pictures than the source has there now, which has changed, "
            "or was cut up otherwise (--shard-size); give another --out"
        )
    if before != mark:
        raise InputError(
            f"{part.shown}: was read with another model, grammar, list of known texts or least "
            "confidence; give another --out"
        )
    return replace(done, found=True)
