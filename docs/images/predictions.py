"""Draws predictions.png: the example pictures with what the shipped model reads in them.

python docs/images/predictions.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.annotate import annotate
from crnn_ctc.image import SUFFIXES, load

ROOT = Path(__file__).parents[2]
COLUMNS, GAP = 2, 24


def main() -> None:
    reader = Reader("digits-tiny")
    paths = sorted(p for p in (ROOT / "examples").iterdir() if p.suffix in SUFFIXES)
    sheets = [annotate(load(path), reader(path)) for path in paths]
    width, height = sheets[0].width + GAP, max(s.height for s in sheets) + GAP
    rows = -(-len(sheets) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * width + GAP, rows * height + GAP), "#eef1f4")
    for place, sheet in enumerate(sheets):
        row, column = divmod(place, COLUMNS)
        page.paste(sheet, (GAP + column * width, GAP + row * height))
    page.save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
