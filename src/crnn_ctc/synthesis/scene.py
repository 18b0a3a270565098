"""Rendering of a plate face: bending, perspective, light, dirt, background, crop.

Probabilities and ranges were set by comparing brightness and sharpness with three kinds of real
crops: boxes around tilted plates, rectified plates, loose detections.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.synthesis.face import MARGIN, NEUTRAL, Face
from crnn_ctc.synthesis.glyphs import SCALE
from crnn_ctc.synthesis.text import Draws, Kind
from crnn_ctc.synthesis.textures import clouds, surroundings

Cut = Literal["mixed", "corners", "box"]
"""How a detector crops plates: rectified by their corners, as a bounding box, or both."""

_Colour = tuple[float, float, float]
_Field = NDArray[np.float32]
"""(height, width), or (3, height, width) with colour planes, which are faster than pixels."""

#: Reflectance of plate and ink, RGB, 1 is white; roughly the paint as seen by cameras.
_PAINTS: dict[Kind, tuple[_Colour, _Colour]] = {
    "blue": ((0.10, 0.38, 0.84), (0.97, 0.97, 0.97)),
    "yellow": ((0.97, 0.78, 0.30), (0.10, 0.09, 0.09)),
    "yellow_two_row": ((0.97, 0.76, 0.28), (0.10, 0.09, 0.09)),
    "trailer": ((0.97, 0.76, 0.28), (0.10, 0.09, 0.09)),
    "coach": ((0.97, 0.78, 0.30), (0.10, 0.09, 0.09)),
    "hazard": ((0.97, 0.62, 0.20), (0.12, 0.08, 0.08)),
    "green": ((0.26, 0.78, 0.47), (0.08, 0.09, 0.09)),
    "green_large": ((0.35, 0.82, 0.55), (0.08, 0.09, 0.09)),
    "police": ((0.95, 0.95, 0.95), (0.08, 0.08, 0.09)),
    "cross_border": ((0.07, 0.07, 0.08), (0.95, 0.95, 0.95)),
    "consulate": ((0.07, 0.07, 0.08), (0.95, 0.95, 0.95)),
    "embassy": ((0.07, 0.07, 0.08), (0.95, 0.95, 0.95)),
    "foreign": ((0.07, 0.07, 0.08), (0.95, 0.95, 0.95)),
    "airport": ((0.05, 0.42, 0.25), (0.95, 0.95, 0.95)),
    "emergency": ((0.95, 0.95, 0.95), (0.08, 0.08, 0.09)),
    "armed_police": ((0.95, 0.95, 0.95), (0.08, 0.08, 0.09)),
    "armed_police_old": ((0.95, 0.95, 0.95), (0.08, 0.08, 0.09)),
    "army": ((0.95, 0.95, 0.95), (0.08, 0.08, 0.09)),
    "farm": ((0.05, 0.42, 0.25), (0.95, 0.95, 0.95)),
}
#: Colour names of the plates, as in manifests.
COLOURS: dict[Kind, str] = {
    **dict.fromkeys(_PAINTS, "black"),
    **dict.fromkeys(("yellow", "yellow_two_row", "trailer", "coach", "hazard"), "yellow"),
    **dict.fromkeys(("green", "green_large", "airport", "farm"), "green"),
    "blue": "blue",
    **dict.fromkeys(("police", "emergency", "armed_police", "armed_police_old", "army"), "white"),
}
_RED = (0.92, 0.13, 0.14)
_YELLOW = (0.97, 0.80, 0.25)


def render_scene(
    face: Face,
    kind: Kind,
    height: int,
    width: int,
    draws: Draws,
    cut: Cut = "mixed",
    perspective: float = 1.0,
    corners: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Render the crop of a plate as light: float32 (height, width, 3), 255 is white.

    Uses at most 220 numbers of ``draws``. ``cut`` and ``perspective`` are those of
    :class:`~crnn_ctc.synthesis.synthesizer.PlateSynthesizer`; ``corners``, as fractions of the
    crop (4, 2), replaces both.
    """
    x, y = _view(face, height, width, draws, cut, perspective, corners)
    seen = cv2.remap(
        face.layers, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, (0, 0, 0, NEUTRAL)
    )
    layers = cv2.split(np.asarray(seen, np.float32) * np.float32(1 / 255))
    ink, plate, frame, detail = (np.asarray(layer, np.float32) for layer in layers)

    if draws.chance(0.15):  # worn paint
        bare = _stain(height, width, draws, 0, draws.between(1.1, 2.4))
        ink *= 1 - bare * np.float32(draws.between(0.3, 0.85))
    scene = _behind(height, width, draws)
    _lay(scene, _paint(face, kind, x, y, draws), plate)
    _lay(scene, _ink(face, kind, x, draws), ink * plate)
    _lay(scene, _frame_colour(draws), frame)
    _emboss(scene, ink, draws)
    scene += (detail - np.float32(NEUTRAL / 255)) * np.float32(draws.between(0.4, 1.1))
    if draws.chance(0.2):  # mud, dust
        mud = _stain(height, width, draws, draws.below(4), draws.between(0.9, 2.2))
        tone = draws.between(0.15, 0.6)
        _lay(scene, (tone * 1.1, tone, tone * 0.85), mud * np.float32(draws.between(0.2, 0.75)))
    return np.asarray(cv2.merge(list(_light(scene, height, width, draws))), np.float32)


