"""The distortion of single digits: rotation, affine map, local displacement, in integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE = 32
"""Height and width of a digit, in pixels."""

# Upstream crnn-ctc's distortion of a digit: a rotation, then an affine map about the centre.
_ROTATION = 15.0  # degrees, either way
_AFFINE_ROTATION = 10.0  # degrees, either way
_TRANSLATION = 0.1 * SIZE  # pixels, either way, rounded to whole ones
_SCALE = (0.9, 1.1)

ONE = 1 << 15
"""Fixed-point one: coordinates in integers are the same on every machine."""


def warp(
    images: NDArray[np.uint8],
    angle: NDArray[np.float64],
    scale: NDArray[np.float64] | float = 1.0,
    shift: NDArray[np.int64] | int = 0,
    shear: NDArray[np.float64] | float = 0.0,
    displacement: NDArray[np.int32] | None = None,
) -> NDArray[np.uint8]:
    """Affine map about the centre, nearest pixel, black outside.

    Each output pixel p is taken from A (p - centre - shift) + centre + displacement(p), where A
    undoes the rotation, scale and shear.

    Args:
        images: uint8 (M, 32, 32).
        angle: degrees, clockwise (M,).
        scale: 1 keeps the size (M,).
        shift: whole pixels in x and y, (M, 2).
        shear: pixels in x per pixel in y (M,).
        displacement: fixed-point pixels in x and y, int32 (M, 2, 32, 32); see ``ONE``.
    """
    m = len(images)
    radians = np.deg2rad(angle)
    scale = np.broadcast_to(scale, (m,))
    shear = np.broadcast_to(shear, (m,))
    shift = np.broadcast_to(shift, (m, 2)).astype(np.int32)
    cos, sin = np.cos(radians) / scale, np.sin(radians) / scale
    a = np.stack([cos, cos * shear + sin, -sin, cos - sin * shear], axis=1)
    xx, xy, yx, yy = np.rint(a * ONE).astype(np.int32).T[:, :, None, None]

    # twice the distance of a pixel's centre from the picture's, so that it is a whole number
    twice = 2 * np.arange(SIZE, dtype=np.int32) + 1 - SIZE
    x = (twice[None, :] - 2 * shift[:, :1])[:, None, :]
    y = (twice[None, :] - 2 * shift[:, 1:])[:, :, None]
    source_x = xx * x + xy * y
    source_y = yx * x + yy * y
    if displacement is not None:
        source_x += 2 * displacement[:, 0]
        source_y += 2 * displacement[:, 1]
    source_x = (source_x + SIZE * ONE) >> 16
    source_y = (source_y + SIZE * ONE) >> 16

    inside = ((source_x | source_y) & ~(SIZE - 1)) == 0  # both in 0 .. 31, in one test
    index = ((source_y & (SIZE - 1)) * SIZE + (source_x & (SIZE - 1))).reshape(m, SIZE * SIZE)
    taken = np.take_along_axis(images.reshape(m, SIZE * SIZE), index, axis=1).reshape(images.shape)
    return np.asarray(taken * inside, np.uint8)


def distort(images: NDArray[np.uint8], u: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Upstream crnn-ctc's distortion, of single digits.

    A rotation by up to 15 degrees; then, on its result, an affine map: rotation by up to 10
    degrees, translation by up to 10 % (whole pixels), scale 0.9 to 1.1. Nearest pixel both times.

    Args:
        images: uint8 (M, 32, 32).
        u: uniform on [0, 1), float64 (M, 5): rotation, affine rotation, x, y, scale.
    """
    either = 2 * u - 1
    turned = warp(images, either[:, 0] * _ROTATION)
    return warp(
        turned,
        either[:, 1] * _AFFINE_ROTATION,
        _SCALE[0] + u[:, 4] * (_SCALE[1] - _SCALE[0]),
        np.rint(either[:, 2:4] * _TRANSLATION).astype(np.int64),
    )
