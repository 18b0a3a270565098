"""Distortion of single digits in integer arithmetic: rotation, affine map, local displacement."""

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
"""Fixed-point one: integer coordinates are the same on every machine."""


def warp(
    images: NDArray[np.uint8],
    angle: NDArray[np.float64],
    scale: NDArray[np.float64] | float = 1.0,
    shift: NDArray[np.int64] | int = 0,
    shear: NDArray[np.float64] | float = 0.0,
    displacement: NDArray[np.int32] | None = None,
) -> NDArray[np.uint8]:
    """Apply an affine map about the centre: nearest neighbour, black outside.

    Each output pixel p is taken from A (p - centre - shift) + centre + displacement(p), where A
    undoes the rotation, scale and shear.

    Args:
        images: uint8 (M, 32, 32).
        angle: degrees, clockwise (M,).
        scale: magnification (M,); 1 keeps the size.
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

    # twice the offset of a pixel's centre from the image centre, which is an integer
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

    inside = ((source_x | source_y) & ~(SIZE - 1)) == 0  # tests both for 0 to 31
    index = ((source_y & (SIZE - 1)) * SIZE + (source_x & (SIZE - 1))).reshape(m, SIZE * SIZE)
    taken = np.take_along_axis(images.reshape(m, SIZE * SIZE), index, axis=1).reshape(images.shape)
    return np.asarray(taken * inside, np.uint8)


def distort(images: NDArray[np.uint8], u: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Apply upstream crnn-ctc's distortion to single digits.

    Rotation by up to 15 degrees, followed by an affine map: rotation by up to 10 degrees,
    translation by up to 10 % (whole pixels), scale 0.9 to 1.1. Nearest neighbour both times.

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