def scenery(height: int, width: int, draws: Draws) -> NDArray[np.float32]:
    """Render a background without a plate: float32 (height, width, 3), 255 is white."""
    scene = _behind(height, width, draws)
    return np.asarray(cv2.merge(list(_light(scene, height, width, draws))), np.float32)


def _view(
    face: Face,
    height: int,
    width: int,
    draws: Draws,
    cut: Cut,
    perspective: float,
    corners: _Field | None = None,
) -> tuple[_Field, _Field]:
    """Map each pixel of the crop to x and y in the face's layers."""
    w, h = face.width, face.height
    if corners is None:
        way = draws.next()
        straightened = way < 0.4 if cut == "mixed" else cut == "corners"
        corners = _rectified(h, draws) if straightened else _boxed(w, h, draws, loose=way > 0.95)
        corners = _STRAIGHT + np.float32(perspective) * (corners - _STRAIGHT)
    target = corners * np.array([width, height], np.float32)
    source = (np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32) + MARGIN) * SCALE
    m = cv2.getPerspectiveTransform(target.astype(np.float32), source).astype(np.float32)
    px, py = _pixels(height, width)
    below = m[2, 0] * px + m[2, 1] * py + m[2, 2]
    x = (m[0, 0] * px + m[0, 1] * py + m[0, 2]) / below
    y = (m[1, 0] * px + m[1, 1] * py + m[1, 2]) / below
    if draws.chance(0.35):  # bent sheet: a bow and a wave
        across = x * (2 / (w * SCALE)) - np.float32(1 + 2 * MARGIN / w)
        bow, wave = draws.bell() * 2.2 * SCALE, draws.bell() * 1.5 * SCALE
        phase = draws.between(0, 6.3)
        y += np.float32(bow) * across * across
        y += np.float32(wave) * np.sin(across * np.float32(draws.between(1, 3.5)) + phase)
        x += np.float32(draws.bell() * 2 * SCALE) * across * across
    return x, y


_STRAIGHT = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
"""The corners of a plate that fills its crop."""


@cache
def _pixels(height: int, width: int) -> tuple[_Field, _Field]:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    return x[:1], y[:, :1]


def _rectified(h: int, draws: Draws) -> _Field:
    """Corners of the plate in an imperfectly rectified crop: fractions of the crop, (4, 2)."""
    left, right = (draws.bell() * 0.022 for _ in range(2))
    inside = 0.4 if h > 200 else 1.0  # two rows fill more of the plate
    top = (draws.bell() * 0.07 - 0.02) * inside
    bottom = (draws.bell() * 0.08 - 0.045) * inside
    corners = np.array([(left, top), (1 - right, top), (1 - right, 1 - bottom), (left, 1 - bottom)])
    slant = draws.bell() * 0.015
    corners[:, 0] += np.array([slant, slant, -slant, -slant])
    tilt = draws.bell() * 0.025
    corners[:, 1] += np.array([tilt, -tilt, -tilt, tilt])
    corners += np.array([draws.bell() for _ in range(8)]).reshape(4, 2) * np.array([0.008, 0.02])
    return corners.astype(np.float32)


