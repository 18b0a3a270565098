"""Random plate texts of every kind, following GA36-2018 and earlier standards."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.errors import InputError

Kind = Literal[
    "blue", "yellow", "yellow_two_row", "trailer", "green", "green_large", "police",
    "coach", "cross_border", "consulate", "embassy", "foreign", "airport", "hazard",
    "emergency", "armed_police", "armed_police_old", "army", "farm",
]  # fmt: skip

TWO_ROW: tuple[Kind, ...] = ("yellow_two_row", "trailer", "farm")
"""Kinds with two rows of characters."""

#: Sampling weights of the kinds. Rare kinds are more frequent than on the road, to be learnt too.
KIND_WEIGHTS: Mapping[Kind, float] = {
    "blue": 0.42,
    "yellow": 0.12,
    "yellow_two_row": 0.08,
    "trailer": 0.05,
    "green": 0.13,
    "green_large": 0.04,
    "police": 0.04,
    "coach": 0.04,
    "cross_border": 0.03,
    "consulate": 0.015,
    "embassy": 0.015,
    "foreign": 0.01,
    "airport": 0.005,
    "hazard": 0.005,
    "emergency": 0.01,
    "armed_police": 0.01,
    "armed_police_old": 0.005,
    "army": 0.01,
    "farm": 0.015,
}

_A_TO_Z = "ABCDEFGHJKLMNPQRSTUVWXYZ"

#: Issuing letters of each province; O, formerly for the police, is drawn separately. Some belong to
#: cities merged since (皖's Q), whose old plates are still in use.
#: 粤 has no Z here: it is for cross-border plates, a separate kind.
ISSUERS: Mapping[str, str] = {
    "京": "ABCEFGHJKLMNPQY",
    "津": "ABCDEFGHJKLMNPQR",
    "沪": "ABCDEFGHJKLMNR",
    "渝": "ABCDFGHMN",
    "冀": "ABCDEFGHJRSTX",  # X: 雄安, the newest
    "晋": "ABCDEFHJKLM",
    "蒙": "ABCDEFGHJKLM",
    "辽": "ABCDEFGHJKLMNP",
    "吉": "ABCDEFGHJK",
    "黑": "ABCDEFGHJKLMNPR",
    "苏": "ABCDEFGHJKLMNU",
    "浙": "ABCDEFGHJKL",
    "皖": "ABCDEFGHJKLMNPQRS",
    "闽": "ABCDEFGHJK",
    "赣": "ABCDEFGHJKLM",
    "鲁": "ABCDEFGHJKLMNPQRSUVWY",
    "豫": "ABCDEFGHJKLMNPQRSUV",
    "鄂": "ABCDEFGHJKLMNPQRSW",
    "湘": "ABCDEFGHJKLMNSU",
    "粤": "ABCDEFGHJKLMNPQRSTUVWXY",
    "桂": "ABCDEFGHJKLMNPR",
    "琼": "ABCDEF",
    "川": "ABCDEFGHJKLMQRSTUVWXYZ",
    "贵": "ABCDEFGHJ",
    "云": "ACDEFGHJKLMNPQRS",
    "藏": "ABCDEFGHJ",
    "陕": "ABCDEFGHJKUV",
    "甘": "ABCDEFGHJKLMNP",
    "青": "ABCDEFGH",
    "宁": "ABCDE",
    "新": "ABCDEFGHJKLMNPQRS",
}
PROVINCES = "".join(ISSUERS)

_DIGITS = "0123456789"
_LETTERS_IN_FIVE = (0.20, 0.53, 0.98, 1.0)
"""Cumulative shares of 0, 1, 2 and 3 letters in a five-character serial: close to real crops, where
GA36's later patterns (three letters) are still rare."""
_ENERGY = "DDDDDFFFFFABCEGHJK"  # D and F first, the others (GA36-2018) when they ran out
_LETTER_O = 0.02
_ANY_LETTER = 0.1  # share of issuing letters outside the table, as new ones appear


_MAY_HAVE_O: tuple[Kind, ...] = ("blue", "yellow", "yellow_two_row", "police")
_ARMY = "VZHKEBSLNGCJP"
_CORPS = "XBTSHJD"
"""Branch letters of the armed police: fire brigade, border guard, traffic and so on."""


@dataclass(frozen=True)
class PlateText:
    """Text and kind of a plate."""

    text: str
    kind: Kind


