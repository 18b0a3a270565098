"""Plate face as layers: ink, plate, frame and detail, without colour or lighting.

Proportions follow GA36-2018, in millimetres at ``SCALE`` pixels per millimetre. A margin around
the plate holds the frame, if there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.synthesis.glyphs import SCALE, SLOTS, Slot, Style, glyph
from crnn_ctc.synthesis.text import TWO_ROW, Draws, Kind, PlateText

Frame = Literal["none", "thin", "thick", "lettered"]

MARGIN = 30
"""Margin around the plate, in millimetres."""
NEUTRAL = 128
"""Neutral value of the detail layer; higher is lighter, lower is darker."""

_GREEN: tuple[Kind, ...] = ("green", "green_large")
_WIDE: tuple[Kind, ...] = (*_GREEN, "emergency", "armed_police")
"""Kinds with eight characters, 480 mm wide."""
#: The dot's position, as a number of characters before it, where that is not 2.
_DOT_AFTER: dict[Kind, int] = {"police": 1, "armed_police": 3}


@dataclass(frozen=True)
class Face:
    """A plate face before it is rendered.

    Args:
        layers: uint8 (H, W, 4): ink, plate, frame (0 to 255 each) and detail (see ``NEUTRAL``).
        width: width of the plate, millimetres, without the margin.
        height: height of the plate, millimetres, without the margin.
        accent: x range of the red ink, in pixels; None if there is none.
    """

    layers: NDArray[np.uint8]
    width: int
    height: int
    accent: tuple[float, float] | None


def draw_face(plate: PlateText, style: Style, draws: Draws) -> Face:
    """Draw ``plate`` in ``style``, using at most 60 numbers of ``draws``."""
    kind = plate.kind
    width = 480 if kind in _WIDE else 440
    height = 220 if kind in TWO_ROW else 140
    frame: Frame = ("none", "thin", "thick", "lettered")[
        min(3, int(np.searchsorted((0.55, 0.75, 0.9), draws.next())))
    ]
    border = draws.chance(0.85) and kind != "hazard"
    ink, plate_layer, frame_layer, detail = (
        layer.copy() for layer in _blank(width, height, border, frame, draws.below(4))
    )

    accent: tuple[float, float] | None = None
    placed, dot = _places(plate)
    if kind == "farm":
        placed = _varied_farm(placed, draws)
    lift = draws.between(-1, 1)
    for place, character in zip(placed, plate.text, strict=True):
        mask = glyph(style, character, place.slot)
        x = round(_pixel(place.x + draws.between(-0.8, 0.8)))
        y = round(_pixel(place.y + lift + draws.between(-0.8, 0.8)))
        h, w = mask.shape
        window = ink[y : y + h, x : x + w]
        np.maximum(window, mask, out=window)
        if _is_accent(kind, character):
            accent = (accent[0] if accent else x - 2.0, x + w + 2.0)
    if dot is not None and draws.chance(0.93):
        at = (round(_pixel(dot[0])), round(_pixel(dot[1])))
        if kind == "armed_police_old":
            cv2.circle(detail, at, round(9 * SCALE), 70, -1, cv2.LINE_AA)
        elif kind in _GREEN:  # a pale emblem of several colours
            cv2.ellipse(ink, at, (round(9 * SCALE), round(12 * SCALE)), 0, 0, 300, 130, 3)
            cv2.circle(detail, at, round(7 * SCALE), 170, -1, cv2.LINE_AA)
        else:
            radius = draws.between(4, 6.5) * SCALE
            strength = int(draws.between(150, 256))
            cv2.circle(ink, at, round(radius), strength, -1, cv2.LINE_AA)
    _screw(detail, width, height, draws)
    return Face(np.dstack([ink, plate_layer, frame_layer, detail]), width, height, accent)


@dataclass(frozen=True)
class _Place:
    """The upper left corner of a character, millimetres."""

    x: float
    y: float
    slot: Slot


def _places(plate: PlateText) -> tuple[list[_Place], tuple[float, float] | None]:
    """Positions of the characters and of the dot."""
    kind, text = plate.kind, plate.text
    if kind == "farm":  # NY 345.1: a province, then the two-digit issuing office
        upper = [_Place(80, 15, "upper"), _Place(229, 15, "number"), _Place(307, 15, "number")]
        pitch = (440 - 2 * 27.5 - SLOTS["lower"][0]) / 4
        return upper + [_Place(27.5 + pitch * k, 90, "lower") for k in range(5)], None
    if kind == "armed_police_old":  # 2004 and 2007: two small region digits below an emblem
        initials = [_Place(9, 25, "initial"), _Place(52, 25, "initial")]
        small = [_Place(98, 70, "small"), _Place(132, 70, "small")]
        return initials + small + [_Place(170 + 53 * k, 25, "row") for k in range(5)], (129, 46)
    if kind in TWO_ROW:
        pitch = (440 - 2 * 27.5 - SLOTS["lower"][0]) / (len(text) - 3)
        upper = [_Place(107.5, 15, "upper"), _Place(252.5, 15, "upper")]
        lower = [_Place(27.5 + pitch * k, 90, "lower") for k in range(len(text) - 2)]
        return upper + lower, (220, 45)
    if kind == "hazard":
        return [_Place(60 + 128 * k, 15, "lower") for k in range(len(text))], None
    slot: Slot = "green" if kind in _WIDE else "row"
    gap, dot_gap, width = (9, 49, 480) if kind in _WIDE else (12, 34, 440)
    dot_after = _DOT_AFTER.get(kind, 2)
    if kind == "embassy":
        dot_after = 4 if text[0] == "使" else 3
    step = SLOTS[slot][0]
    total = len(text) * step + (len(text) - 2) * gap + dot_gap
    x = (width - total) / 2
    places, dot = [], None
    for k in range(len(text)):
        places.append(_Place(x, 25, slot))
        x += step
        if k + 1 == dot_after:
            dot = (x + dot_gap / 2, 70.0)
            x += dot_gap
        else:
            x += gap
    return places, dot


def _varied_farm(places: list[_Place], draws: Draws) -> list[_Place]:
    """Vary the upper row as provinces do: narrow or wide digits, and their spacing."""
    province, *digits = places[:3]
    shift = draws.between(-12, 12)
    wide = draws.chance(0.3)
    slot: Slot = "upper" if wide else "number"
    x = digits[0].x + shift - (8 if wide else 0)
    step = SLOTS["upper"][0] + 8 if wide else digits[1].x - digits[0].x
    row = [_Place(x + step * k, digits[0].y, slot) for k in range(2)]
    return [_Place(province.x - shift, province.y, province.slot), *row, *places[3:]]


def kind_of(text: str, two_rows: bool = False) -> Kind:
    """Guess a kind with the same character layout, from the text's length and marks."""
    if two_rows:
        return "farm" if len(text) == 8 else "yellow_two_row"
    if text.startswith("WJ"):
        return "armed_police" if len(text) == 8 else "armed_police_old"
    if text == "危险品":
        return "hazard"
    if "使" in text:
        return "embassy"
    if text.endswith("警"):
        return "police"
    return "green" if len(text) == 8 else "blue"


