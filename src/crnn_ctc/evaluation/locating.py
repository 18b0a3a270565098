"""Measures of detection: recall and precision by box, and corner errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.find.decoding import LocatedPlate, box_iou

IOUS = (0.5, 0.7)
"""IoU thresholds of the bounding boxes from which a plate counts as found."""


@dataclass
class LocatingCount:
    """Accumulated detection results.

    Attributes:
        plates: plates that there are.
        claims: plates that were claimed.
        hits: for each of ``IOUS``, plates that were found; each by one claim at most.
        overlap: sum of the IoU of each plate with its claim, 0 where there is none.
        errors: for each plate found at the least IoU whose corners are known, the mean distance of
            the corners in parts of the plate's height.
    """

    plates: int = 0
    claims: int = 0
    hits: list[int] = field(default_factory=lambda: [0] * len(IOUS))
    overlap: float = 0.0
    errors: list[float] = field(default_factory=list)

    def add(
        self,
        found: Sequence[LocatedPlate],
        plates: Sequence[NDArray[np.float32]],
        exact: Sequence[bool],
        ignored: Sequence[NDArray[np.float32]] = (),
    ) -> None:
        """Count one picture; claims on ``ignored`` plates count neither way."""
        self.plates += len(plates)
        pairs = matches(found, plates)
        for _, iou in pairs.values():
            self.overlap += iou
            for level, least in enumerate(IOUS):
                self.hits[level] += iou >= least
        for place, one in enumerate(found):
            if place in pairs and pairs[place][1] >= IOUS[0]:
                self.claims += 1
                k = pairs[place][0]
                if exact[k]:
                    self.errors.append(corner_error(one.corners, plates[k]))
            elif not any(box_iou(one.corners, other) > 0.2 for other in ignored):
                self.claims += 1

    @property
    def numbers(self) -> dict[str, float]:
        """Recall and precision at each IoU, mean IoU, and the median corner error."""
        out = {}
        for least, hits in zip(IOUS, self.hits, strict=True):
            out[f"recall_{least}"] = hits / max(self.plates, 1)
            out[f"precision_{least}"] = hits / max(self.claims, 1)
        out["mean_iou"] = self.overlap / max(self.plates, 1)
        out["corner_error"] = float(np.mean(self.errors)) if self.errors else float("nan")
        return out


def matches(
    found: Sequence[LocatedPlate], plates: Sequence[NDArray[np.float32]]
) -> dict[int, tuple[int, float]]:
    """For each claim that overlaps a plate, that plate and the IoU: best pairs first, each once."""
    pairs = sorted(
        (
            (-box_iou(one.corners, plate), i, k)
            for i, one in enumerate(found)
            for k, plate in enumerate(plates)
        ),
    )
    out: dict[int, tuple[int, float]] = {}
    taken: set[int] = set()
    for negative, i, k in pairs:
        if negative < 0 and i not in out and k not in taken:
            out[i] = (k, -negative)
            taken.add(k)
    return out


def corner_error(found: NDArray[np.float32], plate: NDArray[np.float32]) -> float:
    """Mean distance of the four corners in parts of the plate's height."""
    height = (np.linalg.norm(plate[3] - plate[0]) + np.linalg.norm(plate[2] - plate[1])) / 2
    return float(np.linalg.norm(found - plate, axis=1).mean() / max(float(height), 1e-6))