def _boxed(w: int, h: int, draws: Draws, loose: bool) -> _Field:
    """Corners of a plate rotated in 3D, in its bounding box: fractions of the box, (4, 2)."""
    roll, yaw, pitch = draws.bell() * 4.5, draws.bell() * 17, draws.bell() * 14
    distance = draws.between(1.5, 5) * w
    corners = []
    cr, sr = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    cy, sy = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    cp, sp = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    shear = math.radians(yaw) * math.radians(pitch) + draws.bell() * 0.10  # lens, mounting
    for x, y in ((-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)):
        x, depth = x * cy, x * sy
        y, depth = y * cp - depth * sp, y * sp + depth * cp
        x += shear * y
        x, y = x * cr - y * sr, x * sr + y * cr
        corners.append((x / (1 + depth / distance), y / (1 + depth / distance)))
    quad = np.array(corners)
    low, size = quad.min(0), np.ptp(quad, axis=0)
    if loose:
        sides = [draws.between(0.02, 0.2) for _ in range(4)]
    else:
        sides = [0.012 + draws.bell() * 0.018 for _ in range(4)]
    before, after = np.array(sides[:2]), np.array(sides[2:])
    return np.asarray((quad - low) / size * (1 - before - after) + before, np.float32)


def _lay(scene: _Field, colour: _Colour | _Field, cover: _Field) -> None:
    """Paint ``colour`` over ``scene`` where ``cover`` is 1."""
    over = (_plane(colour) if isinstance(colour, tuple) else colour) - scene
    over *= cover
    scene += over


def _plane(colour: _Colour | list[float]) -> _Field:
    return np.array(colour, np.float32)[:, None, None]


def _vary(colour: _Colour, draws: Draws, by: float) -> _Colour:
    """Vary ``colour`` slightly, as paint differs by age and maker."""
    r, g, b = (max(0.0, c + draws.bell() * by) for c in colour)
    return r, g, b


def _paint(face: Face, kind: Kind, x: _Field, y: _Field, draws: Draws) -> _Colour | _Field:
    base = _vary(_PAINTS[kind][0], draws, 0.035)
    if kind == "blue":  # this colour varies most between cameras
        return (
            max(0.0, base[0] + draws.bell() * 0.05),
            base[1] + draws.bell() * 0.08,
            base[2] + draws.bell() * 0.08,
        )
    if kind in ("yellow", "yellow_two_row", "trailer", "coach", "hazard"):
        return base[0], base[1] - draws.next() ** 3 * 0.35, max(0.0, base[2] + draws.bell() * 0.09)
    if kind == "green":
        pale = _plane(_vary((0.90, 0.96, 0.92), draws, 0.02))
        down = np.clip(y / np.float32(face.height * SCALE) - np.float32(MARGIN / face.height), 0, 1)
        strong = _plane(base) - np.float32(draws.between(0, 0.2))
        strong[1] += np.float32(0.1)
        share = down * down if draws.chance(0.4) else down
        return np.asarray(pale + share * (strong - pale), np.float32)
    if kind == "green_large":
        edge = (MARGIN + draws.between(118, 140)) * SCALE
        green = np.clip(x - np.float32(edge), 0, 1)
        yellow = _plane(_vary(_YELLOW, draws, 0.04))
        return np.asarray(yellow + green * (_plane(base) - yellow), np.float32)
    return base


def _ink(face: Face, kind: Kind, x: _Field, draws: Draws) -> _Colour | _Field:
    ink = _vary(_PAINTS[kind][1], draws, 0.025)
    if draws.chance(0.15):  # faded towards the plate's colour
        plate, fade = _PAINTS[kind][0], draws.between(0.1, 0.4)
        ink = tuple(a + (b - a) * fade for a, b in zip(ink, plate, strict=True))  # type: ignore[assignment]
    if face.accent is None or draws.chance(0.1):
        return ink
    low, high = face.accent
    red = ((x > low) & (x < high)).astype(np.float32)
    normal = _plane(ink)
    return np.asarray(normal + red * (_plane(_RED) - normal), np.float32)


def _frame_colour(draws: Draws) -> _Colour:
    low, high = (0.02, 0.2) if draws.chance(0.6) else (0.4, 0.9)  # black plastic, chrome
    tone = draws.between(low, high)
    return _vary((tone, tone, tone), draws, 0.02)


