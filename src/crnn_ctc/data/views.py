"""Random views of plates with known corners.

A plate is planar, so any other view of its plane is a homography of the picture (Hartley and
Zisserman 2004, section 2.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.synthesis.text import Draws

VIEW_DRAWS = 96
"""Maximum number of draws that :func:`view` uses."""

LIGHT_DRAWS = 72
"""Maximum number of draws that :func:`degrade` uses."""

_LARGEST = 320
"""Maximum longer side of a view in pixels; rectifying downsamples larger ones anyway."""


@dataclass(frozen=True, slots=True)
class Plate:
    """A picture of a plate.

    Attributes:
        levels: image pyramid, RGB, uint8 (H, W, 3), each level half the size of the one before.
        corners: pixels of the first level, float32 (4, 2): top left, top right, bottom right,
            bottom left in reading orientation.
        text: text of the plate.
        two_rows: whether it has two rows.
        colour: index in :data:`crnn_ctc.net.rectifier.COLOURS`, -1 if unknown.
        scene: whether the picture shows enough around the plate for any view; a crop is extended
            beyond its edge.
        aspect: width over height; 0 if text and rows determine it.
    """

    levels: tuple[NDArray[np.uint8], ...]
    corners: NDArray[np.float32]
    text: str
    two_rows: bool = False
    colour: int = -1
    scene: bool = False
    aspect: float = 0.0


@dataclass(frozen=True, slots=True)
class View:
    """A crop as from a detector.

    Attributes:
        image: RGB, uint8 (h, w, 3), of any size.
        corners: corners of the plate as fractions of the crop, float32 (4, 2).
    """

    image: NDArray[np.uint8]
    corners: NDArray[np.float32]


def levels(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """Build an image pyramid down to a height of 32 pixels."""
    found = [image]
    while found[-1].shape[0] >= 64 and len(found) < 4:
        last = found[-1][: found[-1].shape[0] // 2 * 2, : found[-1].shape[1] // 2 * 2]
        size = (last.shape[1] // 2, last.shape[0] // 2)
        found.append(np.asarray(cv2.resize(last, size, interpolation=cv2.INTER_AREA), np.uint8))
    return tuple(found)


def quadrilateral(aspect: float, draws: Draws) -> NDArray[np.float64]:
    """Draw random corners of a plate in a view, (4, 2), in units of the plate's height.

    Half of the views are nearly level, a third are rotated and tilted as in CCPD's harder subsets,
    the rest are rotated by up to 50 degrees.

    Args:
        aspect: width over height of the plate.
        draws: random numbers, of which at most 40 are used.
    """
    way = draws.next()
    if way < 0.5:
        roll, yaw, pitch, slope, shear = (draws.bell() * s for s in (5.0, 15.0, 12.0, 0.05, 0.06))
    elif way < 0.85:
        roll, yaw, pitch, slope, shear = (draws.bell() * s for s in (13.0, 28.0, 22.0, 0.22, 0.20))
    else:
        roll = draws.between(-50, 50)
        yaw, pitch, slope, shear = (draws.bell() * s for s in (22.0, 18.0, 0.08, 0.12))
    roll, yaw, pitch = (math.radians(angle) for angle in (roll, yaw, pitch))
    distance = draws.between(1.3, 6.0) * aspect
    points = []
    for x, y in ((-aspect, -1.0), (aspect, -1.0), (aspect, 1.0), (-aspect, 1.0)):
        x, y = x / 2, y / 2
        x, y = x + shear * y, y + slope * x  # remaining effects of lens and mounting
        x, depth = x * math.cos(yaw), x * math.sin(yaw)
        y, depth = (
            y * math.cos(pitch) - depth * math.sin(pitch),
            y * math.sin(pitch) + depth * math.cos(pitch),
        )
        x, y = x * math.cos(roll) - y * math.sin(roll), x * math.sin(roll) + y * math.cos(roll)
        scale = 1 / (1 + depth / distance)
        points.append((x * scale, y * scale))
    return np.array(points)


def box(quad: NDArray[np.float64], draws: Draws) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw a random crop around a plate: its upper left and lower right points.

    From 8 % too small to 60 % too large, mostly slightly too large; uses at most 8 numbers.
    """
    low, high = quad.min(0), quad.max(0)
    size = high - low
    way = draws.next()
    if way < 0.42:
        sides = [0.01 + draws.bell() * 0.02 for _ in range(4)]
    elif way < 0.70:
        sides = [0.05 + draws.bell() * 0.04 for _ in range(4)]
    elif way < 0.92:
        sides = [draws.between(0.0, 0.38) for _ in range(4)]
    else:
        sides = [draws.between(-0.09, 0.03) for _ in range(4)]
    return low - size * sides[:2], high + size * sides[2:]


