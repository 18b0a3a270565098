"""Text measures: exact match with interval, character error rate, accuracy by position."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True)
class Metrics:
    """Measures of N readings against N labels.

    Attributes:
        n: number of readings.
        exact_match: fraction of texts without errors.
        interval95: 95 % Wilson score interval of ``exact_match`` (Wilson 1927).
        cer: character error rate: edit distance over label characters.
        by_position: accuracy at each character position, of readings as long as their label; empty
            if there are none.
    """

    n: int
    exact_match: float
    interval95: tuple[float, float]
    cer: float
    by_position: list[float]


def text_metrics(texts: Sequence[str], labels: Sequence[str]) -> Metrics:
    """Compare readings with their labels, in order.

    Raises:
        ValueError: the two differ in length, or are empty.
    """
    if not labels:
        raise ValueError("there is nothing to measure")
    pairs = list(zip(texts, labels, strict=True))
    right = sum(text == label for text, label in pairs)
    edits = sum(Levenshtein.distance(text, label) for text, label in pairs)
    aligned = [(text, label) for text, label in pairs if len(text) == len(label)]
    by_position = []
    for place in range(max((len(label) for _, label in aligned), default=0)):
        here = [text[place] == label[place] for text, label in aligned if place < len(label)]
        by_position.append(sum(here) / len(here))
    return Metrics(
        n=len(pairs),
        exact_match=right / len(pairs),
        interval95=wilson(right, len(pairs)),
        cer=edits / max(1, sum(len(label) for label in labels)),
        by_position=by_position,
    )


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927), 95 % by default."""
    p = right / n
    centre = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # if all or none are right, one bound equals p up to rounding
    return max(0.0, min(p, (centre - spread) / scale)), min(1.0, max(p, (centre + spread) / scale))
