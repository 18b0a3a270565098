"""Decoding of a locator's maps to plates: peaks, corners, non-maximum suppression (numpy)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.rectify import project

STRIDE = 8
"""Pixels per cell of the maps."""

MOST = 200
"""Maximum number of plates per picture; the least confident others are dropped."""

_OVERLAP = 0.3
"""IoU above which two boxes are the same plate."""

_INSIDE = 0.3
"""Distance of two centres, as a fraction of the box's sides, below which plates are the same."""


@dataclass(frozen=True)
class LocatedPlate:
    """A plate found in a picture.

    Attributes:
        corners: float32 (4, 2), x and y of tl, tr, br, bl as the plate is read, in pixels of the
            picture; (0, 0) is the upper left corner of its first pixel. They may lie outside of it.
        score: confidence of the locator, from 0 to 1.
    """

    corners: NDArray[np.float32]
    score: float

    def scaled(self, factor: float) -> LocatedPlate:
        """The same plate in a picture that is ``factor`` times as wide and high."""
        return LocatedPlate(self.corners * np.float32(factor), self.score)

    def mapped(self, matrix: NDArray[np.float64]) -> LocatedPlate:
        """The same plate in another picture, given the homography (3, 3) to its pixels."""
        return LocatedPlate(
            project(matrix, self.corners.astype(np.float64)).astype(np.float32), self.score
        )


def decode(
    heat: NDArray[np.float32], corners: NDArray[np.float32], threshold: float
) -> list[LocatedPlate]:
    """Decode one picture's maps to plates, most confident first.

    Args:
        heat: (h, w) in [0, 1].
        corners: (8, h, w), x and y of tl, tr, br, bl in cells from the cell's centre.
        threshold: minimum score.
    """
    h, w = heat.shape
    padded = np.pad(heat, 1, constant_values=-1)
    around = np.stack([padded[y : y + h, x : x + w] for y in range(3) for x in range(3)])
    ys, xs = np.nonzero((heat >= threshold) & (heat >= around.max(0)))
    order = np.argsort(-heat[ys, xs], kind="stable")[: 4 * MOST]
    ys, xs = ys[order], xs[order]
    if not len(ys):
        return []
    quads = _corners(heat, corners, ys, xs)
    found = [
        LocatedPlate(quad, float(heat[y, x])) for quad, y, x in zip(quads, ys, xs, strict=True)
    ]
    return suppress(found)


def _corners(
    heat: NDArray[np.float32],
    corners: NDArray[np.float32],
    ys: NDArray[np.intp],
    xs: NDArray[np.intp],
) -> NDArray[np.float32]:
    """Corners in pixels (n, 4, 2): the mean over a peak and its neighbours, weighted by heat."""
    h, w = heat.shape
    total = np.zeros((len(ys), 8), np.float32)
    weights = np.zeros((len(ys), 1), np.float32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            y, x = ys + dy, xs + dx
            inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
            y, x = y.clip(0, h - 1), x.clip(0, w - 1)
            weight = (heat[y, x] ** 2 * inside)[:, None]
            centre = np.stack([x + 0.5, y + 0.5], 1)
            total += weight * (corners[:, y, x].T + np.tile(centre, 4))
            weights += weight
    return np.asarray(total / weights * STRIDE, np.float32).reshape(-1, 4, 2)


def suppress(found: list[LocatedPlate]) -> list[LocatedPlate]:
    """Non-maximum suppression; the most confident plates first.

    Two plates are the same if their boxes overlap much, or if the centre of one lies well inside
    the box of the other.
    """
    if not found:
        return []
    ordered = sorted(found, key=lambda one: -one.score)
    quads = np.stack([one.corners for one in ordered])
    low, high, centre = quads.min(1), quads.max(1), quads.mean(1)
    size = np.maximum(high - low, 1e-6)
    kept: list[int] = []
    for k in range(len(ordered)):
        both = np.minimum(high[kept], high[k]) - np.maximum(low[kept], low[k])
        shared = np.maximum(both, 0).prod(1)
        overlap = shared / (size[kept].prod(1) + size[k].prod() - shared)
        inside = (abs((centre[k] - low[kept]) / size[kept] - 0.5) < _INSIDE).all(1)
        around = (abs((centre[kept] - low[k]) / size[k] - 0.5) < _INSIDE).all(1)
        if not ((overlap > _OVERLAP) | inside | around).any():
            kept.append(k)
            if len(kept) == MOST:
                break
    return [ordered[k] for k in kept]


def box_iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Intersection over union of the bounding boxes of two quadrilaterals (4, 2)."""
    low = np.maximum(a.min(0), b.min(0))
    high = np.minimum(a.max(0), b.max(0))
    both = float(np.prod(np.maximum(high - low, 0)))
    either = float(np.prod(np.ptp(a, axis=0)) + np.prod(np.ptp(b, axis=0))) - both
    return both / either if either > 0 else 0.0
