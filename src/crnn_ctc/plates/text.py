"""A plate's text with its dot, ``皖A·Y0D83``, for display.

Readings and labels hold the text without it; :func:`crnn_ctc.plates.scheme.plate_label` removes it.
"""

from __future__ import annotations

import re

from crnn_ctc.plates.rules import PARTS

DOT = "·"
"""U+00B7."""

#: What stands before the dot, and what must follow. Police plates have it painted before the
#: letter; written, it stands after the letter on them as well.
_BEFORE = re.compile(
    rf"{PARTS['province']}[A-HJ-Z](?=\w{{5,6}}$)"
    r"|民航(?=\w{5}$)"
    "|使[0-9]{3}(?=[0-9]{3}$)"
    "|[0-9]{3}(?=[0-9]{3}使$)"
)


def with_dot(text: str) -> str:
    """``text`` with the dot of its kind of plate.

    - 7 or 8 characters: ``皖AY0D83`` is ``皖A·Y0D83``
    - embassy: ``使014578`` is ``使014·578``; as it was, ``014578使`` is ``014·578使``
    - civil aviation: ``民航N9978`` is ``民航·N9978``
    - dangerous goods: ``危险品`` has none

    Other texts are returned unchanged.
    """
    before = _BEFORE.match(text)
    return f"{before[0]}{DOT}{text[before.end() :]}" if before else text
