"""What the confidences of one evaluation are worth, in the figures that people ask for."""

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
"""Shares to be answered."""

LEAST_WRONG = 0.002
"""The share of the answers that may be wrong where a person would do no better."""

THRESHOLDS = (0.5, 0.9, 0.95, 0.99)
"""Round thresholds, as people set them."""


@dataclass(frozen=True)
class NamedPoint:
    """An operating point and the rule that chose it.

    Attributes:
        rule: such as ``answers 95 %``.
        point: what its threshold gives; None where no threshold follows the rule.
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
        by_coverage: thresholds that answer a share of the pictures.
        by_risk: the threshold that answers most with few enough wrong.
        by_threshold: what round thresholds give.
    """

    ece: float
    aurc: float
    reliability: tuple[Bin, ...]
    by_coverage: tuple[NamedPoint, ...]
    by_risk: NamedPoint
    by_threshold: tuple[NamedPoint, ...]

    @property
    def points(self) -> tuple[NamedPoint, ...]:
        """All of them."""
        return (*self.by_coverage, self.by_risk, *self.by_threshold)


@dataclass(frozen=True)
class Rejection:
    """How well a threshold keeps out pictures that show no text of the kind.

    Attributes:
        n: how many such pictures were read.
        auroc: chance that a picture with a text has a higher confidence than one without.
        accepted: the share of those without that each operating point lets through.
        most_confident: those without, the most confident reading first.
        failed: those that could not be read.
    """

    n: int
    auroc: float
    accepted: dict[str, float]
    most_confident: tuple[Read, ...]
    failed: tuple[Read, ...]


def trust(reads: Sequence[Read]) -> Trust:
    """Measure the confidences of readings, of which there is at least one.

    A reading without text is no answer: it counts as wrong, with the confidence 0 that it has.
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
    """How far readings of texts are told from readings of pictures that show none.

    Args:
        reads: readings of pictures with a text.
        negatives: readings of pictures without, some of which may not have been readable.
        measured: measures of ``reads``: how many negatives each operating point lets through.

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
