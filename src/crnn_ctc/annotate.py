"""A picture with what was read in it drawn above: text, confidence, where each character stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from crnn_ctc.reader import Reading

_WIDTH = 640
_INK = "#101418"
_PAPER = "#ffffff"
_GOOD, _FAIR, _POOR = "#0a7d33", "#b06a00", "#c01c28"


def confidence_colour(confidence: float) -> str:
    """Green where a reading is nearly sure, amber where it is likely, red below."""
    return _GOOD if confidence >= 0.95 else _FAIR if confidence >= 0.5 else _POOR


def annotate(image: NDArray[np.uint8], reading: Reading) -> Image.Image:
    """Draw a reading over the picture it was read in.

    The picture is enlarged or shrunk to 640 pixels wide. Above it stand the text, its confidence
    and each character over its place; lines part the characters.

    Args:
        image: RGB, uint8 (H, W, 3).
        reading: of that picture.
    """
    height, width = image.shape[:2]
    scale = _WIDTH / width
    picture = Image.fromarray(image).resize(
        (_WIDTH, max(1, round(height * scale))), Image.Resampling.BICUBIC
    )
    head, letters = 64, 34
    sheet = Image.new("RGB", (_WIDTH, head + letters + picture.height), _PAPER)
    sheet.paste(picture, (0, head + letters))
    draw = ImageDraw.Draw(sheet)

    text = reading.text or "no text"
    draw.text((12, 32), text, _INK, _font(40), anchor="lm")
    colour = confidence_colour(reading.confidence)
    draw.text((_WIDTH - 12, 32), f"{100 * reading.confidence:.1f} %", colour, _font(30), "rm")

    bottom = head + letters + picture.height
    for character in reading.characters:
        middle = (character.start + character.end) / 2 * scale
        colour = confidence_colour(character.confidence)
        draw.text((middle, head + letters / 2), character.text, colour, _font(26), anchor="mm")
    for left, right in zip(reading.characters, reading.characters[1:], strict=False):
        x = (left.end + right.start) / 2 * scale
        draw.line((x, head + 6, x, bottom), "#2f80ed", 2)
    return sheet


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
