"""A country's plates: characters, valid texts, normalisation and display."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from crnn_ctc.alphabet import Alphabet

# U+00B7, U+2022, U+2027, U+2219, U+22C5, U+30FB: what keyboards and programs write for the dot
_DOTS = "\u00b7\u2022\u2027\u2219\u22c5\u30fb"


def plate_label(text: str) -> str:
    """A label in plain upper-case characters, without white space and dots.

    Full-width characters become plain ones (NFKC). Letters that plates do not have stay: whether an
    I is the digit 1 or a misread letter, only the picture tells.
    """
    plain = unicodedata.normalize("NFKC", text).upper()
    return "".join(c for c in plain if not c.isspace() and c not in _DOTS)


def unchanged(text: str) -> str:
    """The text itself, for plates without separators."""
    return text


def no_kind(_: str) -> str:
    """No kind, for plates whose text does not imply one."""
    return ""


@dataclass(frozen=True)
class PlateScheme:
    """The plates of a country.

    Attributes:
        name: name in recipes and cards, such as ``es``.
        country: name of the country in English.
        characters: characters that an alphabet needs to spell its usual plates.
        pattern: the pattern of its plates (:mod:`crnn_ctc.grammar.pattern`) for a model's alphabet,
            which may lack characters of rare kinds. It should match the empty text too: a picture
            need not show a plate.
        lengths: usual lengths of a plate's text, in characters.
        irregular: regular expression of plates of other lengths; empty if there are none.
        lookalikes: letters that no plate has, and the characters they are mistaken for.
        regions: first characters that name a region; empty if plates name none.
        region_name: word for such a region, such as ``province``.
        normalise: converts a label to the characters of the alphabet where that is unambiguous.
        display: formats a plate's text for people.
        kind: the kind of plate implied by a text, such as ``police``; empty if it implies none.
    """

    name: str
    country: str
    characters: str
    pattern: Callable[[Alphabet], str]
    lengths: frozenset[int]
    irregular: str = ""
    lookalikes: tuple[tuple[str, str], ...] = ()
    regions: str = ""
    region_name: str = "region"
    normalise: Callable[[str], str] = plate_label
    display: Callable[[str], str] = unchanged
    kind: Callable[[str], str] = no_kind

    def spelt_by(self, alphabet: Alphabet) -> bool:
        """Whether ``alphabet`` has all characters of the scheme's plates."""
        return set(self.characters) <= set(alphabet.characters)

    def region(self, text: str) -> str:
        """The region that a plate names; ``other`` for none."""
        return text[0] if text and text[0] in self.regions else "other"

    def suspicion(self, text: str) -> str | None:
        """Why a label is probably no plate, in words; None if it may be one."""
        if not text or len(text) in self.lengths or re.fullmatch(self.irregular, text):
            return None
        usual = " or ".join(map(str, sorted(self.lengths)))
        return f"{len(text)} characters, plates have {usual}"

    def mistaken(self, characters: set[str]) -> str:
        """A hint for unknown characters that are look-alikes; empty for others."""
        found = [(wrong, right) for wrong, right in self.lookalikes if wrong in characters]
        if not found:
            return ""
        wrong, right = (" and ".join(part) for part in zip(*found, strict=True))
        return f"plates have no {wrong}: {right}?"
