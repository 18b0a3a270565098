"""crnn-ctc predict: pictures in, text with a confidence out."""

from __future__ import annotations

import csv
import json
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crnn_ctc.cli.models import Runtime
from crnn_ctc.cli.progress import track

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from crnn_ctc.cli.sources import Named
    from crnn_ctc.reader import Reader, Reading


class Format(StrEnum):
    """How readings are printed."""

    TABLE = "table"
    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Pictures, folders, globs; - is standard input."),
    ],
    model: Annotated[
        str, typer.Option(help="plates-tiny, digits-tiny, or a model file.")
    ] = "plates-tiny",
    output: Annotated[
        Format, typer.Option("--format", help="table, text (texts alone), json or csv.")
    ] = Format.TABLE,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write annotated pictures here.")
    ] = None,
    dot: Annotated[
        bool, typer.Option("--dot/--no-dot", help="Print plates as 皖A·Y0D83, or as 皖AY0D83.")
    ] = True,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at once.")] = 32,
    threads: Annotated[int, typer.Option(min=1, help="Of the network.")] = 1,
    runtime: Annotated[
        Runtime, typer.Option(help="What computes the network.")
    ] = Runtime.ONNXRUNTIME,
    grammar: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What a text may be: plates, digits:5, re:PATTERN, ...; none for anything; "
            "without it, what the model says.",
        ),
    ] = None,
    alternatives: Annotated[
        int, typer.Option(min=0, max=50, metavar="N", help="Next best texts to give, in JSON.")
    ] = 0,
) -> None:
    """Read the text in pictures.

    A picture that cannot be read is reported and the rest is read; the exit code is then 2.
    """
    from crnn_ctc.cli.sources import expand
    from crnn_ctc.plate_text import spells_plates, with_dot
    from crnn_ctc.reader import Reader

    reader = Reader(model, threads, grammar, alternatives, runtime.value)
    plates = spells_plates(reader.card.alphabet)
    show = with_dot if dot and plates else str
    album = Album(save, show, places=not plates) if save else None
    read = failed = 0
    ms = 0.0
    printer = Json(show, alternatives > 0) if output is Format.JSON else PRINTERS[output](show)
    readings = read_all(reader, expand(paths), batch_size, keep=album is not None)
    if len(paths) > 1 or not Path(paths[0]).is_file():  # one picture is not worth loading a bar
        readings = track(readings, "reading")
    for named, reading, picture in readings:
        ms += reading.ms
        printer.row(named.name, reading)
        if reading.error is None:
            read += 1
            if album and picture is not None:
                album.add(named, reading, picture)
        else:
            failed += 1
            print(f"error: {reading.error}", file=sys.stderr)
    printer.end()
    summary = f"{_count(read, 'picture')} read with {reader.card.name}"
    if read:
        summary += f", {ms / (read + failed):.1f} ms a picture"
    if failed:
        summary += f"; {failed} could not be read"
    print(summary, file=sys.stderr)
    if album:
        print(album.summary(), file=sys.stderr)
    if failed or (album and album.error):
        raise typer.Exit(2)


def read_all(
    reader: Reader, sources: Iterable[Named], batch_size: int, keep: bool = False
) -> Iterator[tuple[Named, Reading, NDArray[np.uint8] | None]]:
    """Each source with its reading, in order; and with ``keep``, its picture, RGB (H, W, 3)."""
    read = read_and_keep if keep else read_only
    waiting = iter(sources)
    while batch := list(islice(waiting, batch_size)):
        yield from read(reader, batch)


def read_only(reader: Reader, batch: list[Named]) -> Iterator[tuple[Named, Reading, None]]:
    """A batch, its pictures held no longer than the network needs them."""
    readings = reader.read([named.source for named in batch], batch_size=len(batch))
    for named, reading in zip(batch, readings, strict=True):
        yield named, reading, None


def read_and_keep(
    reader: Reader, batch: list[Named]
) -> Iterator[tuple[Named, Reading, NDArray[np.uint8] | None]]:
    """A batch, its pictures held until the next: none is decoded twice."""
    from crnn_ctc.image import load_each
    from crnn_ctc.reader import Reading

    started = time.perf_counter()
    errors: dict[int, str] = {}
    pictures = dict(load_each((named.source for named in batch), errors))
    ms = (time.perf_counter() - started) * 1e3 / len(batch)
    good = reader.read(pictures.values(), batch_size=len(batch))
    for place, named in enumerate(batch):
        reading = Reading("", 0.0, error=errors[place]) if place in errors else next(good)
        yield named, replace(reading, ms=reading.ms + ms), pictures.get(place)