def _emboss(scene: _Field, ink: _Field, draws: Draws) -> None:
    """Shade embossed characters: lighter edges towards the light, darker ones away from it."""
    if draws.chance(0.5):
        strength = np.float32(draws.between(0.05, 0.35))
        edge = ink[1:, 1:] - ink[:-1, :-1] if draws.chance(0.7) else ink[1:, :-1] - ink[:-1, 1:]
        scene[:, 1:, 1:] += edge * strength


def _behind(height: int, width: int, draws: Draws) -> _Field:
    """Background around the plate."""
    bank = surroundings(height, width)
    k, top, left = draws.below(len(bank)), draws.below(height), draws.below(width)
    cut = bank[k, :, top : top + height, left : left + width]
    return np.asarray(cut * np.float32(draws.between(0.3, 1.1) / 255), np.float32)


def _cloud(height: int, width: int, k: int, draws: Draws) -> _Field:
    bank = clouds(height, width)
    top, left = draws.below(2 * height), draws.below(2 * width)
    return bank[k, top : top + height, left : left + width]


def _stain(height: int, width: int, draws: Draws, k: int, above: float) -> _Field:
    """Random stains, from 0 (clean) to 1 (covered); a higher ``above`` covers less."""
    cover = _cloud(height, width, k, draws) - np.float32(above)
    cover *= np.float32(1.6)
    return np.asarray(np.clip(cover, 0, 1, out=cover), np.float32)


def _light(scene: _Field, height: int, width: int, draws: Draws) -> _Field:
    """Apply exposure, colour cast, shadow, glare, haze, saturation and contrast."""
    night = draws.chance(0.08)
    exposure = draws.between(0.40, 0.70) if night else 0.94 + 0.19 * draws.bell()
    exposure = min(max(exposure, 0.3), 1.55)
    cast = [1 + draws.bell() * 0.06 for _ in range(3)]
    if draws.chance(0.2):  # street lamps, poor white balance
        strong = draws.below(4)
        warm = ((1.15, 0.95, 0.7), (0.75, 0.95, 1.2), (0.85, 1.15, 0.9), (1.15, 0.9, 1.1))[strong]
        cast = [c * (1 + (s - 1) * draws.between(0.3, 1)) for c, s in zip(cast, warm, strict=True)]
    field = _cloud(height, width, 5, draws) * np.float32(draws.next() ** 2 * 0.22)
    field += np.float32(exposure)
    if draws.chance(0.15):  # the edge of a shadow
        px, py = _pixels(height, width)
        theta = draws.between(0, 2 * math.pi)
        along = (px / width - draws.next()) * math.cos(theta) * 3.5 + (
            py / height - draws.next()
        ) * math.sin(theta)
        along = along + _cloud(height, width, 4, draws) * np.float32(draws.next() ** 2 * 0.3)
        shade = np.clip(along * np.float32(draws.between(4, 40)), 0, 1)
        field *= 1 - shade * np.float32(draws.between(0.2, 0.55))
    scene *= field
    scene *= _plane(cast)
    if draws.chance(0.12):  # reflection of the sun or headlamps
        px, py = _pixels(height, width)
        sx, sy = draws.between(0.08, 0.4) * width, draws.between(0.2, 1.0) * height
        gx = np.exp(-(((px - draws.next() * width) / np.float32(sx)) ** 2))
        gy = np.exp(-(((py - draws.next() * height) / np.float32(sy)) ** 2))
        scene += gy * gx * np.float32(draws.between(0.2, 0.9))
    haze = draws.next() ** 2.5 * 0.42
    air = draws.between(0.25, 0.75) * exposure
    scene *= np.float32(1 - haze)
    scene += np.float32(haze * air)
    saturation = 0.06 if draws.chance(0.04) else 1.18 + 0.24 * draws.bell()
    if abs(saturation - 1) > 0.02:
        grey = sum(np.float32(w) * p for w, p in zip((0.30, 0.59, 0.11), scene, strict=True))
        scene -= grey
        scene *= np.float32(saturation)
        scene += grey
    if draws.chance(0.25):  # contrast raised or lowered by the camera
        gain, middle = draws.between(0.6, 1.7), draws.between(0.3, 0.6)
        scene -= np.float32(middle)
        scene *= np.float32(gain)
        scene += np.float32(middle)
    scene *= np.float32(255)
    return scene
