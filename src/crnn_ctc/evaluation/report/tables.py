"""Tables of the page: accuracy by group, and what was taken for what."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crnn_ctc.evaluation.metrics import Metrics
from crnn_ctc.evaluation.result import Result

_MOST_CHARACTERS = 20
"""Rows and columns that are still legible."""


@dataclass(frozen=True)
class GroupRow:
    """A group's accuracy, and the same as a bar.

    Attributes:
        name: name of the group.
        metrics: its measures.
        low: lower end of the interval, in % of the bar's length.
        high: likewise.
        at: the accuracy, likewise.
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
        rows: the largest group first.
    """

    begins: float
    rows: tuple[GroupRow, ...]


def group_table(groups: Mapping[str, Metrics]) -> GroupTable:
    """Rows with bars from a round number below all intervals."""
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
    """What a character was taken for.

    Attributes:
        truth: the character; empty for one that is not there.
        occurs: how often it does in the labels.
        counts: how often it was read as each of the matrix's columns.
    """

    truth: str
    occurs: int
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Matrix:
    """The confusions of characters, without those that were always read.

    Attributes:
        reads: what the columns stand for; empty for a character that was missed.
        rows: by truth.
        most: the largest count.
        left_out: confusions that have no room.
    """

    reads: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    most: int
    left_out: int


def confusion_matrix(result: Result) -> Matrix:
    """The commonest confusions of at most 20 characters a side, in the alphabet's order."""
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
    """By the alphabet; what it lacks after it, and nothing last."""
    return sorted(characters, key=lambda c: (c == "", c not in alphabet, alphabet.find(c), c))
