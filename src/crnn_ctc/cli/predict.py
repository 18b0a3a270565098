"""crnn-ctc predict: read the text in pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crnn_ctc.cli.model_options import Device, Find, FindOption, MinConfidence
from crnn_ctc.cli.output import REFUSED, counted
from crnn_ctc.cli.printers import OutputFormat, printer_for
from crnn_ctc.cli.progress import track as progress
from crnn_ctc.errors import InputError, is_utf8
from crnn_ctc.reading import MOST_ALTERNATIVES, TrackReading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from crnn_ctc.cli.inputs import Named
    from crnn_ctc.reader import Reader
    from crnn_ctc.reading import Reading


_BATCH = 32
"""Pictures per inference batch."""


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Pictures, folders or glob patterns; - reads standard input."
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            help="A shipped model, plates or digits for the recommended one, or a model file."
        ),
    ] = "plates-small",
    output: Annotated[
        OutputFormat,
        typer.Option(
            "--format",
            help="Output format: table, text (texts alone), json, csv, or excel (csv that "
            "begins with a byte order mark).",
        ),
    ] = OutputFormat.TABLE,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for annotated pictures.")
    ] = None,
    device: Device = "cpu",
    grammar: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Allowed texts: plates, digits:5, re:PATTERN, or none for any text; by "
            "default those of the model.",
        ),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Answer only texts of this list, one per line, such as the plates that a "
            "gate knows.",
        ),
    ] = None,
    decode: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Decoder: greedy, search or grammar (the default)."),
    ] = None,
    alternatives: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST_ALTERNATIVES,
            metavar="N",
            help="Number of next most probable texts in the JSON output.",
        ),
    ] = 0,
    min_confidence: MinConfidence = 0.0,
    find: Find = FindOption.AUTO,
    track: Annotated[
        bool,
        typer.Option(
            "--track", help="Read the pictures of each folder together, as frames of one plate."
        ),
    ] = False,
) -> None:
    """Read the text in pictures.

    Photographs are searched for plates, one row each; crops are read as they are. A picture that
    cannot be read is reported and the rest is read; the exit code is then 2. With --min-confidence
    the exit code is 3 where a reading was refused or had no text.
    """
    from crnn_ctc.cli.annotated import Album
    from crnn_ctc.cli.inputs import expand
    from crnn_ctc.cli.tracks import read_tracks, tracks
    from crnn_ctc.plates import scheme_of
    from crnn_ctc.reader import Reader

    reader = Reader(
        model,
        grammar=grammar,
        alternatives=alternatives,
        device=device,
        min_confidence=min_confidence,
        known=known,
        decode=decode,
        find=find.value,
    )
    scheme = scheme_of(reader.card.alphabet, reader.card.plates)
    show = scheme.display if scheme else str
    album = Album(save, show, places=scheme is None) if save else None
    read = failed = refused = escaped = skipped = 0
    ms = 0.0
    printer = printer_for(output, show, show_verdict=min_confidence > 0)
    keep = album is not None
    if track:
        readings = read_tracks(reader, tracks(paths), _BATCH, keep)
    else:
        readings = read_all(reader, expand(paths), _BATCH, keep)
    if len(paths) > 1 or not Path(paths[0]).is_file():  # no progress bar for one picture
        readings = progress(readings, "reading")
    for named, reading, picture in readings:
        ms += reading.ms
        printer.row(named.name, reading)
        escaped += not is_utf8(named.name)
        if reading.error is None:
            read += 1
            skipped += isinstance(reading, TrackReading) and len(reading.skipped)
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
    if failed or skipped or (album and album.error):
        raise typer.Exit(2)
    if refused:
        raise typer.Exit(REFUSED)


def read_all(
    reader: Reader, sources: Iterable[Named], batch_size: int, keep: bool = False
) -> Iterator[tuple[Named, Reading, NDArray[np.uint8] | None]]:
    """Yield each source with its reading, in order, and with ``keep`` its picture, RGB (H, W, 3).

    With ``keep``, pictures are decoded once, before reading; the reading's ``ms`` excludes it.
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
