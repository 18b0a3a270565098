"""Draws the example photograph: a synthetic street with three parked cars and their plates.

Needs the extra [train].

    python examples/make_street.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.rectify import UNIT
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

FILE = Path(__file__).parent / "photos" / "street.jpg"
SEED, WIDTH, HEIGHT = 2026, 1280, 800

#: Kind, province and number of the sample; left, top and width of the car in pixels; its yaw, from
#: -1 to 1; its paint, RGB.
CARS = [
    ("green", "沪", 5, (40, 330, 330), 0.35, (214, 216, 220)),
    ("blue", "苏", 5, (455, 275, 420), 0.0, (96, 26, 34)),
    ("yellow", "鲁", 1, (955, 345, 300), -0.4, (34, 52, 84)),
]

Picture = NDArray[np.uint8]


def street(rng: np.random.Generator) -> Picture:
    """Sky, houses, pavement and road, uint8 RGB (HEIGHT, WIDTH, 3)."""
    rows = np.linspace(0, 1, HEIGHT)[:, None, None]
    picture = (np.array([186, 204, 224]) * (1 - rows) + np.array([226, 230, 232]) * rows) * np.ones(
        (1, WIDTH, 1)
    )
    left = 0
    while left < WIDTH:
        width, top = int(rng.integers(120, 220)), int(rng.integers(30, 190))
        wall = rng.integers(120, 190) + rng.integers(-16, 16, 3)
        picture[top:460, left : left + width] = wall
        for y in range(top + 20, 420, 54):
            for x in range(left + 16, left + width - 36, 48):
                picture[y : y + 32, x : min(x + 28, WIDTH)] = wall * rng.uniform(0.35, 0.6)
        left += width
    picture[460:500] = (158, 154, 148)
    picture[500:] = np.linspace(104, 78, HEIGHT - 500)[:, None, None]
    for x in range(-80, WIDTH, 240):
        cv2.fillPoly(
            picture,
            [np.array([(x, 770), (x + 120, 770), (x + 104, 786), (x - 20, 786)])],
            (222,) * 3,
        )
    return np.asarray(picture, np.uint8)


def car(plate: Picture, quad: NDArray[np.float32], paint: tuple[int, int, int]) -> Picture:
    """The front of a car with its plate, uint8 RGBA (360, 480, 4).

    Args:
        plate: the plate with its frame, uint8 RGB (H, W, 3).
        quad: its corners, float32 (4, 2), in pixels.
        paint: RGB.
    """
    image = np.zeros((360, 480, 4), np.uint8)
    dark = tuple(int(0.55 * value) for value in paint)

    def shape(points: list[tuple[int, int]], colour: tuple[int, ...]) -> None:
        cv2.fillPoly(image, [np.array(points)], (*colour, 255), cv2.LINE_AA)

    shape([(40, 280), (100, 280), (100, 350), (40, 350)], (22, 22, 24))
    shape([(380, 280), (440, 280), (440, 350), (380, 350)], (22, 22, 24))
    shape([(110, 20), (370, 20), (420, 135), (60, 135)], dark)
    shape([(124, 32), (356, 32), (396, 125), (84, 125)], (58, 72, 84))
    shape([(124, 32), (200, 32), (140, 125), (84, 125)], (96, 112, 124))
    shape([(60, 130), (420, 130), (462, 190), (466, 310), (14, 310), (18, 190)], paint)
    shape([(62, 132), (418, 132), (440, 165), (40, 165)], tuple(min(255, v + 22) for v in paint))
    shape([(150, 185), (330, 185), (320, 228), (160, 228)], (30, 30, 34))
    for x in (36, 352):
        shape([(x, 180), (x + 92, 186), (x + 86, 222), (x + 8, 218)], (236, 238, 232))
    shape([(14, 300), (466, 300), (450, 330), (30, 330)], (40, 40, 44))
    wide, tall = 148, round(148 * 140 / 440)
    target = UNIT * (wide, tall) + (240 - wide / 2, 245)
    lay = cv2.getPerspectiveTransform(quad, target.astype(np.float32))
    warped = cv2.warpPerspective(plate, lay, (480, 360), flags=cv2.INTER_AREA)
    cover = cv2.warpPerspective(np.ones(plate.shape[:2], np.float32), lay, (480, 360)) > 0.99
    image[cover, :3] = warped[cover]
    return image


def main() -> None:
    """Draw it."""
    rng = np.random.default_rng(SEED)
    picture = street(rng).astype(np.float32)
    for kind, province, i, (left, top, width), yaw, paint in CARS:
        source = PlateSynthesizer(SEED, kinds={kind: 1}, provinces={province: 1})
        plate, quad, text, _ = source.front(i)
        print(text)
        front = cv2.resize(car(plate, quad, paint), (960, 720), interpolation=cv2.INTER_CUBIC)
        height = width * 3 / 4
        near, far = max(yaw, 0.0), max(-yaw, 0.0)
        target = np.array(
            [
                (left, top + 0.25 * near * height),
                (left + width, top + 0.25 * far * height),
                (left + width, top + height * (1 - 0.12 * far)),
                (left, top + height * (1 - 0.12 * near)),
            ],
            np.float32,
        )
        source_quad = (UNIT * (960, 720)).astype(np.float32)
        turn = cv2.getPerspectiveTransform(source_quad, target)
        seen = cv2.warpPerspective(front, turn, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
        alpha = seen[..., 3:].astype(np.float32) / 255
        picture = picture * (1 - alpha) + seen[..., :3] * alpha
    picture = cv2.GaussianBlur(picture, (0, 0), 0.6) + rng.normal(0, 4, (HEIGHT, WIDTH, 1))
    FILE.parent.mkdir(exist_ok=True)
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(FILE, quality=85)


if __name__ == "__main__":
    main()
