"""A frame of a video, and what an open source of frames is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from PIL import Image


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        number: number of the frame in its source, from 0; of a folder, of the picture.
        time: seconds from the start of a file; of other sources, seconds since 1970 (UTC).
        picture: in mode RGB.
        name: name of its file, where each frame has one; else empty.
    """

    number: int
    time: float
    picture: Image.Image
    name: str = ""


class FrameSource(Protocol):
    """Where frames come from.

    Attributes:
        live: whether frames arrive by themselves; their times are then those of a clock.
        error: one line that says why not all of it could be read; None where all was.
    """

    live: bool
    error: str | None

    @property
    def dropped(self) -> int:
        """Frames of a live source that were not looked at, since reading was slower."""

    def __iter__(self) -> Iterator[Frame | None]:
        """The frames in order; None now and then while a live source has no new one."""
