"""Tracks on the command line: pictures of one plate, read together."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crnn_ctc.cli.inputs import Named, expand
from crnn_ctc.cli.output import counted
from crnn_ctc.errors import InputError
from crnn_ctc.image import load
from crnn_ctc.reading import Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from crnn_ctc.reader import Reader


@dataclass(frozen=True)
class PlatePictures:
    """Pictures of one plate.

    Attributes:
        name: folder, or the first of the pictures.
        frames: pictures of the track.
    """

    name: str
    frames: list[Named]


def tracks(paths: Iterable[str]) -> Iterator[PlatePictures]:
    """Group pictures into tracks: one per folder.

    All other pictures form one more track, as a shell expands ``cam/*.jpg`` to many names.
    """
    loose: list[Named] = []
    for path in paths:
        if Path(path).is_dir():
            yield PlatePictures(path, list(expand([path])))
        else:
            loose += expand([path])
    if loose:
        yield PlatePictures(loose[0].name, loose)


def read_tracks(
    reader: Reader, sources: Iterable[PlatePictures], batch_size: int, keep: bool = False
) -> Iterator[tuple[Named, Reading, NDArray[np.uint8] | None]]:
    """Yield each track with its reading, and with ``keep`` the best picture, RGB (H, W, 3).

    Unreadable pictures are reported and left out; a track without readable pictures gets an error.
    """
    for track in sources:
        frames = track.frames
        called = Named(track.name, frames[0].source)
        try:
            reading = reader.read_track([frame.source for frame in frames], batch_size)
        except InputError as error:
            yield called, Reading.failed(str(error)), None
            continue
        for reason in reading.skipped:
            print(f"left out: {reason}", file=sys.stderr)
        if reading.skipped:
            left_out = counted(len(reading.skipped), "picture")
            print(f"{track.name}: {left_out} of {len(frames)} left out", file=sys.stderr)
        best = None
        if keep:
            source = frames[reading.best].source
            assert not isinstance(source, InputError)  # it was read without error
            best = load(source)
        yield called, reading, best
