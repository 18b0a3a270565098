"""EMNIST digits as distance fields, which can be drawn at any size and stroke width."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.errors import InputError

SIDE = 40
"""Height and width of a field, pixels."""

BODY = 28
"""Height of the digit in its field, pixels."""

LEVELS = 20.0
"""Levels of a field per pixel of distance; 128 is the outline."""

_WIDEST = 1.3
"""Maximum aspect ratio, width over height; wider digits are condensed to fit their field."""


class Shape(NamedTuple):
    """A digit normalized for slant and height.

    Attributes:
        field: uint8 (SIDE, SIDE), signed distance to the outline, above 128 inside.
        width: aspect ratio, width over height.
        radius: half the stroke width, in pixels of the field.
    """

    field: NDArray[np.uint8]
    width: float
    radius: float


class Shapes:
    """Deslanted digits of equal height, computed on first use.

    Args:
        images: digits of EMNIST or MNIST, uint8 (N, 32, 32), light ink on black.
        labels: uint8 (N,), 0 to 9.
    """

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
        self.images, self.labels = images, labels
        self._of_digit = [np.flatnonzero(labels == digit) for digit in range(10)]
        self._known: dict[int, Shape | None] = {}

    def pick(self, digit: int, share: float) -> Shape:
        """Pick one of the shapes of a digit.

        Args:
            digit: 0 to 9.
            share: position among them, in [0, 1).

        Raises:
            InputError: there is no usable picture of that digit.
        """
        places = self._of_digit[digit]
        first = int(share * len(places))
        for k in range(len(places)):  # skip unusable pictures
            place = int(places[(first + k) % len(places)])
            if place not in self._known:
                self._known[place] = _shape(self.images[place])
            shape = self._known[place]
            if shape is not None:
                return shape
        raise InputError(f"the training digits hold no usable {digit}; give all of EMNIST or MNIST")


def _shape(image: NDArray[np.uint8]) -> Shape | None:
    """Compute the shape of a picture, uint8 (H, W), light on black; None if it is unusable."""
    moments = cv2.moments(image)
    if moments["m00"] == 0 or moments["mu02"] < 1:
        return None
    slant = float(np.clip(moments["mu11"] / moments["mu02"], -1, 1))
    size = image.shape[0]
    upright = cv2.warpAffine(
        image,
        np.array([[1, -slant, slant * moments["m01"] / moments["m00"]], [0, 1, 0]], np.float32),
        (size, size),
    )
    x, y, w, h = cv2.boundingRect(np.asarray(upright > 100, np.uint8))
    if h < 8 or w < 1:
        return None
    scale = BODY / h
    across = min(scale, _WIDEST * BODY / w)
    middle = SIDE / 2
    large = cv2.warpAffine(
        upright,
        np.array(
            [
                [across, 0, middle - across * (x + w / 2 - 0.5) - 0.5],
                [0, scale, middle - scale * (y + h / 2 - 0.5) - 0.5],
            ],
            np.float32,
        ),
        (SIDE, SIDE),
        flags=cv2.INTER_CUBIC,
    )
    ink = np.asarray(large > 110, np.uint8)
    inside = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    outside = cv2.distanceTransform(1 - ink, cv2.DIST_L2, 3)
    ridge = inside[(inside >= cv2.dilate(inside, _THREE)) & (inside > 0)]
    if not len(ridge):
        return None
    # distances are to the nearest pixel centre on the other side: half a pixel too long
    distance = np.where(ink > 0, inside - 0.5, 0.5 - outside)
    field = np.rint(128 + LEVELS * distance).clip(0, 255).astype(np.uint8)
    return Shape(field, across * w / BODY, float(np.mean(ridge)) - 0.5)


_THREE = np.ones((3, 3), np.uint8)
