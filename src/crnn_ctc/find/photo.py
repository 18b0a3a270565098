"""Distinguish crops from photographs, and find the plates of photographs."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.errors import InputError
from crnn_ctc.find.decoding import LocatedPlate
from crnn_ctc.find.locator import SURE, Locator
from crnn_ctc.jpeg import divisor_of, full_size
from crnn_ctc.model_file.runtime import CPU

Find = Literal["auto", "always", "never"]
"""Which pictures are searched for plates: photographs, all, or none."""

CROP_SIDE = 128
"""Shorter side in pixels below which a picture is a crop."""

CROP_SHARE = 0.25
"""Fraction of a picture covered by the box of its most confident plate above which it is a crop."""

PHOTO_PIXELS = 250_000
"""Pixels above which a picture without a detected plate is a photograph; below, it is a crop."""


ENOUGH = 100
"""Width of a plate in pixels above which accuracy does not increase. If a plate is narrower in a
photograph decoded at reduced size, the photograph is decoded at full size."""


FLOOR = 0.01
"""Minimum confidence of a plate; candidates below it are signs, badges or shadows. No correctly
read plate of the development sets is below it."""


class Photograph(NamedTuple):
    """A photograph and its plates.

    Attributes:
        picture: in mode RGB, to crop the plates from; possibly decoded at reduced size and rotated.
        plates: in pixels of ``picture``, from left to right.
        turn: rotation of ``picture``; None for none.
    """

    picture: Image.Image
    plates: Sequence[LocatedPlate] = ()
    turn: Image.Transpose | None = None

    @property
    def to_whole(self) -> NDArray[np.float64]:
        """Homography (3, 3) from pixels of ``picture`` to those of the photograph as given."""
        divisor = divisor_of(self.picture)
        matrix = np.diag([divisor, divisor, 1.0])
        if self.turn is None:
            return matrix
        width, height = self.picture.size
        back = {
            Image.Transpose.ROTATE_90: [[0, -1, height], [1, 0, 0], [0, 0, 1]],
            Image.Transpose.ROTATE_180: [[-1, 0, width], [0, -1, height], [0, 0, 1]],
            Image.Transpose.ROTATE_270: [[0, 1, 0], [-1, 0, width], [0, 0, 1]],
        }
        return np.asarray(matrix @ np.array(back[self.turn], np.float64))

    @property
    def whole_plates(self) -> list[LocatedPlate]:
        """The plates in pixels of the photograph as given."""
        return [one.mapped(self.to_whole) for one in self.plates]


class _Shared:
    """A locator that is loaded on first use."""

    def __init__(self, model: str | Path, threads: int, device: str) -> None:
        self._model, self._threads, self._device = model, threads, device

    @cached_property
    def locator(self) -> Locator:
        return Locator(self._model, self._threads, device=self._device)

    def __getstate__(self) -> dict[str, Any]:
        # other processes load their own
        return {name: value for name, value in vars(self).items() if name != "locator"}


class PlateFinder:
    """Finds the plates of photographs for a reader; the locator is loaded on first use.

    Args:
        find: which pictures to search.
        locator: name of a shipped locator, or its model file.
        threads: inference threads.
        device: device that computes; see :func:`crnn_ctc.model_file.runtime.open_session`.
    """

    def __init__(
        self,
        find: Find,
        locator: str | Path = "plates-find",
        threads: int = 1,
        device: str = CPU,
    ) -> None:
        if find not in get_args(Find):
            raise InputError(f"find {find!r}: give one of {', '.join(get_args(Find))}")
        self.find = find
        # shared by all copies
        self._shared = _Shared(locator, threads, device)

    @property
    def locator(self) -> Locator:
        """The locator, loaded on first use."""
        return self._shared.locator

    def with_find(self, find: Find) -> PlateFinder:
        """The same finder with another ``find``, sharing the locator."""
        other = copy(self)
        other.find = find
        return other

    def __call__(self, picture: Image.Image) -> Photograph | None:
        """Find the plates of a picture in mode RGB; None if it is a crop."""
        divisor = divisor_of(picture)
        width, height = picture.width * divisor, picture.height * divisor
        if self.find == "never" or (self.find == "auto" and min(width, height) < CROP_SIDE):
            return None
        photo = self._turned(picture)
        if self.find == "auto" and is_crop(width, height, photo.whole_plates):
            return None
        return self._finished(photo)

    def search(self, picture: Image.Image, turned: bool = True) -> Photograph:
        """Find the plates of any picture in mode RGB.

        Args:
            picture: in mode RGB.
            turned: whether to rotate photographs that may be sideways or upside down.
        """
        found = self._turned(picture) if turned else Photograph(picture, self.locator.find(picture))
        return self._finished(found)

    def _turned(self, picture: Image.Image) -> Photograph:
        """Find plates, most confident first; rotate the picture if that shows better plates."""
        found = self.locator.find(picture)
        pixels = picture.width * picture.height * divisor_of(picture) ** 2
        if pixels >= PHOTO_PIXELS and not any(one.score >= SURE for one in found):
            turn = self.locator.turn(picture)
            if turn is not None:
                picture = picture.transpose(turn)
                return Photograph(picture, self.locator.find(picture), turn)
        return Photograph(picture, found)

    def _finished(self, photo: Photograph) -> Photograph:
        """Decode at full size if plates are too small; sort the plates from left to right."""
        picture, found, turn = photo
        divisor = divisor_of(picture)
        if divisor > 1 and any(np.ptp(one.corners[:, 0]) < ENOUGH for one in found):
            picture = full_size(picture)
            if turn is not None:
                picture = picture.transpose(turn)
            found = self.locator.refine(picture, [one.scaled(divisor) for one in found])
        return Photograph(picture, sorted(found, key=lambda one: one.corners[:, 0].mean()), turn)


def is_crop(width: int, height: int, found: Sequence[LocatedPlate]) -> bool:
    """Tell whether a picture is a crop of one plate.

    Args:
        width: width of the picture in pixels.
        height: height of the picture in pixels.
        found: its plates, most confident first.
    """
    if min(height, width) < CROP_SIDE:
        return True
    if not found:
        return height * width < PHOTO_PIXELS
    size = np.ptp(found[0].corners, axis=0)
    return bool(size[0] * size[1] > CROP_SHARE * width * height)
