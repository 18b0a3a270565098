"""Rows of digits: single digits distorted and laid side by side.

Two fixed test sets, the same on every machine (:func:`protocol`), and endless training batches
(:class:`SequenceSource`), made by one function (:func:`distort`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.digits import Digits
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.distortion import ONE, SIZE, distort, warp

Protocol = Literal["clean", "distorted"]

PROTOCOL_SIZE = 5_000
PROTOCOL_DIGITS = 5
_PROTOCOL_SEED = 20_240_101


def rows(digits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay digits side by side: uint8 (N, S, 32, 32) to (N, 32, 32 S, 1)."""
    n, s = digits.shape[:2]
    return digits.transpose(0, 2, 1, 3).reshape(n, SIZE, s * SIZE, 1)


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
        displacement = (_SMOOTH @ pushes @ _SMOOTH.T * ONE).astype(np.int32)
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
