"""Photographs for tests: plates of the examples on a synthetic street."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from helpers.data import EXAMPLES

PLATES = {
    "blue": ("苏D18RL9", EXAMPLES / "plates" / "苏D18RL9_blue.jpg"),
    "yellow": ("鲁D89239", EXAMPLES / "plates" / "鲁D89239_yellow.jpg"),
}


def street(
    *places: tuple[str, tuple[int, int], int], size: tuple[int, int] = (900, 600)
) -> Image.Image:
    """A grey street with plates, each (name, left and top, width in pixels)."""
    width, height = size
    rows = np.linspace(90, 150, height)[:, None, None]
    noise = np.random.default_rng(0).normal(0, 6, (height, width, 1))
    picture = Image.fromarray(np.clip(rows + noise + np.zeros(3), 0, 255).astype(np.uint8))
    for name, at, wide in places:
        plate = Image.open(PLATES[name][1]).convert("RGB")
        tall = round(wide * 140 / 440)
        car = Image.new("RGB", (2 * wide, 2 * wide), (60, 60, 66))
        picture.paste(car, (at[0] - wide // 2, at[1] - wide))
        picture.paste(plate.resize((wide, tall), Image.Resampling.BILINEAR), at)
    return picture


def quad(left: float, top: float, right: float, bottom: float) -> NDArray[np.float32]:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
