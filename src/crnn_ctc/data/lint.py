"""Checks of a labelled set before training."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.alphabet import Alphabet, steps_needed
from crnn_ctc.data.label_tally import RARE, LabelTally
from crnn_ctc.data.labelled import LabelError, Labelled, read_labelled
from crnn_ctc.errors import InputError
from crnn_ctc.image import WARNING, open_picture
from crnn_ctc.plates.schemes import normaliser, scheme_of

Kind = Literal[
    "bad row", "cut picture", "no text", "rare character", "unreadable picture",
    "unknown character", "too few steps",
    "duplicate, other label", "duplicate in another split", "duplicate", "plate in two splits",
    "suspicious label",
]  # fmt: skip

WARNINGS: frozenset[Kind] = frozenset(
    {
        "cut picture",
        "duplicate",
        "no text",
        "plate in two splits",
        "rare character",
        "suspicious label",
    }
)
"""Kinds of warnings; all others are errors."""

_COMMON = 4 * RARE
"""Minimum count of the most frequent character for others to count as rare."""

_MOST_RARE = 20
"""Maximum number of rare characters that are listed individually."""


@dataclass(frozen=True)
class Finding:
    """A fault of one picture.

    Attributes:
        listed: the manifest, or the picture.
        line: line number in the manifest, from 1; 0 without one.
        kind: kind of fault.
        message: description of the fault.
    """

    listed: str
    line: int
    kind: Kind
    message: str

    @property
    def severity(self) -> Literal["error", "warning"]:
        """``error`` or ``warning``."""
        return "warning" if self.kind in WARNINGS else "error"

    def __str__(self) -> str:
        """One line in the format of compilers: file, line, message."""
        where = f"{self.listed}:{self.line}" if self.line else self.listed
        return f"{where}: {self.severity}: {self.kind}: {self.message}"


class Linter:
    """Checks labelled pictures in one pass, with about 700 bytes of memory per picture.

    Labels are normalised as in training: see :func:`crnn_ctc.plates.schemes.normaliser`.

    Args:
        alphabet: alphabet of the labels; None to allow all characters and report rare ones.
        steps: T of the network; None leaves lengths unchecked.

    Attributes:
        pictures: number of checked pictures.
        tally: sources of the labels.
    """

    def __init__(self, alphabet: Alphabet | None = None, steps: int | None = None) -> None:
        self._alphabet = alphabet
        self._steps = steps
        self._scheme = scheme_of(alphabet)
        self._normalise = normaliser(alphabet)
        self._first: dict[str, tuple[str, int, str]] = {}
        self.tally = LabelTally()
        self._seen: dict[bytes, tuple[str, str, str]] = {}
        self._split_of: dict[str, tuple[str, str]] = {}
        self.pictures = 0

    def check(self, source: Path) -> Iterator[list[Finding]]:
        """Yield the findings of a folder or manifest, one list per picture.

        Raises:
            InputError: the source cannot be read at all.
        """
        faults: list[LabelError] = []
        # read raw labels, as unnormalised ones are findings
        for item in self.tally.watch(source, read_labelled(source, faults.append, str)):
            self.pictures += 1
            yield [*self._faults(faults), *self._picture(item)]
        yield self._faults(faults)

    def _faults(self, faults: list[LabelError]) -> list[Finding]:
        found = [Finding(f.listed, f.line, f.kind, f.what) for f in faults]
        self.pictures += len(found)
        faults.clear()
        return found

    def _picture(self, item: Labelled) -> Iterator[Finding]:
        def finding(kind: Kind, message: str) -> Finding:
            return Finding(item.listed, item.line, kind, message)

        text = self._normalise(item.text)
        here = item.where
        if not text:
            yield finding("no text", "the label is empty: trained as a picture without text")
        else:
            for character in text:
                self._first.setdefault(character, (item.listed, item.line, item.text))
            for kind, message in self._label(item.text, text):
                yield finding(kind, message)
            split = item.attributes.get("split", "")
            other, where = self._split_of.setdefault(text, (split, here))
            if other != split and split and other and self._scheme:
                message = f"{text} is in {split}, and in {other}: {where}"
                yield finding("plate in two splits", message)
        try:
            picture = open_picture(item.path)
        except InputError as error:
            yield finding("unreadable picture", str(error))
            return
        if warning := picture.info.get(WARNING):
            yield finding("cut picture", warning)
        image = np.asarray(picture, np.uint8)
        yield from (
            finding(kind, message) for kind, message in self._twins(item, here, text, image)
        )

    def _label(self, raw: str, text: str) -> Iterator[tuple[Kind, str]]:
        if self._alphabet is None:
            unknown = sorted({c for c in text if unicodedata.category(c) == "Cc"})
        else:
            unknown = sorted({c for c in text if c not in self._alphabet})
        if unknown:
            hint = self._scheme.mistaken({*unknown}) if self._scheme else ""
            hint = f"; {hint}" if hint else ""
            names = " ".join(f"{c!r}" for c in unknown)
            yield "unknown character", f"{raw!r}: {names} not in the alphabet{hint}"
        needed = steps_needed(text)
        if self._steps is not None and needed > self._steps:
            yield (
                "too few steps",
                f"{raw!r} needs {needed} time steps (a blank between repeats), "
                f"the network has {self._steps}",
            )
        if raw != text:
            yield "suspicious label", f"{raw!r} is read as {text!r}"
        if self._scheme and (suspicion := self._scheme.suspicion(text)):
            yield "suspicious label", f"{raw!r}: {suspicion}"

    def rare(self) -> Iterator[Finding]:
        """Yield rare characters, which are often typing errors, after reading all labels.

        Yields nothing if an alphabet was given or the set is too small.
        """
        counts = self.tally.characters
        if self._alphabet is not None or max(counts.values(), default=0) < _COMMON:
            return
        rare = sorted((n, c) for c, n in counts.items() if n < RARE and c in self._first)
        for n, character in rare[:_MOST_RARE]:
            listed, line, label = self._first[character]
            message = f"{character!r} stands {n} times in all labels, first in {label!r}"
            yield Finding(listed, line, "rare character", f"{message}{_hint(character, counts)}")
        if len(rare) > _MOST_RARE:
            listed, line, _ = self._first[rare[_MOST_RARE][1]]
            message = f"{len(rare) - _MOST_RARE} more characters are as rare"
            yield Finding(listed, line, "rare character", message)

    def _twins(
        self, item: Labelled, here: str, text: str, image: NDArray[np.uint8]
    ) -> Iterator[tuple[Kind, str]]:
        shape = np.array(image.shape, np.int32).tobytes()
        digest = blake2b(shape + image.tobytes(), digest_size=16).digest()
        split = item.attributes.get("split", "")
        other_text, other_split, where = self._seen.setdefault(digest, (text, split, here))
        if where == here:
            return
        if other_text != text:
            yield (
                "duplicate, other label",
                f"{text!r}, but the same pixels are {other_text!r}: {where}",
            )
        elif split != other_split and split and other_split:
            yield "duplicate in another split", f"the same pixels as {where} ({other_split})"
        else:
            yield "duplicate", f"the same pixels as {where}"


def _hint(character: str, counts: Counter[str]) -> str:
    """Guess the character that a rare one was mistyped for; empty if there is no guess."""
    if character.isspace():
        return ": a stray space?"
    swapped = character.swapcase()
    if swapped != character and counts[swapped] >= _COMMON:
        return f": {swapped!r} stands {counts[swapped]} times"
    composed = unicodedata.normalize("NFKC", character)
    if composed != character and counts[composed] >= _COMMON:
        return f": a wide form of {composed!r}?"
    return ""
