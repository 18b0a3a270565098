"""Cached random fields to crop from, and blur kernels: noise, smooth light, backgrounds."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.rng import uniforms

_SEED = 36_2018
_REACH = 3
"""Height and width of a field, relative to the crops from it."""


def _normal(stream: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Approximately normal noise, standard deviation 1: the sum of four uniform numbers."""
    four = uniforms(_SEED, stream, (4, *shape)).sum(0)
    return np.asarray((four - 2) * 3**0.5, np.float32)


@cache
def grain(height: int, width: int) -> NDArray[np.float32]:
    """White noise, standard deviation 1, float32 (3 height, 3 width, 3), partly coloured."""
    shape = (_REACH * height, _REACH * width)
    field = 0.88 * _normal(1, (*shape, 1)) + 0.48 * _normal(2, (*shape, 3))
    field.setflags(write=False)
    return np.asarray(field, np.float32)


@cache
def clouds(height: int, width: int) -> NDArray[np.float32]:
    """Smooth fields, standard deviation 1, float32 (6, 3 height, 3 width), from fine to coarse."""
    shape = (_REACH * height, _REACH * width)
    fields = []
    for k, wave in enumerate((0.03, 0.06, 0.12, 0.25, 0.5, 0.9)):
        field = cv2.GaussianBlur(_normal(10 + k, shape), (0, 0), wave * height)
        fields.append((field - field.mean()) / field.std())
    stack = np.stack(fields).astype(np.float32)
    stack.setflags(write=False)
    return stack


_SURROUNDINGS = 48


@cache
def surroundings(height: int, width: int) -> NDArray[np.uint8]:
    """Backgrounds: paint, grilles, bumpers, road. uint8 (48, 3, 2 height, 2 width)."""
    h, w = 2 * height, 2 * width
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    pictures = []
    for k in range(_SURROUNDINGS):
        u = uniforms(_SEED, 100 + k, (24,))
        grey = 20 + 210 * u[0] ** 1.6
        tint = (u[1:4] - 0.5) * (200 if u[4] < 0.45 else 30)
        base = (grey + tint).astype(np.float32)
        slope = (u[5] - 0.5) * 160 * (y / h) + (u[6] - 0.5) * 80 * (x / w)
        if u[7] < 0.35:  # a grille or a bumper's ribs
            wave = 2 * np.pi / (height * (0.08 + 0.4 * u[8]))
            slope += 60 * u[9] * np.sign(np.sin(wave * (y + (u[10] - 0.5) * 0.5 * x)))
        if u[11] < 0.5:  # an edge between two parts
            edge = (y - h * (0.2 + 0.6 * u[12])) + (x - w / 2) * (u[13] - 0.5) * 0.6
            slope += (u[14] - 0.5) * 240 * (np.tanh(edge / (1 + 8 * u[15])) + 1) / 2
        rough = cv2.GaussianBlur(_normal(200 + k, (h, w)), (0, 0), 0.5 + 6 * u[16])
        slope += rough / rough.std() * 25 * u[17]
        picture = base + slope[..., None] * (0.8 + 0.4 * u[18:21]).astype(np.float32)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    stack = np.stack(pictures).transpose(0, 3, 1, 2).copy()
    stack.setflags(write=False)
    return stack


_ANGLES = 12
MOTIONS = (3, 5, 7, 9)


@cache
def motion_kernel(length: int, angle: int) -> NDArray[np.float32]:
    """Motion blur over ``length`` pixels in one of 12 directions: float32 (length, length)."""
    size, fine = length, 8
    canvas = np.zeros((size * fine, size * fine), np.uint8)
    centre, theta = size * fine / 2, np.pi * angle / _ANGLES
    reach = size * fine / 2 - fine / 2
    step = np.array([np.cos(theta), np.sin(theta)]) * reach
    a, b = (tuple(int(v) for v in np.rint(centre + sign * step)) for sign in (-1, 1))
    cv2.line(canvas, a, b, 255, fine)
    kernel = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(kernel / kernel.sum(), np.float32)


@cache
def disc_kernel(tenths: int) -> NDArray[np.float32]:
    """Defocus blur: a disc with its radius in tenths of a pixel, float32 (n, n)."""
    radius = tenths / 10
    n = 2 * int(np.ceil(radius)) + 1
    y, x = np.mgrid[0:n, 0:n] - (n // 2)
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(kernel / kernel.sum(), np.float32)
