"""Whether a confidence can be trusted: calibration, what it costs to answer less, rejection.

Every function takes confidences from 0 to 1, and whether each reading was right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15
"""Bins of the calibration error, as in Guo et al. 2017."""

_LEAST = 1e-300  # of a probability whose logarithm is taken


@dataclass(frozen=True)
class Bin:
    """Readings whose confidences are alike.

    Attributes:
        n: how many.
        confidence: their mean one.
        accuracy: fraction that is right.
    """

    n: int
    confidence: float
    accuracy: float


def reliability(confidences: ArrayLike, right: ArrayLike, bins: int = BINS) -> list[Bin]:
    """Readings by confidence in ``bins`` equal steps of it; empty bins are left out.

    What a reliability diagram shows (DeGroot and Fienberg 1983; Guo et al. 2017, section 2).
    """
    scores, good = _arrays(confidences, right)
    places = np.minimum((scores * bins).astype(np.int64), bins - 1)
    return [
        Bin(int(here.sum()), float(scores[here].mean()), float(good[here].mean()))
        for here in (places == k for k in range(bins))
        if here.any()
    ]


def expected_calibration_error(confidences: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """ECE: how far confidence and accuracy lie apart, on average (Guo et al. 2017, equation 3)."""
    rows = reliability(confidences, right, bins)
    n = sum(row.n for row in rows)
    return sum(row.n * abs(row.confidence - row.accuracy) for row in rows) / n


def risk_coverage(
    confidences: ArrayLike, right: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What share is wrong when only the most confident are answered (El-Yaniv and Wiener 2010).

    Returns:
        coverage (N,), k / N for the k most confident, and risk (N,), the wrong share of those
        k. Readings of one confidence are answered together or not at all, and count with their
        mean.
    """
    scores, good = _arrays(confidences, right)
    order = np.argsort(-scores, kind="stable")
    scores, wrong = scores[order], 1 - good[order]
    # within a tie, any order is as good as another: spread its errors evenly
    _, first, counts = np.unique(-scores, return_index=True, return_counts=True)
    for start, count in zip(first.tolist(), counts.tolist(), strict=True):
        wrong[start : start + count] = wrong[start : start + count].mean()
    n = np.arange(1, len(scores) + 1)
    return n / len(scores), np.cumsum(wrong) / n


def area_under_risk_coverage(confidences: ArrayLike, right: ArrayLike) -> float:
    """AURC: the share that is wrong, averaged over all coverages (Geifman et al. 2019, section 2).

    0 where nothing is wrong; low where what is wrong has the lowest confidences.
    """
    return float(risk_coverage(confidences, right)[1].mean())


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold gives.

    Attributes:
        threshold: readings at or above it are answered.
        coverage: fraction that is answered.
        risk: fraction of those that is wrong.
        answered: how many are answered.
        wrong: how many of those are wrong.
    """

    threshold: float
    coverage: float
    risk: float
    answered: int
    wrong: int


def at_threshold(confidences: ArrayLike, right: ArrayLike, threshold: float) -> OperatingPoint:
    """What answering from ``threshold`` on gives."""
    scores, good = _arrays(confidences, right)
    answered = scores >= threshold
    risk = float(1 - good[answered].mean()) if answered.any() else 0.0
    n, wrong = int(answered.sum()), int((1 - good[answered]).sum())
    return OperatingPoint(threshold, float(answered.mean()), risk, n, wrong)


def threshold_for_coverage(confidences: ArrayLike, coverage: float) -> float:
    """The highest threshold that still answers ``coverage`` of the pictures."""
    scores = np.sort(np.asarray(confidences, np.float64))[::-1]
    return float(scores[max(0, math.ceil(coverage * len(scores)) - 1)])


def threshold_for_risk(confidences: ArrayLike, right: ArrayLike, most: float) -> float | None:
    """The lowest threshold at which at most the share ``most`` of what is answered is wrong.

    None where even the most confident readings have more.
    """
    scores, good = _arrays(confidences, right)
    order = np.argsort(-scores, kind="stable")
    scores, wrong = scores[order], np.cumsum(1 - good[order])
    # readings of one confidence are answered together
    ends = np.append(scores[1:] != scores[:-1], True)
    held = np.flatnonzero(ends & (wrong / np.arange(1, len(scores) + 1) <= most))
    return float(scores[held[-1]]) if held.size else None


def auroc(accepted: ArrayLike, rejected: ArrayLike) -> float:
    """Chance that a picture to be read has a higher confidence than one to be refused.

    The area under the receiver operating characteristic, as Mann and Whitney's U; ties count half.
    """
    high, low = np.asarray(accepted, np.float64), np.sort(np.asarray(rejected, np.float64))
    below = np.searchsorted(low, high, "left")
    level = np.searchsorted(low, high, "right") - below
    return float((below + level / 2).mean() / len(low))


def _arrays(
    confidences: ArrayLike, right: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    scores, good = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    if scores.shape != good.shape or not scores.size:
        raise ValueError("give one confidence, and whether it was right, for each of the readings")
    return scores, good
