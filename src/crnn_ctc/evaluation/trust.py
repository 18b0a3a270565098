"""Measures of the confidences of one evaluation: calibration, thresholds, rejection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crnn_ctc.evaluation.confidence import (
    Bin,
    OperatingPoint,
    area_under_risk_coverage,
    at_threshold,
    auroc,
    expected_calibration_error,
    reliability,
    threshold_for_coverage,
    threshold_for_risk,
)
from crnn_ctc.evaluation.read import Read

COVERAGES = (0.95, 0.99)
"""Coverages whose thresholds are reported."""

LEAST_WRONG = 0.002
"""Maximum risk whose threshold is reported: about the error rate of a person."""

THRESHOLDS = (0.5, 0.9, 0.95, 0.99)
"""Round thresholds that are reported."""


@dataclass(frozen=True)
class NamedPoint:
    """An operating point and the rule that chose it.

    Attributes:
        rule: such as ``answers 95 %``.
        point: coverage and risk; None if no threshold satisfies the rule.
    """

    rule: str
    point: OperatingPoint | None


@dataclass(frozen=True)
class Trust:
    """Measures of the confidences of one evaluation.

    Attributes:
        ece: expected calibration error, from 0 to 1.
        aurc: area under the risk-coverage curve, from 0 to 1.
        reliability: accuracy by confidence, for a reliability diagram.
        by_coverage: operating points at ``COVERAGES``.
        by_risk: operating point with the highest coverage at a risk of at most ``LEAST_WRONG``.
        by_threshold: operating points at ``THRESHOLDS``.
    """

    ece: float
    aurc: float
    reliability: tuple[Bin, ...]
    by_coverage: tuple[NamedPoint, ...]
    by_risk: NamedPoint
    by_threshold: tuple[NamedPoint, ...]

    @property
    def points(self) -> tuple[NamedPoint, ...]:
        """All operating points."""
        return (*self.by_coverage, self.by_risk, *self.by_threshold)


@dataclass(frozen=True)
class Rejection:
    """Rejection of negatives, pictures without a text of the kind.

    Attributes:
        n: number of negatives that were read.
        auroc: probability that a picture with text has a higher confidence than a negative.
        accepted: fraction of negatives that each operating point accepts.
        most_confident: negatives, most confident first.
        failed: negatives that could not be read.
    """

    n: int
    auroc: float
    accepted: dict[str, float]
    most_confident: tuple[Read, ...]
    failed: tuple[Read, ...]


def trust(reads: Sequence[Read]) -> Trust:
    """Measure the confidences of at least one reading.

    A reading without text counts as wrong, with confidence 0.
    """
    right = [read.right and read.text != "" for read in reads]
    scores = [read.confidence for read in reads]
    safe = threshold_for_risk(scores, right, LEAST_WRONG)
    return Trust(
        ece=expected_calibration_error(scores, right),
        aurc=area_under_risk_coverage(scores, right),
        reliability=tuple(reliability(scores, right)),
        by_coverage=tuple(
            NamedPoint(
                f"answers {100 * share:g} %",
                at_threshold(scores, right, threshold_for_coverage(scores, share)),
            )
            for share in COVERAGES
        ),
        by_risk=NamedPoint(
            f"at most {100 * LEAST_WRONG:g} % wrong",
            None if safe is None else at_threshold(scores, right, safe),
        ),
        by_threshold=tuple(
            NamedPoint(f"from {threshold:g} up", at_threshold(scores, right, threshold))
            for threshold in THRESHOLDS
        ),
    )


def rejection(reads: Sequence[Read], negatives: Sequence[Read], measured: Trust) -> Rejection:
    """Measure how well confidence separates pictures with text from negatives.

    Args:
        reads: readings of pictures with text.
        negatives: readings of pictures without text, some of which may have failed.
        measured: measures of ``reads``, whose operating points are applied to the negatives.

    Raises:
        ValueError: no negative could be read.
    """
    seen = [read for read in negatives if read.error is None]
    if not seen:
        raise ValueError("none of the pictures without text could be read")
    scores = [read.confidence for read in seen]
    return Rejection(
        n=len(seen),
        auroc=auroc([read.confidence for read in reads], scores),
        accepted={
            named.rule: sum(score >= named.point.threshold for score in scores) / len(scores)
            for named in measured.points
            if named.point is not None
        },
        most_confident=tuple(sorted(seen, key=lambda read: -read.confidence)),
        failed=tuple(read for read in negatives if read.error is not None),
    )
