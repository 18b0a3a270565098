"""Draws rows.png: composed rows of handwritten digits as training shows them, each with its label.

python docs/images/rows.py DIR

DIR holds EMNIST's files; the digits come from its training split.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from crnn_ctc.data.digits import load_digits
from crnn_ctc.data.rows import RowSource
from crnn_ctc.recipe import RowsData, load_recipe
from crnn_ctc.synthesis.rows import RowComposer
from crnn_ctc.synthesis.shapes import Shapes

COLUMNS, ROWS = 4, 10
CELL, CAPTION, GAP = (230, 48), 14, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    recipe = load_recipe("digits-rows")
    assert isinstance(recipe.data, RowsData)
    shapes = Shapes(load_digits(parser.parse_args().data, "train"))
    composer = RowComposer(recipe.seed, shapes, recipe.data.pens, recipe.data.no_text)
    images, texts = RowSource(composer, recipe.input.width).held_out(composer, COLUMNS * ROWS)
    size = (COLUMNS * (CELL[0] + GAP) + GAP, ROWS * (CELL[1] + CAPTION + GAP) + GAP)
    sheet = Image.new("L", size, 250)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for place, (image, text) in enumerate(zip(images, texts, strict=True)):
        x = GAP + place % COLUMNS * (CELL[0] + GAP)
        y = GAP + place // COLUMNS * (CELL[1] + CAPTION + GAP)
        row = Image.fromarray(image[..., 0])
        row.thumbnail(CELL)
        sheet.paste(row, (x, y + CAPTION))
        pen.text((x, y), text or "no text", 40, font)
    sheet.save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
