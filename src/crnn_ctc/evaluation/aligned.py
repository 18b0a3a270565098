"""Character alignment of a reading with its label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Levenshtein

Verdict = Literal["right", "wrong", "missed", "extra"]


@dataclass(frozen=True)
class Pair:
    """A character of the label and the character read in its place.

    Attributes:
        truth: character of the label; empty for an insertion.
        read: character that was read; empty for a deletion.
        place: index in the text that was read; None for a deletion.
    """

    truth: str
    read: str
    place: int | None

    @property
    def verdict(self) -> Verdict:
        """Correct, or the kind of error."""
        if not self.read:
            return "missed"
        if not self.truth:
            return "extra"
        return "right" if self.read == self.truth else "wrong"


def aligned(text: str, label: str) -> list[Pair]:
    """Align ``text`` with ``label`` by the fewest edits (Levenshtein 1966), from left to right."""
    pairs = []
    for block in Levenshtein.opcodes(label, text):
        reads = range(block.dest_start, block.dest_end)
        truths = label[block.src_start : block.src_end]
        for k in range(max(len(reads), len(truths))):
            place = reads[k] if k < len(reads) else None
            read = "" if place is None else text[place]
            pairs.append(Pair(truths[k] if k < len(truths) else "", read, place))
    return pairs