class Album:
    """Writes annotated pictures; what cannot be written is said once and stops no reading.

    Args:
        folder: to write to; made where it is missing.
        show: a text as people write it.
        places: whether the characters were read where they stand.
    """

    def __init__(self, folder: Path, show: Callable[[str], str], places: bool) -> None:
        self._folder = folder
        self._show = show
        self._places = places
        self._names: set[str] = set()
        self._saved = 0
        self.error: str | None = None

    def add(self, named: Named, reading: Reading, picture: NDArray[np.uint8]) -> None:
        """Write the annotated picture of one reading."""
        from crnn_ctc.annotate import annotate

        if self.error:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            sheet = annotate(picture, reading, self._show(reading.text), self._places)
            sheet.save(self._folder / self._free_name(named.name))
            self._saved += 1
        except OSError as error:
            self.error = (
                f"{self._folder}: cannot be written ({error.strerror or error}); "
                "free space or choose another folder"
            )
            print(f"error: {self.error}", file=sys.stderr)

    def _free_name(self, name: str) -> str:
        """Pictures of one name in two folders must not overwrite each other."""
        stem = "stdin" if name == "-" else Path(name).stem
        free, number = f"{stem}.png", 2
        while free in self._names:
            free, number = f"{stem}-{number}.png", number + 1
        self._names.add(free)
        return free

    def summary(self) -> str:
        """Where the pictures are."""
        return f"{_count(self._saved, 'annotated picture')} in {self._folder}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


class Table:
    """Columns for people; the path comes last, so that no column need be as wide as the widest.

    Args:
        show: a text as people write it.
    """

    def __init__(self, show: Callable[[str], str]) -> None:
        self._show = show
        print(f"{'text':<12}  confidence       ms  path")

    def row(self, name: str, reading: Reading) -> None:
        """One line."""
        text = "(error)" if reading.error else self._show(reading.text) or "(no text)"
        # a Chinese character is two columns wide on a terminal
        wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
        confidence = "" if reading.error else f"{100 * reading.confidence:.2f} %"
        print(f"{text:<{12 - wide}}  {confidence:>10}  {reading.ms:7.2f}  {name}")

    def end(self) -> None:
        """Nothing more."""


class Text:
    """Texts alone, a line a picture; empty where it could not be read.

    Args:
        show: a text as people write it.
    """

    def __init__(self, show: Callable[[str], str]) -> None:
        self._show = show

    def row(self, name: str, reading: Reading) -> None:
        """One line."""
        del name
        print(self._show(reading.text))

    def end(self) -> None:
        """Nothing more."""


class Json:
    """An array of objects, written as they come: ``text`` is bare, ``display`` as people write it.

    Args:
        show: a text as people write it.
        alternatives: whether each lists its alternatives.
    """

    def __init__(self, show: Callable[[str], str], alternatives: bool = False) -> None:
        self._before = "["
        self._show = show
        self._alternatives = alternatives

    def row(self, name: str, reading: Reading) -> None:
        """One object."""
        values: dict[str, Any] = {
            "path": name,
            "text": reading.text,
            "display": self._show(reading.text),
            "confidence": round(reading.confidence, 6),
            "ms": round(reading.ms, 3),
            "characters": [
                {
                    "text": c.text,
                    "confidence": round(c.confidence, 6),
                    "start": round(c.start, 1),
                    "end": round(c.end, 1),
                }
                for c in reading.characters
            ],
        }
        if self._alternatives:
            values["alternatives"] = [
                {"text": a.text, "probability": round(a.probability, 6)}
                for a in reading.alternatives
            ]
        if reading.error is not None:
            values["error"] = reading.error
        print(self._before, json.dumps(values, ensure_ascii=False), sep="\n", end="")
        self._before = ","

    def end(self) -> None:
        """Close the array."""
        print("[]" if self._before == "[" else "\n]")


class Csv:
    """Comma-separated values with a header: ``text`` is bare, ``display`` as people write it.

    Args:
        show: a text as people write it.
    """

    def __init__(self, show: Callable[[str], str]) -> None:
        self._show = show
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow(["path", "text", "confidence", "ms", "error", "display"])

    def row(self, name: str, reading: Reading) -> None:
        """One line."""
        numbers = [f"{reading.confidence:.6f}", f"{reading.ms:.3f}"]
        shown = self._show(reading.text)
        self._writer.writerow([name, reading.text, *numbers, reading.error or "", shown])

    def end(self) -> None:
        """Nothing more."""


PRINTERS: dict[Format, type[Table | Text | Json | Csv]] = {
    Format.TABLE: Table,
    Format.TEXT: Text,
    Format.JSON: Json,
    Format.CSV: Csv,
}
