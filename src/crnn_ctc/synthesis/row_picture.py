"""Grey picture of ink on paper: background, ruled lines, stamps, light, scanner or camera."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.synthesis import paper
from crnn_ctc.synthesis.text import Draws

PICTURE_DRAWS = 180
"""Maximum number of draws that :func:`photograph` uses."""


def photograph(
    mask: NDArray[np.uint8], height: int, width: int, fine: int, pad: int, draws: Draws
) -> NDArray[np.uint8]:
    """Render a row.

    Args:
        mask: the ink, uint8 (fine * height + 2 pad, fine * width + 2 pad).
        height: height of the result, pixels.
        width: width of the result, pixels.
        fine: pixels of the mask per pixel of the result.
        pad: margin of the mask beyond each edge of the result, pixels of the mask.
        draws: random numbers.

    Returns:
        uint8 (height, width).
    """
    ink = _seen(mask, height, width, fine, pad, draws)
    ground, level, printed = _ground(height, width, draws)
    dark = level * (0.05 + 0.75 * draws.next() ** 1.8)
    dark = max(4.0, min(dark, level - max(34, 1.1 * printed)))  # fainter ink is illegible
    strength: Any = draws.between(0.75, 1.0)
    if draws.chance(0.5):  # uneven pen pressure
        strength = strength * (1 - draws.between(0, 0.4) * np.abs(paper.cut(height, width, draws)))
    alpha = ink * np.float32(1 / 255) * np.asarray(strength, np.float32)
    picture = ground + alpha * (np.float32(dark) - ground)
    if draws.chance(0.08):
        picture = 255 - picture
    return _exposed(np.asarray(picture, np.float32), draws)


def _seen(
    mask: NDArray[np.uint8], height: int, width: int, fine: int, pad: int, draws: Draws
) -> NDArray[np.float32]:
    """Warp the mask smoothly and downsample it, float32 (height, width)."""
    x = np.arange(width, dtype=np.float32)
    y = np.arange(height, dtype=np.float32)
    one = np.float32(2 * np.pi)
    across = draws.between(0, 1.6) * np.sin(one * (y / draws.between(18, 60) + draws.next()))
    down = draws.between(0, 1.8) * np.sin(one * (x / draws.between(30, 160) + draws.next()))
    middle = (fine - 1) / 2 + pad
    map_x = np.broadcast_to(fine * x + middle, (height, width)) + fine * across[:, None]
    map_y = np.broadcast_to((fine * y + middle)[:, None], (height, width)) + fine * down[None, :]
    seen = cv2.remap(
        mask, map_x.astype(np.float32), map_y.astype(np.float32), interpolation=cv2.INTER_LINEAR
    )
    return np.asarray(seen, np.float32)


def _ground(height: int, width: int, draws: Draws) -> tuple[NDArray[np.float32], float, float]:
    """Draw the paper, float32 (height, width); also return its grey and its print's contrast."""
    level = draws.between(90, 245)
    printed = draws.between(2, 42) if draws.chance(0.85) else 0.0
    ground = paper.cut(height, width, draws) * np.float32(printed)
    ground += np.float32(level)
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    if draws.chance(0.5):
        ground += np.float32(14 * draws.bell()) * x + np.float32(8 * draws.bell()) * y
    if draws.chance(0.06):  # a shadow or a fold
        edge = x + np.float32(draws.between(-1, 1)) * y - np.float32(draws.between(-0.4, 0.4))
        ground *= 1 - np.float32(draws.between(0.1, 0.4)) * (edge > 0)
    if draws.chance(0.10):  # printed bands
        top = int(height * draws.between(0.08, 0.3))
        ground[:top] += np.float32(draws.between(-30, 30))
    line = level * draws.between(0.1, 0.7)
    if draws.chance(0.35):
        _rule(ground, draws.between(0.82, 1.0), line, 0.9, draws)
    if draws.chance(0.15):
        _rule(ground, draws.between(0.0, 0.14), line, 0.9, draws)
    if draws.chance(0.06):  # parallel ruled lines of a form
        pitch = draws.between(0.25, 0.8)
        first = draws.next() * pitch
        for k in range(4):
            _rule(ground, first + k * pitch, line, 0.5, draws)
    if draws.chance(0.08):  # one side of a box
        column = int(draws.chance(0.5)) * (width - 3) + draws.below(3)
        ground[:, column] = line
    if draws.chance(0.03):  # one box per digit
        pitch = int(height * draws.between(0.5, 0.9))
        ground[:, draws.below(pitch) :: pitch] = level - (level - line) * 0.5
    if draws.chance(0.10):
        _print(ground, line, draws)
    if draws.chance(0.06):
        _stamp(ground, draws)
    return ground, level, printed