def view(
    plate: Plate,
    draws: Draws,
    background: NDArray[np.uint8] | None = None,
    narrow: tuple[float, float] = (36.0, 300.0),
) -> View:
    """Draw a random view of a plate, as from another camera and detector.

    Args:
        plate: the plate.
        draws: random numbers, of which at most ``VIEW_DRAWS`` are used.
        background: picture without a plate, to fill the area outside a crop; None replicates its
            edge.
        narrow: minimum and maximum width of the plate in pixels, log-uniform.
    """
    sides = np.linalg.norm(plate.corners - np.roll(plate.corners, -1, 0), axis=1)
    aspect = plate.aspect
    if not aspect:
        aspect = 2.0 if plate.two_rows else (3.43 if len(plate.text) == 8 else 3.14)
    quad = quadrilateral(aspect, draws)
    low, high = box(quad, draws)
    least, most = narrow
    pixels = math.exp(draws.between(math.log(least), math.log(most))) / aspect
    native = float(sides[0] + sides[2]) / 2 / aspect  # limits the resolution to that of the source
    pixels = min(pixels, 1.6 * native, _LARGEST / float((high - low).max()))
    size = np.maximum(8, np.rint((high - low) * pixels)).astype(int)
    width, height = int(size[0]), int(size[1])
    shares = (quad - low) / (high - low)
    target = (shares * size).astype(np.float32)
    halvings = math.log2(max(native / pixels, 1.0))  # avoids aliasing
    level = min(round(halvings), len(plate.levels) - 1)
    image, corners = plate.levels[level], plate.corners / np.float32(2**level)
    transform = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    out = cv2.warpPerspective(
        image, transform, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if background is not None and not plate.scene:
        inside = cv2.warpPerspective(
            np.full(image.shape[:2], 255, np.uint8), transform, (width, height),
            flags=cv2.INTER_LINEAR,
        )  # fmt: skip
        top = draws.below(max(1, background.shape[0] - height))
        left = draws.below(max(1, background.shape[1] - width))
        patch: NDArray[Any] = background[top : top + height, left : left + width]
        if patch.shape[:2] != (height, width):
            patch = cv2.resize(patch, (width, height))
        share = inside[..., None].astype(np.float32) / 255
        seen = np.asarray(np.rint(out * share + patch * (1 - share)), np.uint8)
    else:
        seen = np.asarray(out, np.uint8)
    if draws.chance(0.07):
        seen, shares = _letterboxed(seen, shares, draws)
    return View(seen, shares.astype(np.float32))


def _letterboxed(
    image: NDArray[np.uint8], shares: NDArray[np.float64], draws: Draws
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Add uniform bars around the crop, as letterboxing does."""
    height, width = image.shape[:2]
    tone = draws.one_of("\x00\x72\x80\xff")
    before, after = draws.between(0, 0.8), draws.between(0, 0.8)
    if draws.chance(0.4):  # bars on one side only
        before, after = (0, 1.5 * after) if draws.chance(0.5) else (1.5 * before, 0)
    top, bottom, left, right = 0, 0, 0, 0
    if draws.chance(0.6) and width > 1.3 * height:
        top, bottom = int(before * height), int(after * height)
    else:
        left, right = int(before * width * 0.6), int(after * width * 0.6)
    out = np.pad(image, ((top, bottom), (left, right), (0, 0)), constant_values=ord(tone))
    size = np.array([out.shape[1], out.shape[0]])
    return out, (shares * (width, height) + (left, top)) / size


def degrade(
    image: NDArray[np.uint8], height: float, draws: Draws, strength: float = 1.0
) -> NDArray[np.uint8]:
    """Apply blur, downsampling, lighting, noise and JPEG, as of road cameras.

    Most pictures stay sharp and well lit. Limits: darkening to 1/20, blur of 1/16 of the plate's
    height, motion blur of 1/3 of it.

    Args:
        image: RGB, uint8 (H, W, 3).
        height: height of the plate in pixels.
        draws: random numbers, of which at most ``LIGHT_DRAWS`` are used.
        strength: scales the probability of each effect; 1 is the default.
    """
    h, w = image.shape[:2]
    out: NDArray[Any] = image
    if draws.chance(0.18 * strength):  # far away
        share = math.exp(draws.between(math.log(0.25), 0))
        small = (max(6, round(w * share)), max(5, round(h * share)))
        out = cv2.resize(cv2.resize(out, small, interpolation=cv2.INTER_AREA), (w, h))
    if draws.chance(0.24 * strength):  # out of focus
        out = cv2.GaussianBlur(out, (0, 0), max(0.25, draws.next() ** 1.5 * 0.065 * height + 0.2))
    if draws.chance(0.22 * strength):  # motion
        length = max(3, round(draws.next() ** 1.3 * 0.34 * height))
        out = cv2.filter2D(out, -1, _motion(length, draws.between(0, math.pi)))
    light = out.astype(np.float32)
    way = draws.next()
    if way < 0.12 * strength:  # unlit night: few of the 256 grey levels remain
        light *= math.exp(-draws.between(1.0, 2.9))
        if draws.chance(0.5):
            light += _lamps(h, w, height, draws)
    elif way < 0.34 * strength:  # dusk
        light *= math.exp(-abs(draws.bell()) * 1.1)
    elif way < 0.46 * strength:  # over-exposed
        light = 255 - (255 - light) * math.exp(-abs(draws.bell()) * 0.9)
    if draws.chance(0.4 * strength):  # contrast
        middle = np.float32(light.mean())
        light = (light - middle) * np.float32(math.exp(draws.bell() * 0.35 - 0.12)) + middle
    if draws.chance(0.4):  # white balance
        light *= np.array([draws.between(0.78, 1.22) for _ in range(3)], np.float32)
    if draws.chance(0.2 * strength):  # a lamp at one side, or the edge of a shadow
        light *= _slope(h, w, draws)
    if draws.chance(0.06):  # grey, as of infrared or faulty cameras
        light[:] = light.mean(axis=2, keepdims=True)
    if draws.chance(0.55):
        seed = draws.below(1 << 30)
        light += _noise(h, w, seed) * np.float32(draws.next() ** 2 * 11)
    out = np.asarray(np.clip(np.rint(light), 0, 255), np.uint8)
    if draws.chance(0.5):
        quality = int(100 - 82 * draws.next() ** 1.4)
        _, data = cv2.imencode(".jpg", out, (cv2.IMWRITE_JPEG_QUALITY, quality))
        out = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(out, np.uint8)


def _lamps(h: int, w: int, height: float, draws: Draws) -> NDArray[np.float32]:
    """Draw lamps and reflections at night: one to three bright spots, float32 (h, w, 1)."""
    spots = np.zeros((h, w), np.uint8)
    for _ in range(1 + draws.below(3)):
        centre = (draws.below(w), draws.below(h))
        long = max(1, round(height * draws.next() ** 2 * 0.4))
        axes = (long, max(1, round(long * draws.between(0.1, 1))))
        cv2.ellipse(spots, centre, axes, draws.between(0, 180), 0, 360, 255, -1)
    glow = cv2.GaussianBlur(spots, (0, 0), 0.5 + 0.03 * height)
    return np.asarray(glow, np.float32)[..., None]


def _slope(h: int, w: int, draws: Draws) -> NDArray[np.float32]:
    angle = draws.between(0, 2 * math.pi)
    x = np.linspace(-1, 1, w, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, h, dtype=np.float32)[:, None]
    along = np.float32(math.cos(angle)) * x + np.float32(math.sin(angle)) * y
    width = math.exp(draws.between(math.log(0.03), math.log(1.5)))
    edge = 1 / (1 + np.exp(-np.clip((along - draws.between(-0.7, 0.7)) / width, -30, 30)))
    low, high = draws.between(0.2, 0.9), draws.between(0.8, 1.5)
    return np.asarray((low + (high - low) * edge)[..., None], np.float32)


_FIELD = 3 * 257


def _noise(h: int, w: int, seed: int) -> NDArray[np.float32]:
    """Random crop of white noise, standard deviation 1, float32 (h, w, 3)."""
    field = _noise_field()
    top, left = seed % (_FIELD - h), (seed >> 12) % (_FIELD - w)
    return field[top : top + h, left : left + w]


@cache
def _noise_field() -> NDArray[np.float32]:
    from crnn_ctc.synthesis.textures import grain

    return np.ascontiguousarray(grain(_FIELD // 3, _FIELD // 3))


def _motion(length: int, angle: float) -> NDArray[np.float32]:
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    middle = (length / 2 - 0.5, length / 2 - 0.5)
    turn = cv2.getRotationMatrix2D(middle, math.degrees(angle), 1)
    turned = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return np.asarray(turned / max(turned.sum(), 1e-3), np.float32)