class Draws:
    """Uniform numbers used one after another."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self._values = values.tolist()
        self._next = 0

    def next(self) -> float:
        """Draw a number from [0, 1)."""
        self._next += 1
        return float(self._values[self._next - 1])

    def between(self, low: float, high: float) -> float:
        """Draw a number from [low, high)."""
        return low + (high - low) * self.next()

    def below(self, n: int) -> int:
        """Draw an integer from 0 to n - 1."""
        return int(self.next() * n)

    def chance(self, share: float) -> bool:
        """Return True with probability ``share``."""
        return self.next() < share

    def bell(self) -> float:
        """Draw an approximately normal number, standard deviation 1, absolute value below 3.5.

        The sum of four uniform numbers, which is the same on every machine.
        """
        four = self.next() + self.next() + self.next() + self.next()
        return (four - 2) * 3**0.5

    def one_of(self, text: str) -> str:
        """Draw a character of ``text``, all equally likely."""
        return text[self.below(len(text))]


TEXT_DRAWS = 24
"""Maximum number of draws that :func:`draw_text` uses."""


def shares(
    weights: Mapping[Kind, float] | Mapping[str, float], known: Sequence[str], what: str
) -> tuple[float, ...]:
    """Cumulative shares of ``known`` from weights; missing names have weight 0.

    Raises:
        InputError: a name is unknown, a weight is below 0, or all are 0.
    """
    named: dict[str, float] = {str(name): weight for name, weight in weights.items()}
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise InputError(f"{what} {unknown[0]!r} is not known; choose from {', '.join(known)}")
    values = np.array([named.get(name, 0.0) for name in known], np.float64)
    if not np.isfinite(values).all() or values.min() < 0 or values.sum() <= 0:
        raise InputError(f"{what} weights must be 0 or more, and one above 0")
    return tuple((values.cumsum() / values.sum()).tolist())


def pick(cumulative: Sequence[float], u: float) -> int:
    """Index of the share that ``u`` falls into."""
    return min(bisect_right(cumulative, u), len(cumulative) - 1)


NEWER: tuple[Kind, ...] = (
    "emergency",
    "armed_police",
    "armed_police_old",
    "army",
    "farm",
)
"""Kinds unknown to models of the alphabet ``PLATES`` (version 0.1)."""


def draw_text(draws: Draws, kind: Kind, province: str, letter_o: bool = True) -> PlateText:
    """Draw a text of ``kind`` from ``province``.

    Args:
        draws: random numbers, of which at most ``TEXT_DRAWS`` are used.
        kind: kind of the plate.
        province: one of ``PROVINCES``; unused by kinds without one (such as embassy).
        letter_o: whether the letter O may follow the province.
    """
    letters = _A_TO_Z if draws.chance(_ANY_LETTER) else ISSUERS[province]
    place = province + draws.one_of(letters)
    if kind in _MAY_HAVE_O and draws.chance(_LETTER_O) and letter_o:
        place = province + "O"
    if kind in ("green", "green_large"):
        text = place + _energy_serial(draws, kind)
    elif kind == "police":
        text = place + _serial(draws, 4, 1) + "警"
    elif kind == "coach":
        text = place + _serial(draws, 4, 1) + "学"
    elif kind == "trailer":
        text = place + _serial(draws, 4, 1) + "挂"
    elif kind == "consulate":
        text = place + _serial(draws, 4, 0) + "领"
    elif kind == "cross_border":
        text = "粤Z" + _serial(draws, 4, 2) + draws.one_of("港港澳")
    elif kind == "embassy":
        number = _serial(draws, 6, 0)
        text = "使" + number if draws.chance(0.4) else number + "使"
    elif kind == "airport":
        text = "民航" + draws.one_of(_A_TO_Z) + _serial(draws, 4, 0)
    elif kind == "hazard":
        text = "危险品"
    elif kind == "emergency":
        text = province + draws.one_of("SX") + _serial(draws, 4, 0) + "应急"
    elif kind == "armed_police":
        last = draws.one_of(_CORPS) if draws.chance(0.4) else draws.one_of(_DIGITS)
        text = "WJ" + province + _serial(draws, 4, 0) + last
    elif kind == "armed_police_old":
        corps = _CORPS if draws.chance(0.6) else _DIGITS
        place = draws.one_of("0123") + draws.one_of(_DIGITS)
        text = "WJ" + place + draws.one_of(corps) + _serial(draws, 4, 0)
    elif kind == "army":
        text = draws.one_of(_ARMY) + draws.one_of(_A_TO_Z) + _serial(draws, 5, 0)
    elif kind == "farm":
        text = province + _serial(draws, 2, 0) + _serial(draws, 5, 1)
    else:
        text = place + _serial(draws, 5, 3)
    return PlateText(text, kind)


def _serial(draws: Draws, length: int, most_letters: int) -> str:
    """Draw digits with at most ``most_letters`` letters among them."""
    letters = min(pick(_LETTERS_IN_FIVE, draws.next()), most_letters)
    serial = [draws.one_of(_DIGITS) for _ in range(length)]
    for _ in range(letters):  # collisions may leave one letter less
        at = draws.below(length)
        serial[at] = draws.one_of(_A_TO_Z)
    return "".join(serial)


def _energy_serial(draws: Draws, kind: Kind) -> str:
    """Draw six characters: the energy letter is first for small vehicles, last for large ones."""
    energy = draws.one_of(_ENERGY)
    second = draws.one_of(_A_TO_Z) if draws.chance(0.25) else draws.one_of(_DIGITS)
    digits = [draws.one_of(_DIGITS) for _ in range(4)]
    if kind == "green_large":
        return draws.one_of(_DIGITS) + "".join([*digits, energy])
    return energy + second + "".join(digits)
