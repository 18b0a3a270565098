"""Draws the example plates: none of them is or was on any car that we know of.

Each is labelled by its file's name up to the ``_``. Needs the extra [train].

    python examples/make_plates.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

FOLDER = Path(__file__).parent / "plates"
SEED, HEIGHT, WIDTH = 2026, 96, 288

#: Kind, province, which sample, and what the file's name says of it.
PLATES = [
    ("blue", "苏", 5, "blue.jpg"),
    ("blue", "浙", 4, "dusk.png"),
    ("green", "沪", 5, "green car.png"),
    ("green_large", "川", 4, "green truck.jpg"),
    ("yellow", "鲁", 1, "yellow.jpg"),
    ("yellow_two_row", "豫", 3, "泥 mud.png"),
    ("police", "京", 7, "police.jpg"),
    ("cross_border", "粤", 5, "black.png"),
]


def main() -> None:
    """Draw them all."""
    FOLDER.mkdir(exist_ok=True)
    for kind, province, i, name in PLATES:
        source = PlateSynthesizer(SEED, HEIGHT, WIDTH, kinds={kind: 1}, provinces={province: 1})
        picture, text, _ = source.picture(i)
        Image.fromarray(picture).save(FOLDER / f"{text}_{name}", quality=88)


if __name__ == "__main__":
    main()
