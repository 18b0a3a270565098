"""What a Chinese civil plate can be: a pattern a kind, after GA36-2018 and what came before it.

These rules say what may be read; :mod:`crnn_ctc.synthesis.text` draws what is to be learnt, and
draws nothing that these do not allow (a test holds it to that). They are wider than the standard
where real plates are:

- Any letter but I and O may issue in any province: new letters appear, and a table of them would
  one day forbid a plate that exists.
- Of five serial places at most three hold letters, of four at most two. The orders of GA36-2018 end
  at two; older plates, chosen by their owners, had three. No real label of ours (4,883 in training)
  has more than two.
- Emergency (应急) and military plates hold characters that the alphabet has not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Parts that the kinds are made of, as :mod:`crnn_ctc.grammar.pattern` writes them.
PARTS: Mapping[str, str] = {
    "province": "[京津沪渝冀晋蒙辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新]",
    "letter": "[A-HJ-NP-Z]",
    "digit": "[0-9]",
    "energy": "[A-HJK]",  # D A B C E are electric, F G H J K are not only
    "five": "([A-HJ-NP-Z0-9]{5}&[0-9]*([A-Z][0-9]*){0,3})",
    "four": "([A-HJ-NP-Z0-9]{4}&[0-9]*([A-Z][0-9]*){0,2})",
}

#: Every kind that the PLATES alphabet spells.
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
}


def pattern(kind: str) -> str:
    """The pattern of one of ``KINDS``, its parts written out."""
    return re.sub("<([a-z]+)>", lambda part: PARTS[part[1]], KINDS[kind])


PLATE = "(" + "|".join(f"({pattern(kind)})" for kind in KINDS) + ")?"
"""The pattern of any of them, or of nothing: a picture need not show a plate."""