def character_centres(text: str, two_rows: bool = False) -> tuple[tuple[float, float], ...]:
    """Character centres of a plate, as fractions of its width and height (GA36-2018).

    Args:
        text: text of the plate; characters are spaced evenly if no kind has this length.
        two_rows: whether the plate has two rows.

    Returns:
        x and y of each character's centre.
    """
    kind = kind_of(text, two_rows)
    width = 480 if kind in _WIDE else 440
    height = 220 if kind in TWO_ROW else 140
    if not 3 <= len(text) <= 9 or (two_rows and len(text) < 5):
        return tuple(((k + 0.5) / len(text), 0.5) for k in range(len(text)))
    places, _ = _places(PlateText(text, kind))
    return tuple(
        ((p.x + SLOTS[p.slot][0] / 2) / width, (p.y + SLOTS[p.slot][1] / 2) / height)
        for p in places
    )


_ACCENTS: dict[Kind, str] = {
    "police": "警",
    "embassy": "使",
    "consulate": "领",
    "emergency": "应急",
    "armed_police": "WJ",
    "armed_police_old": "WJ",
}


def _is_accent(kind: Kind, character: str) -> bool:
    return character in _ACCENTS.get(kind, "")


def _pixel(millimetres: float) -> float:
    return (millimetres + MARGIN) * SCALE


