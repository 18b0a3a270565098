"""Numbers with a check digit, as an automaton."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.errors import InputError

SHORTEST = 2
"""Minimum length of a number with a check digit."""

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""Digit sum of twice each digit."""


def luhn(
    alphabet: Alphabet, least: int = SHORTEST, most: int | None = None
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Build the automaton of numbers with a Luhn check digit: cards, IMEI, giro slips.

    In Luhn's algorithm (ISO/IEC 7812-1, annex B), every second digit from the right counts double.
    Which ones is known only at the end of the number, so a state holds both sums modulo 10: with
    the last digit single, and doubled.

    Args:
        alphabet: K classes.
        least: minimum length in digits.
        most: maximum length in digits; None for any.

    Returns:
        The state after each class, int32 (S, K), and whether a number may end, bool (S,); see
        :class:`crnn_ctc.grammar.Grammar`.

    Raises:
        InputError: the alphabet lacks a digit, or no number has such a length.
    """
    if not all(str(digit) in alphabet for digit in range(10)):
        raise InputError("grammar luhn: the model's alphabet lacks digits")
    if least < SHORTEST or (most is not None and most < least):
        raise InputError(f"grammar luhn: give lengths of {SHORTEST} or more, the shorter one first")
    end = least if most is None else most
    classes = [alphabet.encode(str(digit))[0] for digit in range(10)]
    known = {(0, 0, 0): 0}  # (digits so far, sum with the last one single, and doubled)
    waiting = [(0, 0, 0)]
    rows: list[NDArray[np.int32]] = []
    for length, single, double in waiting:  # grows during iteration
        row = np.full(len(alphabet), -1, np.int32)
        if most is None or length < most:
            longer = min(length + 1, end)
            for digit, place in enumerate(classes):
                after = (longer, (double + digit) % 10, (single + _DOUBLED[digit]) % 10)
                if longer == most and after[1]:
                    continue  # a dead end
                if after not in known:
                    known[after] = len(known)
                    waiting.append(after)
                row[place] = known[after]
        rows.append(row)
    accepting = np.array([length >= least and single == 0 for length, single, _ in waiting])
    return np.stack(rows), accepting
