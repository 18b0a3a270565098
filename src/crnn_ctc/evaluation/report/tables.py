"""Tables of the page: accuracy by group, and the confusion matrix."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crnn_ctc.evaluation.metrics import Metrics
from crnn_ctc.evaluation.result import Result

_MOST_CHARACTERS = 20
"""Maximum number of rows and columns, for legibility."""


@dataclass(frozen=True)
class GroupRow:
    """A group's accuracy, as numbers and as a bar.

    Attributes:
        name: name of the group.
        metrics: its measures.
        low: lower end of the interval, in % of the bar's length.
        high: upper end, likewise.
        at: accuracy, likewise.
    """

    name: str
    metrics: Metrics
    low: float
    high: float
    at: float


@dataclass(frozen=True)
class GroupTable:
    """Accuracy by group.

    Attributes:
        begins: accuracy at which the bars begin, in %; they end at 100.
        rows: largest group first.
    """

    begins: float
    rows: tuple[GroupRow, ...]


def group_table(groups: Mapping[str, Metrics]) -> GroupTable:
    """Build the table, with bars from a round number below all intervals."""
    least = min(metrics.interval95[0] for metrics in groups.values())
    begins = min(90.0, math.floor(10 * least) * 10.0)

    def along(share: float) -> float:
        return round(100 * (100 * share - begins) / (100 - begins), 2)

    return GroupTable(
        begins,
        tuple(
            GroupRow(
                name,
                metrics,
                along(metrics.interval95[0]),
                along(metrics.interval95[1]),
                along(metrics.exact_match),
            )
            for name, metrics in groups.items()
        ),
    )


@dataclass(frozen=True)
class MatrixRow:
    """Confusions of one character.

    Attributes:
        truth: the character; empty for insertions.
        occurs: its count in the labels.
        counts: how often it was read as each column's character.
    """

    truth: str
    occurs: int
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Matrix:
    """Confusion matrix, without the characters that were always read correctly.

    Attributes:
        reads: characters of the columns; empty for deletions.
        rows: rows by true character.
        most: largest count.
        left_out: number of confusions that do not fit.
    """

    reads: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    most: int
    left_out: int


def confusion_matrix(result: Result) -> Matrix:
    """Build the matrix of the most frequent confusions, at most 20 x 20, in alphabet order."""
    truths: list[str] = []
    reads: list[str] = []
    held: Counter[tuple[str, str]] = Counter()
    left_out = 0
    for truth, read, count in result.confusions:
        fits = all(
            character in side or len(side) < _MOST_CHARACTERS
            for character, side in ((truth, truths), (read, reads))
        )
        if not fits:
            left_out += count
            continue
        held[truth, read] = count
        if truth not in truths:
            truths.append(truth)
        if read not in reads:
            reads.append(read)
    occurs = Counter(character for read in result.reads for character in read.picture.label)
    columns = _in_order(reads, result.card.alphabet.characters)
    return Matrix(
        tuple(columns),
        tuple(
            MatrixRow(truth, occurs[truth], tuple(held[truth, read] for read in columns))
            for truth in _in_order(truths, result.card.alphabet.characters)
        ),
        max(held.values(), default=0),
        left_out,
    )


def _in_order(characters: Sequence[str], alphabet: str) -> list[str]:
    """Sort by the alphabet; unknown characters follow, the empty string is last."""
    return sorted(characters, key=lambda c: (c == "", c not in alphabet, alphabet.find(c), c))
