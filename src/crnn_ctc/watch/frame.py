"""Video frames, and the protocol of frame sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from PIL import Image


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        number: number of the frame, or of the picture in a folder, from 0.
        time: seconds from the start of a file; for other sources, seconds since 1970 (UTC).
        picture: the picture in mode RGB.
        name: file name of a picture in a folder; otherwise empty.
    """

    number: int
    time: float
    picture: Image.Image
    name: str = ""


class FrameSource(Protocol):
    """A source of frames.

    Attributes:
        live: whether frames arrive in real time, with clock times.
        error: one line that says why a part could not be read; None if all was read.
    """

    live: bool
    error: str | None

    @property
    def dropped(self) -> int:
        """Number of dropped frames of a live source."""

    def __iter__(self) -> Iterator[Frame | None]:
        """Yield the frames in order; a live source yields None while it has no new one."""
