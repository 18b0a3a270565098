"""Rows of digits: single digits distorted and laid side by side.

Two fixed test sets, the same on every machine (:func:`protocol`), and endless training batches
(:class:`SequenceSource`), made by one function (:func:`distort`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.digits import SIZE, Digits
from crnn_ctc.rng import uniforms

Protocol = Literal["clean", "distorted"]

PROTOCOL_SIZE = 5_000
PROTOCOL_DIGITS = 5
_PROTOCOL_SEED = 20_240_101

# Upstream crnn-ctc's distortion of a digit: a rotation, then an affine map about the centre.
_ROTATION = 15.0  # degrees, either way
_AFFINE_ROTATION = 10.0  # degrees, either way
_TRANSLATION = 0.1 * SIZE  # pixels, either way, rounded to whole ones
_SCALE = (0.9, 1.1)

_ONE = 1 << 15
"""Fixed-point one: coordinates in integers are the same on every machine."""


def rows(digits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay digits side by side: uint8 (N, S, 32, 32) to (N, 32, 32 S, 1)."""
    n, s = digits.shape[:2]
    return digits.transpose(0, 2, 1, 3).reshape(n, SIZE, s * SIZE, 1)


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
        displacement: fixed-point pixels in x and y, int32 (M, 2, 32, 32); see ``_ONE``.
    """
    m = len(images)
    radians = np.deg2rad(angle)
    scale = np.broadcast_to(scale, (m,))
    shear = np.broadcast_to(shear, (m,))
    shift = np.broadcast_to(shift, (m, 2)).astype(np.int32)
    cos, sin = np.cos(radians) / scale, np.sin(radians) / scale
    a = np.stack([cos, cos * shear + sin, -sin, cos - sin * shear], axis=1)
    xx, xy, yx, yy = np.rint(a * _ONE).astype(np.int32).T[:, :, None, None]

    # twice the distance of a pixel's centre from the picture's, so that it is a whole number
    twice = 2 * np.arange(SIZE, dtype=np.int32) + 1 - SIZE
    x = (twice[None, :] - 2 * shift[:, :1])[:, None, :]
    y = (twice[None, :] - 2 * shift[:, 1:])[:, :, None]
    source_x = xx * x + xy * y
    source_y = yx * x + yy * y
    if displacement is not None:
        source_x += 2 * displacement[:, 0]
        source_y += 2 * displacement[:, 1]
    source_x = (source_x + SIZE * _ONE) >> 16
    source_y = (source_y + SIZE * _ONE) >> 16

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


def protocol(
    digits: Digits,
    name: Protocol,
    size: int = PROTOCOL_SIZE,
    per_sequence: int = PROTOCOL_DIGITS,
) -> tuple[NDArray[np.uint8], list[str]]:
    """A fixed test set of ``size`` rows of digits drawn from ``digits``.

    ``clean`` and ``distorted`` hold the same digits in the same order.

    Returns:
        images uint8 (size, 32, 32 * per_sequence, 1), and as many texts.
    """
    u = uniforms(_PROTOCOL_SEED, 0, (size, per_sequence, 6))
    chosen = (u[..., 0] * len(digits)).astype(np.int64)
    images = digits.images[chosen]
    if name == "distorted":
        flat = distort(images.reshape(-1, SIZE, SIZE), u[..., 1:].reshape(-1, 5))
        images = flat.reshape(images.shape)
    return rows(images), texts(digits.labels[chosen])


def texts(labels: NDArray[np.uint8]) -> list[str]:
    """Labels (N, S), 0 to 9, as N texts of S characters."""
    return ["".join(map(str, row)) for row in labels.tolist()]


@dataclass(frozen=True)
class SequenceSource:
    """Training batches: a function of seed and step, of nothing else.

    Half of the distorted rows have their digits slanted and bent before the distortion that the
    test has too: writers differ by more than the training digits show.

    Args:
        digits: digits that rows are composed of.
        per_sequence: digits a row, S.
        seed: random seed of the run.
        clean: share of the rows that are not distorted.
        elastic: pixels of smooth local displacement, at most, either way (Simard et al. 2003).
        shear: slant, pixels in x per pixel in y, at most, either way.
    """

    digits: Digits
    per_sequence: int
    seed: int
    clean: float = 0.0
    elastic: float = 0.0
    shear: float = 0.0

    @property
    def pictures(self) -> int:
        """How many digits there are."""
        return len(self.digits)

    def batch(
        self, step: int, size: int, part: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], list[str]]:
        """Batch ``step``, or the ``part`` of it that one of several processes trains on.

        Returns:
            images uint8 (n, 32, 32 S, 1) and n texts.
        """
        u = uniforms(self.seed, step, (size, self.per_sequence, 9 + 2 * _KNOTS**2))[part]
        n, s = u.shape[:2]
        chosen = (u[..., 0] * len(self.digits)).astype(np.int64)
        single = self.digits.images[chosen].reshape(-1, SIZE, SIZE)
        distorted = np.repeat(u[:, 0, 6] >= self.clean, s)  # a row as a whole
        bent = distorted & np.repeat(u[:, 0, 7] < 0.5, s)
        flat = u.reshape(n * s, -1)
        if self.elastic or self.shear:
            single[bent] = self._bend(single[bent], flat[bent, 8:])
        single[distorted] = distort(single[distorted], flat[distorted, 1:6])
        return rows(single.reshape(n, s, SIZE, SIZE)), texts(self.digits.labels[chosen])

    def _bend(self, images: NDArray[np.uint8], u: NDArray[np.float64]) -> NDArray[np.uint8]:
        either = (2 * u - 1).astype(np.float32)
        pushes = either[:, 1:].reshape(-1, 2, _KNOTS, _KNOTS) * np.float32(self.elastic)
        displacement = (_SMOOTH @ pushes @ _SMOOTH.T * _ONE).astype(np.int32)
        return warp(
            images,
            np.zeros(len(images)),
            shear=either[:, 0].astype(np.float64) * self.shear,
            displacement=displacement,
        )


_KNOTS = 4
"""Random pushes along each side of a digit, spread smoothly over the pixels between."""

_places = np.linspace(0, _KNOTS - 1, SIZE, dtype=np.float32)
_SMOOTH = np.maximum(0, 1 - np.abs(_places[:, None] - np.arange(_KNOTS, dtype=np.float32)))
