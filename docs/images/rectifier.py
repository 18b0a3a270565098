"""Draws rectifier.png: synthetic crops, the corners found in them, and the plates straightened.

python docs/images/rectifier.py

Needs the extra [train], which draws the crops.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from crnn_ctc import Reader
from crnn_ctc.drawing.annotate import Pen
from crnn_ctc.plates import with_dot
from crnn_ctc.rectify import rectify
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

SEED = 2026
CELL, CAPTION, GAP = (250, 150), 20, 16
ROOM = 90
"""Pixels, height of the room for a straightened plate."""


@dataclass(frozen=True)
class Case:
    """A crop to draw.

    Attributes:
        title: written below the crop.
        kind: of the plate, see :data:`crnn_ctc.synthesis.text.Kind`.
        province: first character of the plate.
        sample: number of the sample.
        size: width and height of the crop in pixels.
        corners: of the plate in shares of the crop: top left, top right, bottom right, bottom left.
        light: factor of the brightness.
        blur: standard deviation of the blur in pixels.
    """

    title: str
    kind: str
    province: str
    sample: int
    size: tuple[int, int]
    corners: tuple[tuple[float, float], ...]
    light: float = 1.0
    blur: float = 0.6


CASES = (
    Case(
        *("tilted and turned", "blue", "苏", 5, (190, 150)),
        ((0.08, 0.40), (0.86, 0.08), (0.93, 0.54), (0.15, 0.88)),
    ),
    Case(
        *("dark and blurred", "yellow", "鲁", 1, (180, 66)),
        ((0.05, 0.10), (0.94, 0.14), (0.95, 0.92), (0.06, 0.86)),
        light=0.16,
        blur=1.2,
    ),
    Case(
        *("box 50 % too large", "green", "沪", 5, (210, 90)),
        ((0.14, 0.28), (0.80, 0.20), (0.81, 0.60), (0.15, 0.70)),
    ),
    Case(
        *("two rows", "yellow_two_row", "豫", 3, (170, 120)),
        ((0.07, 0.16), (0.90, 0.08), (0.95, 0.84), (0.12, 0.93)),
    ),
)


def crop(case: Case) -> Image.Image:
    """The crop of a case, RGB."""
    source = PlateSynthesizer(SEED, kinds={case.kind: 1}, provinces={case.province: 1})
    plate, quad, _, _ = source.front(case.sample)
    width, height = case.size
    target = np.array(case.corners, np.float32) * np.array(case.size, np.float32)
    lay = cv2.getPerspectiveTransform(quad, target)
    rng = np.random.default_rng(case.sample)
    rows = np.linspace(120, 70, height)[:, None, None]
    picture = np.array([0.8, 0.86, 0.95]) * rows * np.ones((1, width, 1))
    warped = cv2.warpPerspective(plate, lay, case.size, flags=cv2.INTER_AREA)
    cover = cv2.warpPerspective(np.ones(plate.shape[:2], np.float32), lay, case.size)[..., None]
    picture = picture * (1 - cover) + warped * cover
    picture = cv2.GaussianBlur(picture, (0, 0), case.blur) * case.light
    picture += rng.normal(0, 3, picture.shape)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def main() -> None:
    reader = Reader("plates-small", find="never")
    width = len(CASES) * (CELL[0] + GAP) + GAP
    below = GAP + CELL[1] + CAPTION
    sheet = Image.new("RGB", (width, below + ROOM + 2 * CAPTION + GAP), "#eef1f4")
    draw = ImageDraw.Draw(sheet)
    for place, case in enumerate(CASES):
        picture = crop(case)
        reading = reader(picture)
        x = GAP + place * (CELL[0] + GAP)
        scale = min(CELL[0] / picture.width, CELL[1] / picture.height)
        size = round(picture.width * scale), round(picture.height * scale)
        left, top = x + (CELL[0] - size[0]) // 2, GAP + (CELL[1] - size[1]) // 2
        sheet.paste(picture.resize(size, Image.Resampling.BICUBIC), (left, top))
        corners = np.array(reading.corners, np.float32)
        outline = [(left + float(a), top + float(b)) for a, b in corners * scale]
        draw.line([*outline, outline[0], outline[1]], "#12b3ff", 3, joint="curve")
        words = Pen(draw, bundled=False)
        words.write((x + CELL[0] / 2, GAP + CELL[1] + 11), case.title, "#44505c", 15, 0.5)
        two_rows = any(character.row for character in reading.characters)
        size = (round(ROOM * 220 / 140), ROOM) if two_rows else (CELL[0], 80)
        plate = Image.fromarray(rectify(picture, corners, size[1], size[0]))
        sheet.paste(plate, (x + (CELL[0] - size[0]) // 2, below + (ROOM - size[1]) // 2))
        said = f"{with_dot(reading.text)}  {100 * reading.confidence:.0f} %"
        at = (x + CELL[0] / 2, below + ROOM + CAPTION)
        Pen(draw, bundled=True).write(at, said, "#101418", 20, 0.5)
    sheet.save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
