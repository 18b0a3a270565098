"""Draws the example pictures: rows of five digits, written by a pen that shakes.

Nothing here comes from a data set: each digit is a few curves, bent and slanted at random.

    python examples/make_digits.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

FOLDER = Path(__file__).parent / "digits"
CELL = 64  # pixels of a digit's place in the finished picture
FINE = 4  # drawn larger by this, then shrunk, for smooth edges

# Points that a pen passes, x to the right and y down, in a box of 1 by 1; one list a stroke.
STROKES = {
    "0": [[(0.5, 0.1), (0.22, 0.3), (0.2, 0.7), (0.5, 0.92), (0.78, 0.7), (0.8, 0.3), (0.5, 0.1)]],
    "1": [[(0.36, 0.26), (0.52, 0.1), (0.5, 0.5), (0.49, 0.92)]],
    "2": [[(0.22, 0.3), (0.45, 0.1), (0.74, 0.26), (0.55, 0.6), (0.22, 0.9)],
          [(0.22, 0.9), (0.5, 0.87), (0.82, 0.9)]],
    "3": [[(0.25, 0.18), (0.55, 0.1), (0.72, 0.28), (0.45, 0.47)],
          [(0.45, 0.47), (0.76, 0.6), (0.7, 0.84), (0.42, 0.93), (0.2, 0.8)]],
    "4": [[(0.36, 0.1), (0.3, 0.32), (0.22, 0.56), (0.5, 0.58), (0.84, 0.54)],
          [(0.68, 0.12), (0.64, 0.5), (0.6, 0.93)]],
    "5": [[(0.76, 0.12), (0.52, 0.12), (0.33, 0.14)],
          [(0.33, 0.14), (0.3, 0.3), (0.28, 0.46)],
          [(0.28, 0.46), (0.56, 0.42), (0.76, 0.62), (0.6, 0.88), (0.24, 0.86)]],
    "6": [[(0.66, 0.1), (0.38, 0.32), (0.26, 0.66), (0.46, 0.92), (0.72, 0.78), (0.62, 0.55),
           (0.3, 0.66)]],
    "7": [[(0.2, 0.16), (0.5, 0.14), (0.78, 0.15)], [(0.78, 0.15), (0.58, 0.5), (0.44, 0.93)]],
    "8": [[(0.66, 0.2), (0.45, 0.1), (0.3, 0.28), (0.52, 0.5), (0.72, 0.72), (0.5, 0.92),
           (0.28, 0.74), (0.48, 0.5), (0.68, 0.3), (0.66, 0.2)]],
    "9": [[(0.7, 0.3), (0.5, 0.12), (0.28, 0.3), (0.44, 0.5), (0.7, 0.34), (0.7, 0.3)],
          [(0.7, 0.3), (0.66, 0.6), (0.54, 0.93)]],
}  # fmt: skip


def curve(points: NDArray[np.float64], steps: int = 16) -> NDArray[np.float64]:
    """A Catmull-Rom spline through ``points`` (P, 2)."""
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        parts.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    return np.concatenate([*parts, points[-1:]])


def write(text: str, seed: int, pen: float = 0.1) -> Image.Image:
    """A row of digits as light ink on black, CELL pixels high."""
    random = np.random.default_rng(seed)
    side = CELL * FINE
    sheet = Image.new("L", (side * len(text), side))
    draw = ImageDraw.Draw(sheet)
    slant, grow = random.uniform(-0.1, 0.25), random.uniform(0.72, 0.8)
    for place, character in enumerate(text):
        drift = random.normal(0, 0.02, 2)
        width = pen * side * random.uniform(0.85, 1.1)
        for stroke in STROKES[character]:
            points = np.array(stroke) - 0.5
            points[:, 0] = 0.9 * points[:, 0] - slant * points[:, 1]
            points = curve(points * grow + 0.5 + drift + random.normal(0, 0.01, points.shape))
            points = points * side + (place * side, 0)
            draw.line([tuple(p) for p in points], 255, round(width), "curve")
            for x, y in points:
                draw.circle((x, y), width / 2, 255)
    soft = sheet.filter(ImageFilter.GaussianBlur(0.02 * side))
    return soft.resize((CELL * len(text), CELL), Image.Resampling.LANCZOS)


def on_paper(ink: Image.Image, seed: int) -> Image.Image:
    """Blue ink on shaded, grainy paper, as a photograph shows it."""
    random = np.random.default_rng(seed)
    mask = np.asarray(ink, np.float32)[..., None] / 255
    height, width = mask.shape[:2]
    shade = (
        np.linspace(0.86, 1.0, width)[None, :, None] * np.linspace(0.95, 1, height)[:, None, None]
    )
    paper = np.array([236, 231, 216]) * shade
    page = paper * (1 - mask) + np.array([38, 52, 120]) * mask
    page += random.normal(0, 4, page.shape)
    return Image.fromarray(page.clip(0, 255).astype(np.uint8))


def main() -> None:
    """Draw them all."""
    write("31415", 1).save(FOLDER / "31415.png")
    write("27182", 2, pen=0.07).save(FOLDER / "27182 thin pen.png")
    write("90210", 3, pen=0.13).save(FOLDER / "90210 thick pen.png")
    on_paper(write("16180", 4), 4).save(FOLDER / "16180 photo.jpg", quality=85)
    on_paper(write("55338", 5, pen=0.08), 5).rotate(
        2, Image.Resampling.BICUBIC, fillcolor=(215, 210, 196)
    ).save(FOLDER / "55338 手写.jpg", quality=80)
    write("47624", 6).resize((160, 32)).save(FOLDER / "47624 small.png")


if __name__ == "__main__":
    main()
