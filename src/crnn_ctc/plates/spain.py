"""Spain: ordinary plates, such as 1234 BCD.

Four digits and three consonants, without Ñ and Q, since September 2000.
"""

from __future__ import annotations

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.plates.scheme import PlateScheme

_CONSONANTS = "BCDFGHJKLMNPRSTVWXYZ"


def _pattern(_: Alphabet) -> str:
    return f"([0-9]{{4}}[{_CONSONANTS}]{{3}})?"


def _display(text: str) -> str:
    return f"{text[:4]} {text[4:]}" if len(text) == 7 else text


SPAIN = PlateScheme(
    name="es",
    country="Spain",
    characters="0123456789" + _CONSONANTS,
    pattern=_pattern,
    lengths=frozenset({7}),
    lookalikes=(("I", "1"), ("O", "0"), ("Q", "0")),
    display=_display,
)
