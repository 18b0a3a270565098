"""Rows of digits: distorted single digits side by side.

Two fixed test sets, the same on every machine (:func:`protocol`), and unlimited training batches
(:class:`SequenceSource`), with the same distortion (:func:`distort`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.digits import Digits
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.distortion import BEND_DRAWS, SIZE, bend, distort

Protocol = Literal["clean", "distorted"]

PROTOCOL_SIZE = 5_000
PROTOCOL_DIGITS = 5
_PROTOCOL_SEED = 20_240_101


def rows(digits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Concatenate digits horizontally: uint8 (N, S, 32, 32) to (N, 32, 32 S, 1)."""
    n, s = digits.shape[:2]
    return digits.transpose(0, 2, 1, 3).reshape(n, SIZE, s * SIZE, 1)


def protocol(
    digits: Digits,
    name: Protocol,
    size: int = PROTOCOL_SIZE,
    per_sequence: int = PROTOCOL_DIGITS,
) -> tuple[NDArray[np.uint8], list[str]]:
    """Compose a fixed test set of ``size`` rows of digits drawn from ``digits``.

    ``clean`` and ``distorted`` have the same digits in the same order.

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
    """Convert labels (N, S), 0 to 9, to N texts of S characters."""
    return ["".join(map(str, row)) for row in labels.tolist()]


@dataclass(frozen=True)
class SequenceSource:
    """Training batches that depend only on seed and step.

    In a share of the distorted rows, digits are also slanted, stretched, warped and drawn with
    another stroke width before the distortion of the test set, as writers vary more than the
    training digits.

    Args:
        digits: digits that rows are composed of.
        per_sequence: digits per row, S.
        seed: random seed of the run.
        clean: share of the rows that are not distorted.
        elastic: maximum smooth local displacement, pixels (Simard et al. 2003).
        shear: maximum slant, pixels of x per pixel of y, in either direction.
        bent: share of the distorted rows with these changes.
        stretch: maximum relative change of width and of height, independently.
        stroke: maximum change of the stroke: 1 adds or removes a pixel on either side.
    """

    digits: Digits
    per_sequence: int
    seed: int
    clean: float = 0.0
    elastic: float = 0.0
    shear: float = 0.0
    bent: float = 0.5
    stretch: float = 0.0
    stroke: float = 0.0

    @property
    def pictures(self) -> int:
        """Number of digits."""
        return len(self.digits)

    def batch(
        self, step: int, size: int, part: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], list[str]]:
        """Batch ``step``, or the ``part`` of it for one of several processes.

        Returns:
            images uint8 (n, 32, 32 S, 1) and n texts.
        """
        u = uniforms(self.seed, step, (size, self.per_sequence, 8 + BEND_DRAWS))[part]
        n, s = u.shape[:2]
        chosen = (u[..., 0] * len(self.digits)).astype(np.int64)
        single = self.digits.images[chosen].reshape(-1, SIZE, SIZE)
        distorted = np.repeat(u[:, 0, 6] >= self.clean, s)  # per row
        bent = distorted & np.repeat(u[:, 0, 7] < self.bent, s)
        flat = u.reshape(n * s, -1)
        if self.elastic or self.shear:
            # a separate stream, so that recipes without these draw the same numbers as before
            pen = uniforms(self.seed, _PENS + step, (size, self.per_sequence, 3))[part]
            single[bent] = bend(
                single[bent],
                flat[bent, 8:],
                pen.reshape(n * s, 3)[bent],
                self.elastic,
                self.shear,
                self.stretch,
                self.stroke,
            )
        single[distorted] = distort(single[distorted], flat[distorted, 1:6])
        return rows(single.reshape(n, s, SIZE, SIZE)), texts(self.digits.labels[chosen])


_PENS = 2**40
"""First random stream of stretch and stroke, beyond the steps of any run."""