@cache
def _blank(
    width: int, height: int, border: bool, frame: Frame, variant: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the four layers of a plate without characters."""
    shape = (round((height + 2 * MARGIN) * SCALE), round((width + 2 * MARGIN) * SCALE))
    ink, plate, framed = (np.zeros(shape, np.uint8) for _ in range(3))
    detail = np.full(shape, NEUTRAL, np.uint8)
    _rounded(plate, 0, 0, width, height, 8, 255, -1)
    if border:
        inset, pen, strength = 2.5 + variant, 2 - (variant & 1), 240 - 40 * (variant % 3)
        _rounded(ink, inset, inset, width - inset, height - inset, 8, strength, pen)
    if frame != "none":
        side = {"thin": 7, "thick": 16, "lettered": 14}[frame] + variant
        below = 27 if frame == "lettered" else side
        _rounded(framed, -side, -side, width + side, height + below, 4, 255, -1)
        over = 3  # the frame's lip overlaps the plate
        _rounded(framed, over, over, width - over, height - over, 4, 0, -1)
        if frame == "lettered":
            _dealer(detail, width, height, variant)
    return ink, plate, framed, detail


def _dealer(detail: NDArray[np.uint8], width: int, height: int, variant: int) -> None:
    """Draw pseudo-text on the frame below the plate, like a dealer's name."""
    x = width * (0.12 + 0.08 * variant)
    k = variant * 7
    while x < width * (0.9 - 0.06 * variant):
        k += 1
        top, wide = height + 7 + (k * 5 % 3), 4 + (k * 7 % 5)
        kinds = [((x, top), (x, top + 12)), ((x, top + 12), (x + wide, top + 12))]
        if k % 3:
            kinds.append(((x, top), (x + wide, top)))
        if k % 2:
            kinds.append(((x + wide, top), (x + wide, top + 12)))
        for a, b in kinds:
            cv2.line(detail, _point(a), _point(b), 225, 1, cv2.LINE_AA)
        x += wide + (12 if k % 4 == 0 else 4)


def _point(place: tuple[float, float]) -> tuple[int, int]:
    return round(_pixel(place[0])), round(_pixel(place[1]))


def _rounded(
    layer: NDArray[np.uint8],
    left: float,
    top: float,
    right: float,
    bottom: float,
    radius: float,
    value: int,
    pen: int,
) -> None:
    """Draw a rectangle with rounded corners, in millimetres; pen -1 fills it."""
    corners = [
        (right - radius, bottom - radius, 0),
        (left + radius, bottom - radius, 90),
        (left + radius, top + radius, 180),
        (right - radius, top + radius, 270),
    ]
    points = [
        (_pixel(x + radius * np.cos(a)), _pixel(y + radius * np.sin(a)))
        for x, y, start in corners
        for a in np.deg2rad(np.linspace(start, start + 90, 6))
    ]
    outline = [np.rint(np.array(points) * 16).astype(np.int32)]
    if pen < 0:
        cv2.fillPoly(layer, outline, value, cv2.LINE_AA, 4)
    else:
        cv2.polylines(layer, outline, True, value, pen, cv2.LINE_AA, 4)


def _screw(detail: NDArray[np.uint8], width: int, height: int, draws: Draws) -> None:
    """Draw bolt caps, lighter or darker than the plate, with a shadow."""
    where = draws.below(6)  # 0: none; 1, 2: top only; 3 to 5: top and bottom
    value = int(draws.between(20, 250))
    radius = round(draws.between(5, 12) * SCALE)
    apart = 105 + draws.between(-5, 5)
    lines = (10 + draws.between(-2, 4), height - 10 + draws.between(-4, 2))
    if where == 0:
        return
    for y in lines[: 1 if where < 3 else 2]:
        for x in (width / 2 - apart, width / 2 + apart):
            centre = _point((x + draws.between(-4, 4), y))
            cv2.circle(detail, (centre[0] + 1, centre[1] + 1), radius, 70, -1, cv2.LINE_AA)
            cv2.circle(detail, centre, max(1, radius - 1), value, -1, cv2.LINE_AA)