def _rule(
    ground: NDArray[np.float32], level: float, grey: float, opacity: float, draws: Draws
) -> None:
    """Draw a printed horizontal line at ``level``, a fraction of the height."""
    height, width = ground.shape
    y = level * height
    ends = [int(16 * y), int(16 * (y + draws.bell() * 0.012 * width))]
    line = np.zeros(ground.shape, np.uint8)
    cv2.line(line, (0, ends[0]), (16 * width, ends[1]), 255, 1 + draws.below(2), cv2.LINE_AA, 4)
    alpha = line.astype(np.float32) * np.float32(opacity / 255)
    ground += alpha * (np.float32(grey) - ground)


def _print(ground: NDArray[np.float32], grey: float, draws: Draws) -> None:
    """Draw small print, cut off at the upper or lower edge."""
    height, width = ground.shape
    tall = 2 + draws.below(4)
    top = draws.below(2) * (height - tall)
    left = draws.below(width)
    for _ in range(2 + draws.below(8)):
        wide = 1 + draws.below(4)
        ground[top : top + tall, left : left + wide] = grey
        left += wide + 1 + draws.below(3)


def _stamp(ground: NDArray[np.float32], draws: Draws) -> None:
    """Draw part of a faint round or rectangular stamp."""
    height, width = ground.shape
    mask = np.zeros(ground.shape, np.uint8)
    centre = (draws.below(width), int(height * draws.between(-0.5, 1.5)))
    radius = int(height * draws.between(0.4, 1.2))
    thick = 1 + draws.below(3)
    if draws.chance(0.6):
        cv2.circle(mask, centre, radius, 255, thick, cv2.LINE_AA)
        cv2.circle(mask, centre, max(radius - 2 * thick - 2, 1), 255, 1, cv2.LINE_AA)
    else:
        box = cv2.boxPoints((centre, (3.0 * radius, float(radius)), 40 * draws.bell()))
        cv2.polylines(mask, [np.rint(box).astype(np.int32)], True, 255, thick, cv2.LINE_AA)
    ground -= mask.astype(np.float32) * np.float32(draws.between(15, 70) / 255)


def _exposed(picture: NDArray[np.float32], draws: Draws) -> NDArray[np.uint8]:
    """Apply blur, downsampling, noise and JPEG compression."""
    height, width = picture.shape
    if draws.chance(0.7):
        blurred = cv2.GaussianBlur(picture, (0, 0), 0.3 + 0.7 * draws.next())
        picture = np.asarray(blurred, np.float32)
    if draws.chance(0.4):
        share = draws.between(0.55, 0.95)
        size = (max(8, round(width * share)), max(12, round(height * share)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        picture = np.asarray(small, np.float32)
    if draws.chance(0.75):
        h, w = picture.shape
        grain = paper.grain(h, w, draws)
        picture = picture + grain * np.float32(0.5 + 7 * draws.next() ** 2)
    if draws.chance(0.15):  # sharpened by a scanner
        soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
        picture = picture + np.float32(draws.between(0.3, 1.2)) * (picture - soft)
    pixels = np.asarray(np.rint(picture).clip(0, 255), np.uint8)
    if draws.chance(0.5):
        quality = int(95 - 65 * draws.next() ** 1.5)
        _, data = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))
        pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    if pixels.shape != (height, width):
        how = cv2.INTER_CUBIC if draws.chance(0.4) else cv2.INTER_LINEAR
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)
    return pixels
