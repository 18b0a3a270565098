"""crnn-ctc predict: pictures in, text with a confidence out."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crnn_ctc.cli.bulk import Engine, read_bulk
from crnn_ctc.cli.models import Runtime
from crnn_ctc.cli.output import counted
from crnn_ctc.cli.printers import Format, printer_for
from crnn_ctc.cli.progress import track as progress
from crnn_ctc.errors import InputError, is_utf8

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from crnn_ctc.bulk.places import Place
    from crnn_ctc.bulk.work import Job
    from crnn_ctc.cli.inputs import Named
    from crnn_ctc.reader import Reader
    from crnn_ctc.reading import Reading

SHARD = 10_000
"""Pictures of a part: a minute of reading."""

REFUSED = 3
"""Exit code where every picture was read and some readings were refused."""


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Pictures, folders, globs; - is standard input."),
    ],
    model: Annotated[
        str,
        typer.Option(help="plates-tiny, plates-nano(-int8), digits-tiny, or a file."),
    ] = "plates-tiny",
    output: Annotated[
        Format, typer.Option("--format", help="table, text (texts alone), json or csv.")
    ] = Format.TABLE,
    bom: Annotated[
        bool, typer.Option("--bom", help="Begin CSV with a byte order mark, for Excel.")
    ] = False,
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
    min_confidence: Annotated[
        float,
        typer.Option(
            metavar="P", help="Refuse what is less probable, from 0 to 1: confidence times mass."
        ),
    ] = 0.0,
    track: Annotated[
        bool,
        typer.Option(
            "--track", help="The pictures show one plate, those of each folder one: read together."
        ),
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Write Parquet here, for very many pictures: in folders, Parquet or tar files, "
            "local or a URI. Goes on where it was broken off.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="That read, with --out; 0: as many as there are cores.")
    ] = 0,
    engine: Annotated[
        Engine, typer.Option(help="What the workers are, with --out.")
    ] = Engine.PROCESSES,
    shard_size: Annotated[
        int, typer.Option(min=1, help="Pictures of a folder that make one file, with --out.")
    ] = SHARD,
) -> None:
    """Read the text in pictures.

    A picture that cannot be read is reported and the rest is read; the exit code is then 2. Where
    nothing failed, but a reading was refused, it is 3.
    """
    from crnn_ctc.cli.annotated import Album
    from crnn_ctc.cli.inputs import expand
    from crnn_ctc.cli.tracks import read_tracks, tracks
    from crnn_ctc.plates.text import spells_plates, with_dot
    from crnn_ctc.reader import Reader

    if out is not None:
        if save or track or alternatives or output is not Format.TABLE:
            raise InputError(
                "--out writes Parquet: leave --format, --save, --track and --alternatives away"
            )

        def job(folder: Place) -> Job:
            from crnn_ctc.bulk.work import Job

            return Job(folder, model, grammar, runtime.value, threads, min_confidence, batch_size)

        if read_bulk(paths, out, engine, workers, shard_size, job):
            raise typer.Exit(REFUSED)
        return
    if workers or engine is not Engine.PROCESSES or shard_size != SHARD:
        raise InputError("--workers, --engine and --shard-size go with --out; give it a folder")

    if bom and output is not Format.CSV:
        raise InputError("--bom goes with --format csv; leave it out, or add --format csv")
    reader = Reader(
        model,
        threads,
        grammar,
        alternatives,
        runtime=runtime.value,
        min_confidence=min_confidence,
    )
    plates = spells_plates(reader.card.alphabet)
    show = with_dot if dot and plates else str
    album = Album(save, show, places=not plates) if save else None
    read = failed = refused = escaped = 0
    ms = 0.0
    printer = printer_for(output, show, judged=min_confidence > 0, bom=bom)
    keep = album is not None
    if track:
        readings = read_tracks(reader, tracks(paths), batch_size, keep)
    else:
        readings = read_all(reader, expand(paths), batch_size, keep)
    if len(paths) > 1 or not Path(paths[0]).is_file():  # one picture is not worth loading a bar
        readings = progress(readings, "reading")
    for named, reading, picture in readings:
        ms += reading.ms
        printer.row(named.name, reading)
        escaped += not is_utf8(named.name)
        if reading.error is None:
            read += 1
            refused += not reading.accepted
            if album and picture is not None:
                album.add(named, reading, picture)
        else:
            failed += 1
            print(f"error: {reading.error}", file=sys.stderr)
    printer.end()
    what = "track" if track else "picture"
    summary = f"{counted(read, what)} read with {reader.card.name}"
    if read:
        summary += f", {ms / (read + failed):.1f} ms a {what}"
    if refused:
        summary += f"; {refused} refused below {min_confidence:g}"
    if failed:
        summary += f"; {failed} could not be read"
    print(summary, file=sys.stderr)
    if escaped:
        print(
            f"{counted(escaped, 'name')} not in UTF-8: such bytes are written as \\xNN",
            file=sys.stderr,
        )
    if album:
        print(album.summary(), file=sys.stderr)
    if failed or (album and album.error):
        raise typer.Exit(2)
    if refused:
        raise typer.Exit(REFUSED)


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
    from crnn_ctc.reading import Reading

    started = time.perf_counter()
    errors: dict[int, str] = {}
    pictures = dict(load_each((named.source for named in batch), errors))
    ms = (time.perf_counter() - started) * 1e3 / len(batch)
    good = reader.read(pictures.values(), batch_size=len(batch))
    for place, named in enumerate(batch):
        reading = Reading.failed(errors[place]) if place in errors else next(good)
        yield named, replace(reading, ms=reading.ms + ms), pictures.get(place)
