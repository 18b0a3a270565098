"""crnn-ctc predict: pictures in, text with a confidence out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crnn_ctc.cli.model_options import Device, Find, FindOption
from crnn_ctc.cli.output import REFUSED, counted
from crnn_ctc.cli.printers import OutputFormat, printer_for
from crnn_ctc.cli.progress import track as progress
from crnn_ctc.errors import InputError, is_utf8

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from crnn_ctc.cli.inputs import Named
    from crnn_ctc.reader import Reader
    from crnn_ctc.reading import Reading


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Pictures, folders, globs; - is standard input."),
    ],
    model: Annotated[
        str,
        typer.Option(help="plates, digits, the name of a shipped model, or a file."),
    ] = "plates-small",
    output: Annotated[
        OutputFormat, typer.Option("--format", help="table, text (texts alone), json or csv.")
    ] = OutputFormat.TABLE,
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
    threads: Annotated[int, typer.Option(min=1, help="Inference threads.")] = 1,
    device: Device = "cpu",
    grammar: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What a text may be: plates, digits:5, re:PATTERN, ...; none for anything; "
            "without it, what the model says.",
        ),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Answer only texts of this list, one a line: the plates that a gate knows.",
        ),
    ] = None,
    decode: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Decoder: greedy, search or grammar (the default)."),
    ] = None,
    alternatives: Annotated[
        int, typer.Option(min=0, max=50, metavar="N", help="Next best texts to give, in JSON.")
    ] = 0,
    min_confidence: Annotated[
        float,
        typer.Option(metavar="P", help="Refuse texts with a lower confidence, from 0 to 1."),
    ] = 0.0,
    find: Find = FindOption.AUTO,
    track: Annotated[
        bool,
        typer.Option(
            "--track", help="The pictures show one plate, those of each folder one: read together."
        ),
    ] = False,
) -> None:
    """Read the text in pictures.

    A photograph is searched for plates, each of which is a row; a crop is read as it is. A picture
    that cannot be read is reported and the rest is read; the exit code is then 2. With
    --min-confidence it is 3 where nothing failed, but a text was missing or not sure enough.
    """
    from crnn_ctc.cli.annotated import Album
    from crnn_ctc.cli.inputs import expand
    from crnn_ctc.cli.tracks import read_tracks, tracks
    from crnn_ctc.plates import scheme_of
    from crnn_ctc.reader import Reader

    if bom and output is not OutputFormat.CSV:
        raise InputError("--bom goes with --format csv; leave it out, or add --format csv")
    reader = Reader(
        model,
        threads,
        grammar,
        alternatives,
        device=device,
        min_confidence=min_confidence,
        known=known,
        decode=decode,
        find=find.value,
    )
    scheme = scheme_of(reader.card.alphabet, reader.card.plates)
    show = scheme.display if dot and scheme else str
    album = Album(save, show, places=scheme is None) if save else None
    read = failed = refused = escaped = 0
    ms = 0.0
    printer = printer_for(output, show, show_verdict=min_confidence > 0, bom=bom)
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
            if reading.warning:
                print(f"warning: {reading.warning}", file=sys.stderr)
            refused += min_confidence > 0 and not all(one.accepted for one in reading.each())
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
    """Each source with its reading, in order; and with ``keep``, its picture, RGB (H, W, 3).

    A picture that is kept is decoded once, before its reading begins: the reading's ``ms`` is then
    without that.
    """
    import numpy as np

    from crnn_ctc.image import load_each

    waiting = iter(sources)
    while batch := list(islice(waiting, batch_size)):
        names = [named.source for named in batch]
        if not keep:
            for named, reading in zip(batch, reader.read(names, batch_size), strict=True):
                yield named, reading, None
            continue
        pictures = list(load_each(names))
        readings = reader.read(pictures, batch_size)
        for named, reading, picture in zip(batch, readings, pictures, strict=True):
            yield named, reading, None if isinstance(picture, InputError) else np.asarray(picture)
