"""Digits and letters drawn from strokes, in the style of GA36 plates.

Plate characters are monoline: constant stroke width, straight stems, round bends, in a box of
45 x 90 mm. No free typeface matches that at every weight, so the strokes' centre lines are given
here and the weight is chosen when drawing. The paths are our own, modelled on real plates.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
_Path = list[Point]


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> _Path:
    """Points of an elliptical arc; angles in degrees, 0 is right, 90 is down."""
    steps = max(3, int(abs(end - start) / 12))
    angles = [math.radians(start + (end - start) * k / steps) for k in range(steps + 1)]
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


# Centre lines in the box: x from 0 (left) to 1, y from 0 (top) to 1. _R is the height of a half
# circle as wide as the box. Strokes that leave the box are cut off straight.
_R = 0.22
_C = 0.13  # height of the smaller bends
_TOP = _arc(0.5, _R, 0.5, _R, 180, 360)
_BOTTOM = _arc(0.5, 1 - _R, 0.5, _R, 0, 180)
_OUT = 0.3  # overshoot of a stem beyond the box


def _bowl(top: float, bottom: float, left: float = -_OUT, right: float = 1.0) -> _Path:
    """Path of the right-hand bowl of B, P and R, from the stem and back."""
    half = (bottom - top) / 2
    r = min(half, _R)
    bend = 2.2 * r
    return [
        (left, top),
        *_arc(right - bend, top + r, bend, r, 270, 360),
        *_arc(right - bend, bottom - r, bend, r, 0, 90),
        (left, bottom),
    ]


def _loop(top: float, bottom: float, left: float, right: float) -> _Path:
    half = (bottom - top) / 2
    r = min(half, _R)
    cx, rx = (left + right) / 2, (right - left) / 2
    path = [*_arc(cx, top + r, rx, r, 180, 360), *_arc(cx, bottom - r, rx, r, 0, 180)]
    return [*path, path[0]]


_SIX = [
    _loop(0.38, 1.0, 0.0, 1.0),
    [(0.98, -0.12), (0.70, 0.06), (0.34, 0.30), (0.10, 0.52), (0.0, 0.70)],
]

_PATHS: dict[str, list[_Path]] = {
    "0": [_loop(0, 1, 0, 1)],
    "1": [[(0.5, -_OUT), (0.5, 1 + _OUT)]],
    "2": [[(0, 0.26), *_TOP, (1, 0.30), (0.90, 0.42), (0.0, 1.0), (1 + _OUT, 1.0)]],
    "3": [
        [(-_OUT, 0), (0.92, 0), (0.90, 0.04), (0.36, 0.43), (0.40, 0.44),
         *_arc(0.55, 0.66, 0.45, 0.22, 270, 360), (1, 0.76),
         *_arc(0.5, 0.78, 0.5, 0.22, 0, 165)],
    ],
    "4": [[(0.66, -_OUT), (0.62, 0), (0.0, 0.74), (1 + _OUT, 0.74)], [(0.78, -_OUT), (0.78, 1.3)]],
    "5": [[(1 + _OUT, 0), (0.10, 0), (0.06, 0.46), *_arc(0.5, 0.60, 0.5, 0.20, 220, 360),
           (1, 0.78), *_arc(0.5, 0.78, 0.5, 0.22, 0, 165)]],
    "6": _SIX,
    "7": [[(-_OUT, 0), (1, 0), (0.80, 0.24), (0.60, 0.54), (0.48, 0.80), (0.42, 1.3)]],
    "8": [_loop(0, 0.45, 0.07, 0.93), _loop(0.45, 1, 0, 1)],
    "9": [[(1 - x, 1 - y) for x, y in path] for path in _SIX],
    "A": [[(-0.10, 1 + _OUT), (0.44, -0.06), (0.56, -0.06), (1.10, 1 + _OUT)],
          [(0.20, 0.70), (0.80, 0.70)]],
    "B": [[(0, -_OUT), (0, 1 + _OUT)], _bowl(0, 0.46, right=0.95), _bowl(0.46, 1)],
    "C": [[(1, 0.32), *reversed(_TOP), *reversed(_BOTTOM), (1, 0.68)]],
    "D": [[(0, -_OUT), (0, 1 + _OUT)], _bowl(0, 1)],
    "E": [[(0, -_OUT), (0, 1 + _OUT)], [(-_OUT, 0), (1 + _OUT, 0)], [(-_OUT, 1), (1 + _OUT, 1)],
          [(0, 0.48), (0.92, 0.48)]],
    "F": [[(0, -_OUT), (0, 1 + _OUT)], [(-_OUT, 0), (1 + _OUT, 0)], [(0, 0.48), (0.92, 0.48)]],
    "G": [[(1, 0.30), *reversed(_TOP), *reversed(_BOTTOM), (1, 0.54), (0.48, 0.54)]],
    "H": [[(0, -_OUT), (0, 1 + _OUT)], [(1, -_OUT), (1, 1 + _OUT)], [(0, 0.48), (1, 0.48)]],
    "J": [[(0.94, -_OUT), (0.94, 1 - _R), *_arc(0.48, 1 - _R, 0.46, _R, 0, 170)]],
    "K": [[(0, -_OUT), (0, 1 + _OUT)], [(1.15, -0.2), (0, 0.62)], [(0.36, 0.36), (1.1, 1.2)]],
    "L": [[(0, -_OUT), (0, 1 + _OUT)], [(-_OUT, 1), (1 + _OUT, 1)]],
    "M": [[(0, 1 + _OUT), (0, 0), (0.5, 0.62), (1, 0), (1, 1 + _OUT)],
          [(0, -_OUT), (0, 0.1)], [(1, -_OUT), (1, 0.1)]],
    "N": [[(0, 1 + _OUT), (0, 0), (1, 1), (1, -_OUT)], [(0, -_OUT), (0, 0)],
          [(1, 1 + _OUT), (1, 1)]],
    "P": [[(0, -_OUT), (0, 1 + _OUT)], _bowl(0, 0.54)],
    "Q": [_loop(0, 1, 0, 1), [(0.52, 0.70), (1.08, 1.12)]],
    "R": [[(0, -_OUT), (0, 1 + _OUT)], _bowl(0, 0.50), [(0.42, 0.5), (1.08, 1 + _OUT)]],
    "S": [[(0.98, 0.26), *_arc(0.5, 0.22, 0.46, 0.22, 0, -180), (0.04, 0.27), (0.12, 0.36),
           (0.30, 0.43), (0.66, 0.51), (0.88, 0.58), (0.98, 0.68), (1, 0.77),
           *_arc(0.5, 0.78, 0.5, 0.22, 0, 175)]],
    "T": [[(-_OUT, 0), (1 + _OUT, 0)], [(0.5, 0), (0.5, 1 + _OUT)]],
    "U": [[(0, -_OUT), (0, 1 - _R), *reversed(_BOTTOM), (1, -_OUT)]],
    "V": [[(-0.11, -_OUT), (0.46, 1.0), (0.54, 1.0), (1.11, -_OUT)]],
    "W": [[(-0.10, -_OUT), (0.22, 1.04), (0.5, 0.12), (0.78, 1.04), (1.10, -_OUT)]],
    "X": [[(-0.17, -0.2), (1.17, 1.2)], [(1.17, -0.2), (-0.17, 1.2)]],
    "Y": [[(-0.14, -0.2), (0.5, 0.52), (1.14, -0.2)], [(0.5, 0.52), (0.5, 1 + _OUT)]],
    "Z": [[(-_OUT, 0), (1, 0), (0, 1), (1 + _OUT, 1)]],
}  # fmt: skip
_FOOTED_ONE = [[(0.10, 0.20), (0.5, 0.0), (0.5, 1 + _OUT)], [(0.5, -_OUT), (0.5, 0)]]

_FINE = 4  # pixels per millimetre, before downsampling


def draw_strokes(
    character: str,
    box: tuple[float, float],
    size: tuple[int, int],
    weight: float,
    footed: bool = False,
) -> NDArray[np.uint8]:
    """Draw a digit or letter as an ink mask, 255 is ink.

    Args:
        character: one of 0-9, A-Z without I and O.
        box: width and height of the character, millimetres; the pen is always round.
        size: width and height of the mask, pixels.
        weight: stroke width, millimetres.
        footed: draw 1 with a flag, as on new-energy plates.

    Returns:
        uint8 (size[1], size[0]).
    """
    w, h = (round(side * _FINE) for side in box)
    pen = max(1, round(weight * _FINE))
    canvas = np.zeros((h, w), np.uint8)
    scale = np.array([w - pen, h - pen], np.float64)
    paths = _FOOTED_ONE if footed and character == "1" else _PATHS[character]
    for path in paths:
        points = np.rint((np.array(path) * scale + pen / 2) * 16).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, pen, cv2.LINE_AA, shift=4)
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)
