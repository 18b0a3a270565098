"""Measures of confidence: calibration, risk and coverage, rejection.

The functions take confidences from 0 to 1 and whether each reading is correct.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15
"""Bins of the calibration error, as in Guo et al. 2017."""

_LEAST = 1e-300  # floor of probabilities before taking the logarithm


@dataclass(frozen=True)
class Bin:
    """A bin of a reliability diagram.

    Attributes:
        n: number of readings.
        confidence: mean confidence.
        accuracy: fraction of correct readings.
    """

    n: int
    confidence: float
    accuracy: float


def reliability(confidences: ArrayLike, right: ArrayLike, bins: int = BINS) -> list[Bin]:
    """Bin readings by confidence into ``bins`` bins of equal width; empty bins are omitted.

    Data of a reliability diagram (DeGroot and Fienberg 1983; Guo et al. 2017, section 2).
    """
    scores, good = _arrays(confidences, right)
    places = np.minimum((scores * bins).astype(np.int64), bins - 1)
    return [
        Bin(int(here.sum()), float(scores[here].mean()), float(good[here].mean()))
        for here in (places == k for k in range(bins))
        if here.any()
    ]


def expected_calibration_error(confidences: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """ECE: mean gap between confidence and accuracy (Guo et al. 2017, equation 3)."""
    rows = reliability(confidences, right, bins)
    n = sum(row.n for row in rows)
    return sum(row.n * abs(row.confidence - row.accuracy) for row in rows) / n


def risk_coverage(
    confidences: ArrayLike, right: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Risk-coverage curve, answering the most confident first (El-Yaniv and Wiener 2010).

    Returns:
        coverage (N,), k / N for the k most confident, and risk (N,), the error rate of those k.
        Readings with equal confidence each count with their mean error.
    """
    scores, good = _arrays(confidences, right)
    order = np.argsort(-scores, kind="stable")
    scores, wrong = scores[order], 1 - good[order]
    # the order within a tie is arbitrary: spread its errors evenly
    _, first, counts = np.unique(-scores, return_index=True, return_counts=True)
    for start, count in zip(first.tolist(), counts.tolist(), strict=True):
        wrong[start : start + count] = wrong[start : start + count].mean()
    n = np.arange(1, len(scores) + 1)
    return n / len(scores), np.cumsum(wrong) / n


def area_under_risk_coverage(confidences: ArrayLike, right: ArrayLike) -> float:
    """AURC: the risk averaged over all coverages (Geifman et al. 2019, section 2).

    0 without errors; low if errors have low confidences.
    """
    return float(risk_coverage(confidences, right)[1].mean())


@dataclass(frozen=True)
class OperatingPoint:
    """Coverage and risk at a threshold.

    Attributes:
        threshold: readings at or above it are answered.
        coverage: fraction of readings that are answered.
        risk: error rate of the answered readings.
        answered: number of answered readings.
        wrong: number of wrong readings among them.
    """

    threshold: float
    coverage: float
    risk: float
    answered: int
    wrong: int


def at_threshold(confidences: ArrayLike, right: ArrayLike, threshold: float) -> OperatingPoint:
    """Compute coverage and risk at a threshold."""
    scores, good = _arrays(confidences, right)
    answered = scores >= threshold
    risk = float(1 - good[answered].mean()) if answered.any() else 0.0
    n, wrong = int(answered.sum()), int((1 - good[answered]).sum())
    return OperatingPoint(threshold, float(answered.mean()), risk, n, wrong)


def threshold_for_coverage(confidences: ArrayLike, coverage: float) -> float:
    """The highest threshold with at least the given coverage."""
    scores = np.sort(np.asarray(confidences, np.float64))[::-1]
    return float(scores[max(0, math.ceil(coverage * len(scores)) - 1)])


def threshold_for_risk(confidences: ArrayLike, right: ArrayLike, most: float) -> float | None:
    """The lowest threshold with a risk of at most ``most``.

    None if no threshold reaches it.
    """
    scores, good = _arrays(confidences, right)
    order = np.argsort(-scores, kind="stable")
    scores, wrong = scores[order], np.cumsum(1 - good[order])
    # readings with equal confidence are answered together
    ends = np.append(scores[1:] != scores[:-1], True)
    held = np.flatnonzero(ends & (wrong / np.arange(1, len(scores) + 1) <= most))
    return float(scores[held[-1]]) if held.size else None


def auroc(accepted: ArrayLike, rejected: ArrayLike) -> float:
    """AUROC: probability that a picture with text has a higher confidence than one without.

    Computed as the Mann-Whitney U statistic; ties count half.
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
