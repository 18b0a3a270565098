"""Characters and class indices of a CTC output, and the blank between them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise

from crnn_ctc.errors import InputError


@dataclass(frozen=True)
class Alphabet:
    """The K classes of a CTC output (Graves et al. 2006): K - 1 characters and one blank.

    The alphabet owns the blank: nothing else in the package knows which index it has. The blank's
    placeholder in ``symbols`` is never part of a text.

    Args:
        symbols: one character a class, in class order, the blank's placeholder among them.
        blank: index of the blank in ``symbols``.

    Raises:
        InputError: a character occurs twice, or ``blank`` is no index of ``symbols``.
    """

    symbols: str
    blank: int
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.blank < len(self.symbols):
            raise InputError(
                f"alphabet: blank {self.blank} is not a class index; "
                f"give one from 0 to {len(self.symbols) - 1}"
            )
        repeated = sorted(c for c, count in Counter(self.symbols).items() if count > 1)
        if repeated:
            raise InputError(f"alphabet: {repeated[0]!r} occurs twice; list every character once")
        index = {c: i for i, c in enumerate(self.symbols) if i != self.blank}
        object.__setattr__(self, "_index", index)

    @classmethod
    def of(cls, characters: str) -> Alphabet:
        """The alphabet of a user's own characters, in this order; the blank comes first.

        The blank's placeholder is ``#``, or where that is a character, one of those that Unicode
        leaves to private use.

        Raises:
            InputError: there is no character, one occurs twice, or one is a control character.
        """
        if not characters:
            raise InputError("alphabet: it is empty; list its characters")
        for c in characters:
            if unicodedata.category(c) == "Cc":
                raise InputError(f"alphabet: {c!r} is a control character; leave it out")
        placeholders = chain("#", map(chr, range(0xE000, 0xF900)))
        return cls(next(p for p in placeholders if p not in characters) + characters, blank=0)

    def __len__(self) -> int:
        """K, the number of classes, the blank included."""
        return len(self.symbols)

    def __contains__(self, character: object) -> bool:
        return character in self._index

    @property
    def characters(self) -> str:
        """The K - 1 characters that a text may hold, in class order."""
        return self.symbols[: self.blank] + self.symbols[self.blank + 1 :]

    def encode(self, text: str) -> list[int]:
        """Class indices of ``text``, one a character.

        Raises:
            InputError: ``text`` holds a character that is not in the alphabet.
        """
        try:
            return [self._index[c] for c in text]
        except KeyError as error:
            raise InputError(
                f"label {text!r}: {error.args[0]!r} is not in the alphabet; "
                "correct the label or train with an alphabet that holds it"
            ) from None

    def decode(self, classes: Iterable[int]) -> str:
        """The text of class indices that hold no blank: the inverse of :meth:`encode`.

        Raises:
            InputError: an index is the blank or outside 0 .. K - 1.
        """
        indices = list(classes)
        for i in indices:
            if i == self.blank or not 0 <= i < len(self.symbols):
                raise InputError(f"class {i} stands for no character; collapse the path first")
        return "".join(self.symbols[i] for i in indices)

    def collapse(self, path: Sequence[int]) -> list[int]:
        """The CTC map B (Graves et al. 2006, section 3.1): merge repeats, then drop blanks.

        Args:
            path: T class indices, one a time step.
        """
        return [c for t, c in enumerate(path) if c != self.blank and (t == 0 or path[t - 1] != c)]

    def steps_needed(self, text: str) -> int:
        """The fewest time steps T that can spell ``text``; see :func:`steps_needed`."""
        return steps_needed(text)


def steps_needed(text: str) -> int:
    """The fewest time steps T that can spell ``text``: its length, and a blank a repeat."""
    return len(text) + sum(a == b for a, b in pairwise(text))


DIGITS = Alphabet("0123456789#", blank=10)
"""Ten digits; the blank comes last, as in upstream crnn-ctc."""

PLATES = Alphabet(
    "#京沪津渝冀晋蒙辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新"
    "学警港澳挂使领民航危0123456789ABCDEFGHJKLMNPQRSTUVWXYZ险品",
    blank=0,
)
"""The 78 classes of Chinese plates, in upstream crnn-ctc's order; the blank comes first."""

PLATES_CN = Alphabet(PLATES.symbols + "O应急", blank=0)
"""The 81 classes of all Chinese plates on the road.

``PLATES``, the letter O (the police's, and 粤O, 贵O) and 应急 (emergency services)."""

#: The alphabets that have a name.
ALPHABETS = {"DIGITS": DIGITS, "PLATES": PLATES, "PLATES_CN": PLATES_CN}
