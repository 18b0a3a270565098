"""A photograph with its plates outlined, and each plate rectified beside it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from crnn_ctc.drawing.annotate import Pen, confidence_colour
from crnn_ctc.reading import Reading
from crnn_ctc.rectify import aspect, rectify

_LONGEST = 1280
"""Longer side of the photograph in the sheet, in pixels."""

_COLUMN, _EDGE = 264, 12
_THUMBNAIL = (240, 76, 120)
"""Width of a rectified plate in pixels, and its height with one row and with two."""

_TYPE, _SMALL = 26, 18
_PAPER, _INK, _POOR = "#ffffff", "#101418", "#c01c28"


def annotate_photograph(
    image: NDArray[np.uint8], reading: Reading, show: Callable[[str], str]
) -> Image.Image:
    """Outline the plates of a photograph, and list their readings beside it.

    The column beside the photograph has one row per plate, from left to right in the photograph:
    number, rectified plate, text and confidence. Rows that do not fit are left out.

    Args:
        image: the photograph, uint8 RGB (H, W, 3).
        reading: its reading, with ``plates``.
        show: formats a text for display.
    """
    height, width = image.shape[:2]
    scale = min(1.0, _LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = whole = Image.fromarray(image)
    if scale < 1:
        picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    row = _THUMBNAIL[2] + _TYPE + 3 * _EDGE
    sheet = Image.new("RGB", (size[0] + _COLUMN, max(size[1], row)), _PAPER)
    sheet.paste(picture, (0, 0))
    draw = ImageDraw.Draw(sheet)
    plates = reading.plates or ()
    top = _EDGE
    for number, plate in enumerate(plates, 1):
        colour = confidence_colour(plate.confidence) if plate.accepted else _POOR
        corners = np.array(plate.corners, np.float32)
        outline = [(float(x), float(y)) for x, y in corners * scale]
        draw.line([*outline, outline[0], outline[1]], colour, 3, joint="curve")
        numbers = Pen(draw, bundled=False)
        x, y = min(outline, key=lambda point: point[0] + point[1])
        numbers.write(
            (max(x, 2), max(y - _SMALL / 2 - 3, _SMALL / 2)), str(number), colour, _SMALL, 0
        )
        wide, one_row, two_rows = _THUMBNAIL
        tall = two_rows if aspect(corners) < 2.6 else one_row
        if top + tall + _TYPE + _EDGE > sheet.height:
            continue
        sheet.paste(Image.fromarray(rectify(whole, corners, tall, wide)), (size[0] + _EDGE, top))
        at = top + tall + _TYPE / 2 + 4
        text = show(plate.text) or "no text"
        ink = _INK if plate.accepted else _POOR
        words = Pen(draw, bundled=not text.isascii())
        words.write((size[0] + _EDGE, at), f"{number}  {text}", ink, _TYPE - 4, 0)
        shown = f"{100 * plate.confidence:.0f} %"
        numbers.write((sheet.width - _EDGE, at), shown, colour, _SMALL, 1)
        top += tall + _TYPE + 2 * _EDGE
    if not plates:
        Pen(draw, bundled=False).write((size[0] + _EDGE, top + _TYPE), "no plate", _POOR, _TYPE, 0)
    return sheet
