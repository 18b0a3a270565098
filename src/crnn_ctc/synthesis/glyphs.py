"""Plate characters as ink masks, from strokes, bundled typefaces or a folder of pictures.

The typefaces are in :mod:`crnn_ctc.drawing.typeface`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from crnn_ctc.alphabet import PLATES, PLATES_CN
from crnn_ctc.drawing.typeface import HAN_FACES, typeface
from crnn_ctc.errors import InputError
from crnn_ctc.image import FORMATS
from crnn_ctc.synthesis.strokes import draw_strokes

Slot = Literal["row", "green", "upper", "lower", "number", "initial", "small"]
"""Position of a character: on a one-row or new-energy plate, in a row of a two-row plate, as a
digit in the upper row of an agricultural plate, large or small on an old armed-police plate."""

#: Width and height of a character, millimetres (GA36-2018).
SLOTS: dict[Slot, tuple[float, float]] = {
    "row": (45, 90),
    "green": (43, 90),
    "upper": (80, 60),
    "lower": (65, 110),
    "number": (45, 60),
    "initial": (40, 90),
    "small": (30, 45),
}
SCALE = 0.6
"""Pixels per millimetre of a plate face, before the perspective transform."""

HAN = "".join(c for c in PLATES_CN.characters if ord(c) > 127)
LATIN = "".join(c for c in PLATES.characters if ord(c) < 128)

#: Stroke widths, millimetres, from thin to thick paint.
WEIGHTS = (8.5, 10.0, 11.5, 13.0)

_OBLIQUE = {"plate-han-condensed.ttf": 0.141}  # slant to undo, pixels of x per pixel of y
_EM = 160
_PREFIXES: dict[Slot, tuple[str, ...]] = {
    "row": ("140",),
    "green": ("green", "140"),
    "upper": ("220_up", "220", "140"),
    "lower": ("220_down", "220", "140"),
    "number": ("140",),
    "initial": ("140",),
    "small": ("140",),
}


@dataclass(frozen=True)
class Style:
    """Sources of a plate's characters.

    Args:
        han: bundled typeface of the Chinese characters, one of ``HAN_FACES``.
        latin: bundled typeface of digits and letters, one of ``LATIN_FACES``; None: strokes.
        weight: stroke width, millimetres; Chinese characters are thickened to match.
        folder: pictures that take precedence for the characters they contain.
    """

    han: str = HAN_FACES[0]
    latin: str | None = None
    weight: float = 11.5
    folder: Path | None = None


@lru_cache(maxsize=20_000)
def glyph(style: Style, character: str, slot: Slot) -> NDArray[np.uint8]:
    """Draw a character as an ink mask: uint8 (height, width) of ``slot``, 255 is ink.

    Raises:
        InputError: the folder of ``style`` cannot be used.
    """
    if character == "O":  # plates use the same shape for both
        character = "0"
    width, height = slot_pixels(slot)
    picture = _from_folder(style.folder, character, slot) if style.folder else None
    if picture is not None:
        mask = _boxed(picture, width, height)
    elif character in HAN:
        mask = _boxed(_typeset(style.han, character), width, height)
        pen = (style.weight - 10.0) * SCALE / 8
        mask = _thicken(mask, pen)
    elif style.latin is not None:
        mask = _boxed(_typeset(style.latin, character), width, height)
    else:
        pen = style.weight * (0.6 if slot == "small" else 1.0)
        mask = draw_strokes(character, SLOTS[slot], (width, height), pen, slot == "green")
    mask.setflags(write=False)  # cached, hence shared
    return mask


def slot_pixels(slot: Slot) -> tuple[int, int]:
    """Width and height of a mask of ``slot``."""
    width, height = SLOTS[slot]
    return round(width * SCALE), round(height * SCALE)


def _boxed(ink: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Crop to the ink and stretch to the box; narrow glyphs such as 1 keep their aspect ratio."""
    rows, columns = np.flatnonzero(ink.max(1) > 127), np.flatnonzero(ink.max(0) > 127)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inner = width
    if ink.shape[1] < 0.3 * ink.shape[0]:
        inner = min(width, max(1, round(ink.shape[1] * height / ink.shape[0])))
    mask = cv2.resize(ink, (inner, height), interpolation=cv2.INTER_AREA)
    left = (width - inner) // 2
    return np.pad(mask, ((0, 0), (left, width - inner - left)))


def _thicken(mask: NDArray[np.uint8], pixels: float) -> NDArray[np.uint8]:
    """Widen the ink horizontally by a fraction of a pixel; negative values narrow it."""
    change = cv2.dilate if pixels > 0 else cv2.erode
    other = change(mask, np.ones((1, 3), np.uint8))
    share = min(1.0, abs(pixels))
    return np.asarray(cv2.addWeighted(mask, 1 - share, other, share, 0), np.uint8)


@cache
def _typeset(name: str, character: str) -> NDArray[np.uint8]:
    picture = Image.new("L", (2 * _EM, 2 * _EM))
    place = (_EM // 2, _EM // 4)
    ImageDraw.Draw(picture).text(place, character, font=typeface(name, _EM), fill=255)
    slant = _OBLIQUE.get(name)
    if slant:
        upright = (1, -slant, slant * _EM, 0, 1, 0)
        picture = picture.transform(
            picture.size, Image.Transform.AFFINE, upright, Image.Resampling.BILINEAR
        )
    return np.asarray(picture)


def _from_folder(folder: Path, character: str, slot: Slot) -> NDArray[np.uint8] | None:
    pictures = folder_glyphs(folder)
    for prefix in _PREFIXES[slot]:
        path = pictures.get(f"{prefix}_{character}")
        if path is not None:
            return _read(path)
    return None


@cache
def folder_glyphs(folder: Path) -> dict[str, Path]:
    """List the pictures of a glyph folder by name, such as ``140_皖`` or ``220_up_A``.

    The layout is that of Pengfei8324/chinese_license_plate_generator: dark characters on white, in
    the folder or its ``font_model``; prefix 140 for one-row plates, green for new-energy ones, 220
    for two-row ones (220_up and 220_down for each row).

    Raises:
        InputError: the folder does not exist, or lacks a digit or letter.
    """
    root = folder / "font_model" if (folder / "font_model").is_dir() else folder
    if not root.is_dir():
        raise InputError(f"{folder}: no such folder; name one that holds pictures like 140_A.jpg")
    named = re.compile(r"(140|green|220|220_up|220_down)_.\.(jpg|jpeg|png|bmp)", re.IGNORECASE)
    found = {path.stem: path for path in sorted(root.iterdir()) if named.fullmatch(path.name)}
    missing = [c for c in LATIN if f"140_{c}" not in found]
    if missing:
        raise InputError(
            f"{folder}: no picture 140_{missing[0]}.jpg ({len(missing)} of {len(LATIN)} digits and "
            "letters missing); name a folder that holds them all"
        )
    return found


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path, formats=FORMATS) as picture:
            grey = 255 - np.asarray(picture.convert("L"))
    except OSError:
        raise InputError(f"{path}: not a readable picture; remove or replace it") from None
    if grey.max() < 128:
        raise InputError(f"{path}: holds no dark character; remove or replace it")
    return grey
