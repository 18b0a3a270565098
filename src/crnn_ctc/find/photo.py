"""Whether a picture is a crop or a photograph, and where the plates of a photograph are."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from crnn_ctc.find.decoding import LocatedPlate
from crnn_ctc.find.locator import Locator
from crnn_ctc.model_file.runtime import CPU

Find = Literal["auto", "always", "never"]
"""Which pictures are searched for plates: those that are no crop of one, all, or none."""

CROP_SIDE = 128
"""Pixels: a picture with a shorter side below is a crop."""

CROP_SHARE = 0.25
"""A picture is a crop where the upright box of its surest plate covers more of it than this."""

PHOTO_PIXELS = 250_000
"""A larger picture in which no plate is found is a photograph without one; a smaller one a crop."""


class _Shared:
    """A locator that is loaded once, when it is first needed."""

    def __init__(self, model: str | Path, threads: int, device: str) -> None:
        self._model, self._threads, self._device = model, threads, device

    @cached_property
    def locator(self) -> Locator:
        return Locator(self._model, self._threads, device=self._device)

    def __getstate__(self) -> dict[str, Any]:
        # another process opens its own
        return {name: value for name, value in vars(self).items() if name != "locator"}


class PlateFinder:
    """Finds the plates of photographs for a reader; the locator is loaded when it is first needed.

    Args:
        find: which pictures are searched.
        locator: name of a shipped locator, or its model file.
        threads: inference threads.
        device: that computes; see :func:`crnn_ctc.model_file.runtime.open_session`.
    """

    def __init__(
        self,
        find: Find,
        locator: str | Path = "plates-find",
        threads: int = 1,
        device: str = CPU,
    ) -> None:
        self.find = find
        # one for all copies, whichever needs it first
        self._shared = _Shared(locator, threads, device)

    @property
    def locator(self) -> Locator:
        """The locator, loaded when this is first asked for."""
        return self._shared.locator

    def with_find(self, find: Find) -> PlateFinder:
        """The same with another choice of pictures, and the same locator."""
        other = copy(self)
        other.find = find
        return other

    def __call__(self, picture: Image.Image) -> list[LocatedPlate] | None:
        """Plates of a picture in mode RGB, from left to right; None if it is a crop."""
        if self.find == "never" or (self.find == "auto" and min(picture.size) < CROP_SIDE):
            return None
        found = self.locator.find(picture)
        if self.find == "auto" and is_crop(*picture.size, found):
            return None
        return _left_to_right(found)

    def search(self, picture: Image.Image) -> list[LocatedPlate]:
        """Plates of any picture in mode RGB, from left to right."""
        return _left_to_right(self.locator.find(picture))


def _left_to_right(found: Sequence[LocatedPlate]) -> list[LocatedPlate]:
    return sorted(found, key=lambda one: float(one.corners[:, 0].mean()))


def is_crop(width: int, height: int, found: Sequence[LocatedPlate]) -> bool:
    """Whether a picture shows one plate that fills it.

    Args:
        width: width of the picture in pixels.
        height: height of the picture in pixels.
        found: its plates, the surest first.
    """
    if min(height, width) < CROP_SIDE:
        return True
    if not found:
        return height * width < PHOTO_PIXELS
    size = np.ptp(found[0].corners, axis=0)
    return bool(size[0] * size[1] > CROP_SHARE * width * height)
