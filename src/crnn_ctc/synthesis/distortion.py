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


_KNOTS = 4
"""Random displacements along each side of a digit, interpolated bilinearly between."""

BEND_DRAWS = 1 + 2 * _KNOTS**2
"""Number of columns of ``u`` in :func:`bend`."""

_places = np.linspace(0, _KNOTS - 1, SIZE, dtype=np.float32)
_SMOOTH = np.maximum(0, 1 - np.abs(_places[:, None] - np.arange(_KNOTS, dtype=np.float32)))

_FROM_CENTRE = np.arange(SIZE, dtype=np.float32) - np.float32((SIZE - 1) / 2)


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


def bend(
    images: NDArray[np.uint8],
    u: NDArray[np.float64],
    pen: NDArray[np.float64],
    elastic: float,
    shear: float,
    stretch: float,
    stroke: float,
) -> NDArray[np.uint8]:
    """Imitate another writer: change the stroke width of digits, warp, stretch and slant them.

    Args:
        images: uint8 (M, 32, 32).
        u: uniform on [0, 1), float64 (M, BEND_DRAWS): slant, local displacements.
        pen: uniform on [0, 1), float64 (M, 3): change of width, of height, of the stroke.
        elastic: maximum smooth local displacement, pixels (Simard et al. 2003).
        shear: maximum slant, pixels of x per pixel of y, in either direction.
        stretch: maximum relative change of width and of height, independently.
        stroke: maximum change of the stroke; see :func:`thicken`.
    """
    either = (2 * u - 1).astype(np.float32)
    pen = (2 * pen - 1).astype(np.float32)
    if stroke:
        images = thicken(images, (pen[:, 2] * stroke).astype(np.float32))
    pushes = either[:, 1:].reshape(-1, 2, _KNOTS, _KNOTS) * np.float32(elastic)
    moved = _SMOOTH @ pushes @ _SMOOTH.T
    if stretch:
        stretched = pen[:, :2, None] * np.float32(stretch) * _FROM_CENTRE
        moved[:, 0] += stretched[:, 0, None, :]
        moved[:, 1] += stretched[:, 1, :, None]
    displacement = (moved * ONE).astype(np.int32)
    return warp(
        images,
        np.zeros(len(images)),
        shear=either[:, 0].astype(np.float64) * shear,
        displacement=displacement,
    )


def thicken(images: NDArray[np.uint8], amount: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Thicken or thin light strokes.

    Args:
        images: uint8 (M, 32, 32).
        amount: float32 (M,), -1 to 1: interpolates each pixel to the maximum of itself and its
            four neighbours, or below 0 to the minimum.
    """
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = (padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:])
    end = images.copy()
    more = amount > 0
    for neighbours in around:
        end[more] = np.maximum(end[more], neighbours[more])
        end[~more] = np.minimum(end[~more], neighbours[~more])
    share = np.abs(amount)[:, None, None]
    return np.asarray(images + share * (end.astype(np.float32) - images), np.uint8)
