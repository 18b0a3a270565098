"""Measures by group, and character confusions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rapidfuzz.distance import Levenshtein

from crnn_ctc.evaluation.metrics import Metrics, text_metrics


def by_group(
    groups: Iterable[str], texts: Sequence[str], labels: Sequence[str]
) -> dict[str, Metrics]:
    """Compute the measures of each group, largest group first.

    Args:
        groups: group name of each reading; empty for none.
        texts: texts that were read.
        labels: labels.
    """
    members: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        if group:
            members.setdefault(group, []).append(place)
    ordered = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    return {
        group: text_metrics([texts[i] for i in places], [labels[i] for i in places])
        for group, places in ordered
    }


def confusions(
    texts: Sequence[str], labels: Sequence[str], most: int | None = 10
) -> list[tuple[str, str, int]]:
    """Count confusions as (truth, read, count), most frequent first.

    Readings are aligned with their labels by the fewest edits (Levenshtein 1966); an empty truth is
    an insertion, an empty reading a deletion.

    Args:
        texts: texts that were read.
        labels: labels.
        most: maximum number of confusions; None for all.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for text, label in zip(texts, labels, strict=True):
        for edit in Levenshtein.editops(label, text):
            truth = "" if edit.tag == "insert" else label[edit.src_pos]
            read = "" if edit.tag == "delete" else text[edit.dest_pos]
            counts[truth, read] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(truth, read, count) for (truth, read), count in ordered[:most]]
