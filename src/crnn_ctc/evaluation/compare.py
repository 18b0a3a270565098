"""Comparison of two contenders on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from crnn_ctc.evaluation.evaluate import group_names
from crnn_ctc.evaluation.read import Read
from crnn_ctc.evaluation.result import Result
from crnn_ctc.plates import scheme_of


@dataclass(frozen=True)
class Paired:
    """Paired outcomes of two contenders.

    Attributes:
        both: pictures that both read correctly.
        only_a: pictures that only the first read correctly.
        only_b: pictures that only the second read correctly.
        neither: pictures that neither read correctly.
    """

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def n(self) -> int:
        """Number of pictures."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def difference(self) -> float:
        """Accuracy of the second minus that of the first."""
        return (self.only_b - self.only_a) / self.n

    @property
    def p(self) -> float:
        """P-value; see :func:`mcnemar`."""
        return mcnemar(self.only_a, self.only_b)

    def as_json(self) -> dict[str, Any]:
        """Counts, difference and p-value."""
        return {"n": self.n, **asdict(self), "difference": self.difference, "p": self.p}


@dataclass(frozen=True)
class Comparison:
    """Two results on the same pictures.

    Attributes:
        a: first result.
        b: second result.
        paired: paired outcomes of all pictures.
        groups: paired outcomes by attribute and value, for attributes with several values.
    """

    a: Result
    b: Result
    paired: Paired
    groups: dict[str, dict[str, Paired]]

    @property
    def differing(self) -> list[tuple[Read, Read]]:
        """Pictures that only one reads correctly, most confident first."""
        pairs = [
            (one, other)
            for one, other in zip(self.a.reads, self.b.reads, strict=True)
            if one.text != other.text
        ]
        return sorted(
            pairs,
            key=lambda pair: (
                not (pair[0].right or pair[1].right),
                -max(read.confidence for read in pair if not read.right),
            ),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the JSON output."""
        return {
            "a": {"name": self.a.name, **self.a.as_json()},
            "b": {"name": self.b.name, **self.b.as_json()},
            "paired": self.paired.as_json(),
            **{
                f"by_{name}": {key: paired.as_json() for key, paired in groups.items()}
                for name, groups in self.groups.items()
            },
        }


def compare(a: Result, b: Result) -> Comparison:
    """Compare two results.

    Raises:
        ValueError: the results are of different pictures.
    """
    if [read.picture.name for read in a.reads] != [read.picture.name for read in b.reads]:
        raise ValueError("the two did not read the same pictures")
    outcomes = [(one.right, other.right) for one, other in zip(a.reads, b.reads, strict=True)]
    groups: dict[str, dict[str, Paired]] = {}
    scheme = scheme_of(a.card.alphabet, a.card.plates) or scheme_of(b.card.alphabet, b.card.plates)
    for name, values in group_names(a.reads, scheme).items():
        members: dict[str, list[tuple[bool, bool]]] = {}
        for value, outcome in zip(values, outcomes, strict=True):
            if value:
                members.setdefault(value, []).append(outcome)
        if len(members) > 1:
            ordered = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
            groups[name] = {value: paired(found) for value, found in ordered}
    return Comparison(a, b, paired(outcomes), groups)


def paired(outcomes: Sequence[tuple[bool, bool]]) -> Paired:
    """Count the paired outcomes."""
    return Paired(
        both=outcomes.count((True, True)),
        only_a=outcomes.count((True, False)),
        only_b=outcomes.count((False, True)),
        neither=outcomes.count((False, False)),
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """The p-value of McNemar's exact two-sided test (1947).

    Under the null hypothesis, a picture that only one contender reads correctly is equally likely
    to be either's, so the count is binomial with probability 1/2.
    """
    n = only_a + only_b
    # integers, divided once: no accumulated rounding and no underflow
    tail, ways = 0, 1
    for k in range(min(only_a, only_b) + 1):
        tail += ways
        ways = ways * (n - k) // (k + 1)
    p: float = 2 * tail / 2**n
    return min(1.0, p)
