"""The plate schemes: one file and one line per country."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.plates.china import CHINA
from crnn_ctc.plates.scheme import PlateScheme
from crnn_ctc.plates.spain import SPAIN

SCHEMES: dict[str, PlateScheme] = {scheme.name: scheme for scheme in (CHINA, SPAIN)}
"""Schemes by their names in recipes and cards."""


def scheme_of(alphabet: Alphabet | None, name: str | None = None) -> PlateScheme | None:
    """The plate scheme of a model or recipe; None if it does not read plates.

    Args:
        alphabet: its alphabet; None if that is not known yet.
        name: the scheme that the card or recipe names. Without a name, an alphabet of Chinese
            plates, and of nothing that their labels never hold, is of China's.
    """
    if name is not None:
        return SCHEMES[name]
    if alphabet is None or not CHINA.spelt_by(alphabet):
        return None
    return CHINA if all(CHINA.normalise(c) == c for c in alphabet.characters) else None


def text_label(text: str) -> str:
    """A line of text in its composed form (NFC), without white space around it."""
    return unicodedata.normalize("NFC", text).strip()


def normaliser(alphabet: Alphabet | None, plates: str | None = None) -> Callable[[str], str]:
    """The normalisation of labels for an alphabet.

    Args:
        alphabet: alphabet of the model or recipe; None where it is not known yet.
        plates: the plate scheme that the card or recipe names, if any.
    """
    scheme = scheme_of(alphabet, plates)
    return scheme.normalise if scheme else text_label
