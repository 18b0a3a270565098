"""Valid texts of Chinese civil plates: one pattern per kind, by GA36-2018 and earlier standards.

These rules define what may be read. :mod:`crnn_ctc.synthesis.text` generates training texts, all of
which these rules allow (a test checks that). They are wider than the standard where real plates
are:

- Any letter but I and O may issue in any province: new letters appear, and a table of them would
  one day forbid a plate that exists.
- Of five serial places at most three hold letters, of four at most two. The orders of GA36-2018 end
  at two; older plates, chosen by their owners, had three. No real label of ours (4,883 in training)
  has more than two.
- The letter O after the province is the police's, and others' in 粤 and 贵.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from crnn_ctc.alphabet import Alphabet

#: Parts that the kinds are made of, as :mod:`crnn_ctc.grammar.pattern` writes them.
PARTS: Mapping[str, str] = {
    "province": "[京津沪渝冀晋蒙辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新]",
    "letter": "[A-HJ-NP-Z]",
    "digit": "[0-9]",
    "energy": "[A-HJK]",  # D A B C E are electric, F G H J K are not only
    "five": "([A-HJ-NP-Z0-9]{5}&[0-9]*([A-Z][0-9]*){0,3})",
    "four": "([A-HJ-NP-Z0-9]{4}&[0-9]*([A-Z][0-9]*){0,2})",
}

#: Every kind. Those that need more than the alphabet PLATES are not read by its models.
KINDS: Mapping[str, str] = {
    "blue": "<province><letter><five>",  # yellow, in one row or two, and black ones too
    "green": "<province><letter><energy>(<letter>|<digit>)<digit>{4}",
    "green_large": "<province><letter><digit>{5}<energy>",
    "police": "<province><letter><four>警",
    "coach": "<province><letter><four>学",
    "trailer": "<province><letter><four>挂",
    "consulate": "<province><letter><digit>{4}领",
    "cross_border": "粤Z<four>[港澳]",
    "embassy": "使<digit>{6}|<digit>{6}使",
    "airport": "民航<letter><digit>{4}",
    "hazard": "危险品",
    "letter_o": "<province>O<five>",
    "police_o": "<province>O<four>警",
    "emergency": "<province><letter><digit>{4}应急",
    "armed_police": "WJ<province><digit>{4}(<digit>|<letter>)",
    "armed_police_old": "WJ<digit>{2}(<digit>|<letter>)<digit>{4}",
    "army": "<letter>{2}<digit>{5}",
    "farm": "<province><digit>{2}<four>(<digit>|<letter>)",
}

_NEWER = ("letter_o", "police_o", "emergency", "armed_police", "armed_police_old", "army", "farm")
"""Kinds that models with the alphabet PLATES, such as those of 0.1, were not trained on."""


def pattern(kind: str) -> str:
    """The pattern of one of ``KINDS``, with its parts expanded."""
    return re.sub("<([a-z]+)>", lambda part: PARTS[part[1]], KINDS[kind])


def plate_pattern(alphabet: Alphabet) -> str:
    """The pattern of all kinds that ``alphabet`` can spell, or the empty text (no plate)."""
    kinds = [kind for kind in KINDS if "O" in alphabet or kind not in _NEWER]
    return "(" + "|".join(f"({pattern(kind)})" for kind in kinds) + ")?"


_MARKS = (
    ("挂", "trailer"),
    ("学", "learner"),
    ("警", "police"),
    ("领", "consulate"),
    ("使", "embassy"),
    ("港", "cross-border"),
    ("澳", "cross-border"),
    ("应急", "emergency"),
    ("WJ", "armed police"),
    ("民航", "aviation"),
    ("危险品", "dangerous goods"),
)


def named_kind(text: str) -> str:
    """The kind implied by a plate's text, such as ``trailer``; empty if it implies none."""
    return next((name for mark, name in _MARKS if mark in text), "")
