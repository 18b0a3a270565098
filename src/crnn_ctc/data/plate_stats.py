"""Statistics of a labelled set, and its near-duplicates."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path, PurePath

import numpy as np

from crnn_ctc.data.label_tally import LabelTally
from crnn_ctc.data.labelled import LabelError, read_labelled
from crnn_ctc.data.near_duplicates import NEAR, difference_hash, near_pairs
from crnn_ctc.errors import InputError
from crnn_ctc.image import SUFFIXES, load
from crnn_ctc.plates.china import CHINA
from crnn_ctc.plates.schemes import text_label

_SHOWN = 20


@dataclass
class NearDuplicates:
    """Pairs of pictures in two splits whose hashes are at most ``NEAR`` bits apart.

    CCPD, for example, has the same vehicles in training and test, which inflates accuracy on the
    test split (Laroca et al. 2023, arXiv 2304.04653).

    Attributes:
        same: number of pairs with the same text: most likely the same plate photographed twice.
        other: number of pairs with different texts: similar plates, or a wrong label.
        pictures: number of pictures with at least one partner of the same text in the other split.
        examples: a few pairs of paths, those with the same text first.
    """

    same: int = 0
    other: int = 0
    pictures: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Statistics:
    """Counts over a labelled set.

    Attributes:
        normalise: normalisation of labels, as in training.
        tally: sources of the labels.
        pictures: number of pictures that were read.
        faults: one line per unreadable picture.
        texts: counts of labels; about 100 bytes each.
        lengths: lengths of labels, in characters.
        provinces: first characters that are provinces; others as ``other``.
        characters: characters of all labels.
        sizes: width and height, in pixels.
        attributes: counts of each value of colour, kind, subset, split and source.
    """

    normalise: Callable[[str], str] = text_label
    tally: LabelTally = field(default_factory=LabelTally)
    pictures: int = 0
    faults: list[str] = field(default_factory=list)
    texts: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    provinces: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    attributes: dict[str, Counter[str]] = field(default_factory=dict)
    _hashes: array[int] = field(default_factory=lambda: array("Q"), repr=False)
    _paths: list[str] = field(default_factory=list, repr=False)
    _labels: list[tuple[str, str]] = field(default_factory=list, repr=False)

    def add(self, source: Path) -> Iterator[None]:
        """Count the pictures of a folder or manifest, yielding once per picture.

        Raises:
            InputError: the source cannot be read at all.
        """

        def report(error: LabelError) -> None:
            self.faults.append(str(error))

        for item in self.tally.watch(source, read_labelled(source, report, self.normalise)):
            try:
                image = load(item.path)
            except InputError as error:
                self.faults.append(f"{item.where}: {error}" if item.line else str(error))
                yield
                continue
            self.pictures += 1
            self.texts[item.text] += 1
            self.lengths[len(item.text)] += 1
            self.provinces[CHINA.region(item.text)] += 1
            self.characters.update(item.text)
            self.sizes[image.shape[1], image.shape[0]] += 1
            for name in ("colour", "kind", "subset", "split", "source"):
                value = item.attributes.get(name)
                # CCPD's source names a single picture and is not a group
                if value and PurePath(value).suffix.lower() not in SUFFIXES:
                    self.attributes.setdefault(name, Counter())[value] += 1
            self._hashes.append(difference_hash(image))
            self._paths.append(str(item.path))
            self._labels.append((item.attributes.get("split", ""), item.text))
            yield

    def shared_labels(self) -> dict[tuple[str, str], int]:
        """Number of labels that each pair of splits shares."""
        splits_of: dict[str, set[str]] = {}
        for split, text in self._labels:
            splits_of.setdefault(text, set()).add(split)
        splits = sorted(self.attributes.get("split", ()))
        return {
            (a, b): sum(a in found and b in found for found in splits_of.values())
            for a, b in combinations(splits, 2)
        }

    def near_duplicates(self) -> dict[tuple[str, str], NearDuplicates]:
        """Near-duplicates of each pair of splits; empty for a single split."""
        groups: dict[int, list[int]] = {}
        for i, value in enumerate(self._hashes):
            groups.setdefault(value, []).append(i)
        unique = np.fromiter(groups, np.uint64, len(groups))
        members = list(groups.values())
        found: dict[tuple[str, str], NearDuplicates] = {}
        partnered: dict[tuple[str, str], set[int]] = {}
        pairs = [(i, i) for i, group in enumerate(members) if len(group) > 1]
        for a, b in [*pairs, *near_pairs(unique, NEAR).tolist()]:
            for i in members[a]:
                for j in members[b]:
                    self._pair(i, j, a == b, found, partnered)
        for splits, pictures in partnered.items():
            found[splits].pictures = len(pictures)
        return dict(sorted(found.items()))

    def _pair(
        self,
        i: int,
        j: int,
        once: bool,
        found: dict[tuple[str, str], NearDuplicates],
        partnered: dict[tuple[str, str], set[int]],
    ) -> None:
        (split, text), (other_split, other_text) = self._labels[i], self._labels[j]
        # pairs within one hash occur in both orders
        if split == other_split or not split or not other_split or (once and i > j):
            return
        splits = (split, other_split) if split < other_split else (other_split, split)
        entry = found.setdefault(splits, NearDuplicates())
        if text != other_text:
            entry.other += 1
            if len(entry.examples) < _SHOWN:
                entry.examples.append((self._paths[i], self._paths[j]))
            return
        entry.same += 1
        if entry.same <= _SHOWN:
            entry.examples.insert(0, (self._paths[i], self._paths[j]))
            del entry.examples[_SHOWN:]
        partnered.setdefault(splits, set()).update((i, j))
