"""Paper backgrounds for rows of digits: plain, ruled, guilloche, woven, photographed."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.text import Draws

HEIGHT, WIDTH = 72, 720
"""Size of a sheet, pixels; the largest crop."""

SHEETS = 768
"""Number of different sheets."""

_SEED = 7_2018
_NUMBERS = 64


@cache
def noise() -> NDArray[np.float32]:
    """Approximately normal white noise, standard deviation 1: float32 (256, 1024)."""
    four = uniforms(_SEED, SHEETS, (4, 256, 1024)).sum(0)
    return np.asarray((four - 2) * 3**0.5, np.float32)


def cut(height: int, width: int, draws: Draws) -> NDArray[np.float32]:
    """Random crop of a background, float32 (height, width), in [-1, 1]."""
    sheet = _sheet(draws.below(SHEETS))
    top, left = draws.below(HEIGHT - height + 1), draws.below(WIDTH - width + 1)
    piece = sheet[top : top + height, left : left + width]
    if draws.chance(0.5):
        piece = piece[:, ::-1]
    if draws.chance(0.5):
        piece = piece[::-1]
    return np.asarray(piece / 127, np.float32)


def grain(height: int, width: int, draws: Draws) -> NDArray[np.float32]:
    """Random crop of white noise, standard deviation 1, float32 (height, width)."""
    field = noise()
    top, left = draws.below(256 - height + 1), draws.below(1024 - width + 1)
    return field[top : top + height, left : left + width]


@cache
def _sheet(k: int) -> NDArray[np.int8]:
    """Background ``k`` as differences from the paper's grey, int8 (HEIGHT, WIDTH)."""
    draws = Draws(uniforms(_SEED, k, (_NUMBERS,)))
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    kind = draws.next()
    field = np.zeros((HEIGHT, WIDTH), np.float32)
    if kind < 0.16:  # plain paper with uneven shade
        field += 0.25 * _clouds(k, draws.between(2, 12))
    elif kind < 0.36:  # woven or coarse halftone
        field += 0.5 * _clouds(k, draws.between(0.5, 1.1))
        if draws.chance(0.6):
            pitch = draws.between(2.2, 4.5)
            weave = np.sin(2 * np.pi * x / pitch) * np.sin(2 * np.pi * y / pitch)
            field += draws.between(0.1, 0.5) * np.sign(weave)
    else:
        for _ in range(1 + draws.below(3)):
            field += _lines(x, y, kind, draws)
        field += draws.between(0.0, 0.3) * _clouds(k, draws.between(0.5, 3))
    if draws.chance(0.3):  # uneven lighting
        field += 0.4 * _clouds(k + SHEETS, 40)
    field /= max(1.0, float(np.abs(field).max()))
    return np.asarray(np.rint(field * 127), np.int8)


def _lines(
    x: NDArray[np.float32], y: NDArray[np.float32], kind: float, draws: Draws
) -> NDArray[np.float32]:
    """Draw a family of fine lines: straight, wavy, or circles about a near or far point."""
    pitch = draws.between(2.5, 9)
    if kind < 0.62:  # nearly horizontal, wavy or straight
        slope = np.float32(0.35 * draws.bell() * draws.next())
        wave = draws.between(0, 1.5) * np.sin(2 * np.pi * x / draws.between(8, 60) + y * 0.05)
        phase = y + slope * x + wave.astype(np.float32)
    elif kind < 0.86:  # guilloche
        cx, cy = draws.between(-60, WIDTH + 60), draws.between(-90, HEIGHT + 90)
        lobes = draws.between(0.0, 6)
        angle = np.arctan2(y - cy, x - cx)
        phase = np.hypot(x - cx, (y - cy) * np.float32(draws.between(0.6, 1.6)))
        phase = phase + lobes * np.sin(draws.between(2, 9) * angle).astype(np.float32)
        reach = draws.between(10, 50)
        phase = phase + draws.between(0, 8) * np.sin(x / reach + y / draws.between(10, 50))
    else:  # slanting
        turn = draws.between(0.2, 2.9)
        phase = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
    sharp = draws.between(0.0, 0.75)
    wave = np.sin((2 * np.pi / pitch) * phase)
    lines = np.clip((wave - sharp) / (1 - sharp), -1, 1) if sharp > 0.3 else wave
    return np.asarray(-draws.between(0.3, 0.8) * lines, np.float32)


def _clouds(k: int, wave: float) -> NDArray[np.float32]:
    u = uniforms(_SEED, 10_000 + k, (2, HEIGHT, WIDTH)).sum(0) - 1
    field = cv2.GaussianBlur(u.astype(np.float32), (0, 0), wave)
    return np.asarray(field / (2.5 * field.std()), np.float32)
