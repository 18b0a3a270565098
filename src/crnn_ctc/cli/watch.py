"""crnn-ctc watch: read vehicles in video, one line each."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crnn_ctc.cli.extras import needs
from crnn_ctc.cli.model_options import Device, Known, MinConfidence
from crnn_ctc.cli.output import counted
from crnn_ctc.cli.str_enum import StrEnum
from crnn_ctc.errors import InputError, one_line
from crnn_ctc.files import make_folder

if TYPE_CHECKING:
    from crnn_ctc.watch.frame import FrameSource
    from crnn_ctc.watch.vehicles import Vehicle


class Lines(StrEnum):
    """Output format of vehicles."""

    TABLE = "table"
    JSONL = "jsonl"


def watch(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A video file, a folder that fills with pictures, a stream (rtsp://, http://), "
            "or a camera's number.",
        ),
    ],
    model: Annotated[
        str, typer.Option(help="A shipped model that reads plates, or a model file.")
    ] = "",
    output: Annotated[
        Lines,
        typer.Option("--format", help="Output format: table, or jsonl (one JSON object per line)."),
    ] = Lines.TABLE,
    every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Read every n-th frame of a video.")
    ] = 3,
    gap: Annotated[
        float,
        typer.Option(
            min=0.0,
            metavar="SECONDS",
            help="Seconds out of sight after which a plate belongs to a new vehicle.",
        ),
    ] = 3.0,
    save: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the best frame of each vehicle."),
    ] = None,
    known: Known = None,
    min_confidence: MinConfidence = 0.0,
    webhook: Annotated[
        str | None,
        typer.Option(metavar="URL", help="URL that each accepted vehicle is posted to, as JSON."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Inference threads.")] = 1,
    device: Device = "cpu",
) -> None:
    """Read the plates of vehicles in a video, one line each.

    A vehicle is printed when its plate has been out of sight for --gap seconds, or at the end.
    Ctrl-C ends a live source; vehicles in sight are printed then. The exit code is 2 where a part
    of the source could not be read.
    """
    from crnn_ctc.plates import scheme_of
    from crnn_ctc.reader import Reader
    from crnn_ctc.watch.vehicles import Watcher
    from crnn_ctc.watch.webhook import Webhook

    settings: dict[str, Any] = {"model": model} if model else {}
    reader = Reader(
        threads=threads,
        device=device,
        min_confidence=min_confidence,
        known=known,
        find="always",
        **settings,
    )
    scheme = scheme_of(reader.card.alphabet, reader.card.plates)
    show = scheme.display if scheme else str
    if save and save.resolve() == Path(source).resolve():
        raise InputError(f"{save}: the watched folder itself; choose another for --save")
    frames = open_video_source(source, every)
    hook = Webhook(webhook, _say) if webhook else None
    album = _Album(save, show) if save else None
    watcher = Watcher(reader, gap, photos=album is not None)
    reported = frame_count = 0
    lost: str | None = None

    def tell(vehicles: list[Vehicle]) -> None:
        nonlocal reported
        for vehicle in vehicles:
            reported += 1
            saved = album.add(vehicle) if album else None
            row = as_row(vehicle, frames.live, show, saved)
            print(
                json.dumps(row, ensure_ascii=False) if output is Lines.JSONL else _line(row),
                flush=True,
            )
            if hook and vehicle.reading.accepted:
                hook.send(row)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # sent when a container is stopped
    if output is Lines.TABLE:
        stamp = 24 if frames.live else 11
        print(f"{'first':<{stamp}}  {'last':<{stamp}}  {'text':<10}  confidence    frame")
    try:
        try:
            for frame in frames:
                if frame is None:
                    tell(watcher.wait(_now()))
                else:
                    frame_count += 1
                    tell(watcher.update(frame))
        except KeyboardInterrupt:
            _say("ending")
        except InputError as error:  # vehicles in sight are still reported
            lost = str(error)
        tell(watcher.finish())
    finally:
        if hook:
            hook.close()
    summary = (
        f"{counted(reported, 'vehicle')} in {counted(frame_count, 'frame')} with {reader.card.name}"
    )
    if frames.dropped:
        summary += f"; {counted(frames.dropped, 'frame')} dropped, reading was slower"
    print(summary, file=sys.stderr)
    # a live source has already printed its errors
    for reason in (lost, None if frames.live else frames.error):
        if reason:
            _say(f"error: {reason}")
    if lost or frames.error or (album and album.error) or (hook and hook.unsent):
        raise typer.Exit(2)


def open_video_source(source: str, every: int) -> FrameSource:
    """Open a source of frames.

    Args:
        source: video file, folder, address of a stream, or a camera's number.
        every: yield every n-th frame of a video; folders yield all pictures.

    Raises:
        InputError: it is none of these, or cannot be opened.
    """
    path = Path(source)
    if path.is_dir():
        from crnn_ctc.watch.sources import Folder

        return Folder(path, lambda line: _say(f"error: {line}"))
    if not path.is_file() and not source.isdecimal() and "://" not in source:
        raise InputError(f"{source}: no such file, folder, stream or camera; check the path")
    with needs("video", "reading video"):
        from crnn_ctc.watch.video import Camera, VideoFile, is_stream, without_password
    if path.is_file():
        return VideoFile(path, every)
    if source.isdecimal() or is_stream(source):
        return Camera(source, every, _say)
    raise InputError(
        f"{without_password(source)}: not a kind of stream that is known; give rtsp://"
    )


def as_row(
    vehicle: Vehicle, live: bool, show: Callable[[str], str], saved: Path | None
) -> dict[str, Any]:
    """Convert a vehicle to JSON.

    Args:
        vehicle: vehicle to print.
        live: whether times are clock times, written in ISO 8601, UTC; otherwise they are seconds.
        show: formats the text for ``display``.
        saved: file of the best frame.
    """
    reading, best = vehicle.reading, vehicle.best
    return {
        "first": _time(vehicle.first, live),
        "last": _time(vehicle.last, live),
        "text": reading.text,
        "display": show(reading.text),
        "confidence": round(reading.confidence, 6),
        "accepted": reading.accepted,
        "colour": reading.colour,
        "kind": reading.kind,
        "frames": vehicle.seen,
        "best": {
            "frame": best.number,
            "time": _time(best.time, live),
            "file": best.name or None,
            "corners": [[round(float(x), 1), round(float(y), 1)] for x, y in best.corners],
            "saved": str(saved) if saved else None,
        },
    }


def _time(seconds: float, live: bool) -> float | str:
    if not live:
        return round(seconds, 3)
    stamp = datetime.fromtimestamp(seconds, timezone.utc)
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(row: dict[str, Any]) -> str:
    first, last = (
        at if isinstance(at, str) else f"{int(at // 3600)}:{int(at // 60 % 60):02}:{at % 60:06.3f}"
        for at in (row["first"], row["last"])
    )
    refused = "" if row["accepted"] else "  refused"
    frame = one_line(str(row["best"]["file"] or row["best"]["frame"]))
    return f"{first}  {last}  {row['display']:<10}  {row['confidence']:>10.3f}  {frame:>7}{refused}"


class _Album:
    """Writes best frames; a later write error is reported once and does not stop reading.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, show: Callable[[str], str]) -> None:
        make_folder(folder)
        self.error: str | None = None
        self._folder = folder
        self._show = show
        self._number = 0

    def add(self, vehicle: Vehicle) -> Path | None:
        """Write a vehicle's best frame with its plate outlined; return the file."""
        from crnn_ctc.drawing.photograph import annotate_photograph

        if self.error:
            return None
        self._number += 1
        text = re.sub(r"[^\w-]", "_", vehicle.reading.text)  # an own alphabet may have a /
        file = self._folder / f"{self._number:06}_{text}.jpg"
        try:
            annotate_photograph(*vehicle.photo(), self._show).save(file, quality=90)
        except OSError as error:
            self.error = f"{self._folder}: cannot be written ({error.strerror or error})"
            _say(f"error: {self.error}; free space or choose another folder")
            return None
        return file


def _now() -> float:
    return datetime.now(timezone.utc).timestamp()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
