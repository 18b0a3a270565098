"""Measures of detection: recall and precision by box, and corner errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.find.decoding import LocatedPlate, box_iou

IOUS = (0.5, 0.7)
"""Bounding-box IoU thresholds above which a plate counts as found."""


@dataclass
class LocatingCount:
    """Accumulated detection results.

    Attributes:
        plates: number of ground-truth plates.
        claims: number of detections.
        hits: number of plates found at each of ``IOUS``; a detection matches at most one plate.
        overlap: sum over plates of the IoU with their detection, 0 for missed plates.
        errors: mean corner error, as a fraction of the plate's height, of each plate found at the
            lowest IoU whose corners are known.
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
        """Count one picture; detections of ``ignored`` plates are not counted."""
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
    """Match detections to plates one to one, best IoU first: {detection: (plate, IoU)}."""
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
    """Mean distance of the four corners, as a fraction of the plate's height."""
    height = (np.linalg.norm(plate[3] - plate[0]) + np.linalg.norm(plate[2] - plate[1])) / 2
    return float(np.linalg.norm(found - plate, axis=1).mean() / max(float(height), 1e-6))
