"""Negatives with text: signs, stickers, telephone numbers, time stamps (OpenCV)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.synthesis.text import Draws

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)
_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz-:./ "
_DIGITS = "0123456789-: "


def sign(draws: Draws) -> NDArray[np.uint8]:
    """Draw a sign with text, uint8 RGB (H, W, 3); uses at most 100 numbers of ``draws``.

    Single lines of six to nine characters are avoided, as they look like plates. Some signs are
    blank.
    """
    lines = 1 + draws.below(3)
    length = 10 + draws.below(9) if lines == 1 else 3 + draws.below(10)
    if draws.chance(0.3):
        lines, length = 1, 2 + draws.below(3)
    if draws.chance(0.15):
        lines, length = 1, 0
    characters = _DIGITS if draws.chance(0.4) else _CHARACTERS
    font = _FONTS[draws.below(len(_FONTS))]
    pen = 1 + draws.below(4)
    ground = np.array([draws.between(0, 255) for _ in range(3)])
    if draws.chance(0.5):
        ground[:] = ground.mean()
    ink = ground + (110 if ground.mean() < 128 else -110) * draws.between(0.6, 1.2)
    height = 26 * lines + 16
    width = 20 * max(length, 3) + 16 + (draws.below(60) if length == 0 else 0)
    out = np.empty((height, width, 3), np.uint8)
    out[:] = np.clip(ground, 0, 255)
    for line in range(lines):
        text = "".join(draws.one_of(characters) for _ in range(length))
        (wide, _), _ = cv2.getTextSize(text, font, 0.9, pen)
        at = ((width - wide) // 2, 28 + 26 * line)
        colour = tuple(float(v) for v in np.clip(ink, 0, 255))
        cv2.putText(out, text, at, font, 0.9, colour, pen, cv2.LINE_AA)
    return out
