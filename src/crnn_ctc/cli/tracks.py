"""Tracks on the command line: the pictures that show one plate, and their reading."""

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
        name: the folder, or the first of the pictures.
        frames: the pictures.
    """

    name: str
    frames: list[Named]


def tracks(paths: Iterable[str]) -> Iterator[PlatePictures]:
    """The tracks that a user means: the pictures of each folder are one.

    All that is named besides folders is one more, since a shell makes ``cam/*.jpg`` many names.
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
    """Each track with its reading; and with ``keep``, the picture that shows its text best.

    A picture that cannot be read is said and left out; a track of which none can has an error.
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
            assert not isinstance(source, InputError)  # it was read
            best = load(source)
        yield called, reading, best
