"""Sources of a set's labels, and warnings about them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from crnn_ctc.data.labelled import Labelled

RARE = 5
"""Number of occurrences below which characters are hardly learnt."""

_SHOWN = 10

# file names given by cameras, programs and exports, not labels
_FILE_NAME = re.compile(
    r"(img|image|dsc[nf]?|dcim|pic|photo|picture|frame|crop|plate|scan|screenshot|capture|snapshot"
    r"|pxl|mvimg|wp|wx)[-_ .]?\d*"
    r"|[0-9a-f]{32,64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|(19|20)\d{6}[-_ t]?\d{4,9}",
    re.IGNORECASE,
)


class LabelTally:
    """Counts the labels of a set as they are read.

    Attributes:
        characters: number of occurrences of each character in the labels.
        empty: number of pictures without text.
    """

    def __init__(self) -> None:
        self.characters: Counter[str] = Counter()
        self.empty = 0
        self._tables: Counter[str] = Counter()
        self._folders: Counter[str] = Counter()
        self._texts: Counter[str] = Counter()  # only of file names
        self._first = ""
        self._alike = True
        self._total = 0

    def watch(self, source: Path, items: Iterable[Labelled]) -> Iterator[Labelled]:
        """Yield the items unchanged, and count them.

        Args:
            source: folder or table of the items, as the user named it.
            items: labelled pictures.
        """
        for item in items:
            self._first = self._first if self._total else item.text
            self._alike &= item.text == self._first
            self._total += 1
            self.empty += not item.text
            self.characters.update(item.text)
            if item.line:
                self._tables[item.listed] += 1
            else:
                self._folders[str(source)] += 1
                self._texts[item.text] += 1
            yield item

    def sources(self) -> list[str]:
        """One line per source of labels."""
        lines = [f"labels: {n:,} from column label of {name}" for name, n in self._tables.items()]
        lines += [
            f"labels: {n:,} from file names (LABEL_n) in {name}"
            for name, n in self._folders.items()
        ]
        more = len(lines) - _SHOWN
        if more > 0:
            lines[_SHOWN:] = [f"labels: from {more:,} more tables and folders"]
        if self.empty:
            lines.append(f"labels: {self.empty:,} are empty: pictures without text")
        return lines

    def warnings(self) -> list[str]:
        """Indications that these are not labels, one line each."""
        remedy = (
            "name pictures LABEL_n.jpg, or write a table with the columns file and label beside "
            "the folder (train.csv for train/)"
        )
        if self._alike and self._total > 1:
            return [f"all {self._total:,} labels are {self._first!r}; {remedy}"]
        names = sum(n for text, n in self._texts.items() if _FILE_NAME.fullmatch(text))
        if 2 * names > self._texts.total() > 0:
            example = next(text for text in self._texts if _FILE_NAME.fullmatch(text))
            return [
                f"{names:,} of {self._texts.total():,} labels look like names of files, such as "
                f"{example!r}; {remedy}"
            ]
        if _is_count(self._texts):
            first = min(self._texts)
            return [
                f"the labels taken from file names count up from {first!r}: they look like numbers "
                f"of files; {remedy}"
            ]
        return []


def _is_count(texts: Counter[str]) -> bool:
    """Tell whether the labels are consecutive integers, each once, like file numbers."""
    if len(texts) < RARE or texts.total() > len(texts):
        return False
    if not all(text.isdecimal() and text.isascii() for text in texts):
        return False
    numbers = {int(text) for text in texts}
    return len(numbers) == len(texts) and max(numbers) - min(numbers) == len(numbers) - 1


def alphabet_line(tally: LabelTally, characters: str) -> str:
    """Format the characters of the alphabet in one line, for the user to check.

    Args:
        tally: counts of the training labels.
        characters: characters of the alphabet.
    """
    unseen = sum(c not in tally.characters for c in characters)
    without = f", {unseen} of them in no training label" if unseen else ""
    return f"alphabet: {len(characters)} characters{without}: {printable(characters)}"


def rare_line(tally: LabelTally) -> str | None:
    """Format a warning about characters with few occurrences; None if there are none."""
    rare = sorted((n, c) for c, n in tally.characters.items() if n < RARE)
    if not rare:
        return None
    shown = ", ".join(f"{c!r} {n}" for n, c in rare[:_SHOWN])
    more = f" and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else ""
    return (
        f"seen fewer than {RARE} times in the training labels: {shown}{more}; "
        "look for mistyped labels, or add pictures of them"
    )


def printable(characters: str) -> str:
    """Join characters, with invisible ones escaped."""
    return "".join(c if c.isprintable() and c != " " else f"[{c!r}]" for c in characters)
