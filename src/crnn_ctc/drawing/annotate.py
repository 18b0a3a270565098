"""Annotated pictures: the text, its confidence and each character drawn above the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from crnn_ctc.drawing.typeface import HAN_FACES, HELD, typeface
from crnn_ctc.plates.text import DOT
from crnn_ctc.reading import Reading

_WIDTH = 640
_TALLEST = 1280  # a picture that is high and narrow must not grow without bounds
_HEAD, _LETTERS, _EDGE = 64, 34, 12
_LARGE, _SMALL, _NUMBER, _LEAST = 40, 26, 30, 8  # sizes of type, pixels an em
_INK = "#101418"
_PAPER = "#ffffff"
_LINE = "#2f80ed"
_GOOD, _FAIR, _POOR = "#0a7d33", "#b06a00", "#c01c28"


def confidence_colour(confidence: float) -> str:
    """The colour of a confidence: green if almost certain, amber if likely, red below."""
    return _GOOD if confidence >= 0.95 else _FAIR if confidence >= 0.5 else _POOR


def annotate(
    image: NDArray[np.uint8], reading: Reading, title: str | None = None, places: bool = True
) -> Image.Image:
    """Draw a reading over the picture it was read in.

    The picture is enlarged or shrunk to 640 pixels wide. Above it stand the text, its confidence
    and the characters, each in the colour of its own confidence. A reading that was not accepted
    is red, and called refused. An empty text has no confidence.

    Args:
        image: RGB, uint8 (H, W, 3).
        reading: reading of that picture.
        title: formats its text; by default it is shown unchanged.
        places: draw each character above its place, with connecting lines; otherwise, or if the
            places are too close, they are spread evenly. If the reading has corners, the plate is
            outlined and characters are drawn above their places.
    """
    height, width = image.shape[:2]
    scale = min(_WIDTH / width, _TALLEST / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    left, top = (_WIDTH - picture.width) // 2, _HEAD + _LETTERS
    sheet = Image.new("RGB", (_WIDTH, top + picture.height), _PAPER)
    sheet.paste(picture, (left, top))
    draw = ImageDraw.Draw(sheet)
    words, numbers = Pen(draw, bundled=not reading.text.isascii()), Pen(draw, bundled=False)

    shown = f"{100 * reading.confidence:.1f} %" if reading.text else ""
    refused = reading.text != "" and not reading.accepted
    if refused:
        shown = f"refused, {shown}"
    room = _WIDTH - 4 * _EDGE - numbers.length(shown, _NUMBER)
    text = title or reading.text or "no text"
    fits = max(_LEAST, min(_LARGE, int(_LARGE * room / words.length(text, _LARGE))))
    words.write((_EDGE, _HEAD / 2), text, _POOR if refused else _INK, fits, 0)
    colour = _POOR if refused else confidence_colour(reading.confidence)
    numbers.write((_WIDTH - _EDGE, _HEAD / 2), shown, colour, _NUMBER, 1)

    if reading.corners:
        outline = [(left + x * scale, top + y * scale) for x, y in reading.corners]
        draw.line([*outline, outline[0]], _LINE, 3, joint="curve")
    characters = reading.characters
    middles = [left + (c.start + c.end) / 2 * scale for c in characters]
    small, cell = _SMALL, _WIDTH / max(1, len(characters))
    halves = [words.length(c.text, small) / 2 for c in characters]
    if reading.corners and _clear(middles, halves):
        pass  # characters stand where they were found, and the outline shows the plate
    elif places and _clear(middles, halves):
        for one, other in pairwise(characters):
            x = left + (one.end + other.start) / 2 * scale
            draw.line((x, _HEAD + 6, x, sheet.height), _LINE, 2)
    else:
        middles = [(k + 0.5) * cell for k in range(len(characters))]
        small = max(_LEAST, min(small, int(small * cell / (2 * max(halves, default=1)))))
    for character, middle in zip(characters, middles, strict=True):
        rim = words.length(character.text, small) / 2 + 2  # none is cut
        x = min(max(middle, rim), _WIDTH - rim)
        colour = confidence_colour(character.confidence)
        words.write((x, top - _LETTERS / 2), character.text, colour, small, 0.5)
    return sheet


def _clear(middles: Sequence[float], halves: Sequence[float]) -> bool:
    """Whether letters with half widths ``halves`` are in order and do not touch."""
    letters = zip(middles, halves, strict=True)
    return all(b - a > one + other for (a, one), (b, other) in pairwise(letters))


@dataclass(frozen=True)
class Pen:
    """Writes lines of text.

    Args:
        draw: drawing context of the picture.
        bundled: use the bundled typeface where it has the character; otherwise the default one,
            which has no Chinese characters.
    """

    draw: ImageDraw.ImageDraw
    bundled: bool

    def write(
        self, at: tuple[float, float], text: str, colour: str, size: int, align: float
    ) -> None:
        """``text`` with its capitals centred on y; ``align`` 0 begins, 1 ends at x."""
        x = at[0] - align * self.length(text, size)
        baseline = at[1] + 0.36 * size  # half the height of a capital
        for font, part in self._runs(text, size):
            advance = _advance(font, part, size)
            middle = x + (advance - font.getlength(part)) / 2
            self.draw.text((middle, baseline), part, colour, font, anchor="ls")
            x += advance

    def length(self, text: str, size: int) -> float:
        """In pixels."""
        return sum(_advance(font, part, size) for font, part in self._runs(text, size))

    def _runs(self, text: str, size: int) -> list[tuple[ImageFont.FreeTypeFont, str]]:
        """``text`` split into parts, each with a typeface that has it; a dot is its own part."""
        parts = groupby(text, lambda c: DOT if c == DOT else self.bundled and c in HELD)
        return [
            (typeface(HAN_FACES[0], size) if kind and self.bundled else _plain(size), "".join(part))
            for kind, part in parts
        ]


def _advance(font: ImageFont.FreeTypeFont, part: str, size: int) -> float:
    """Length of a part; the dot gets less than half the width of a Chinese character."""
    return 0.45 * size if part == DOT else font.getlength(part)


@cache
def _plain(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # given a size, it is one
    return font
