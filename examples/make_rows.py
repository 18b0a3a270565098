"""Composes the example rows of digits, from EMNIST's training digits and pen strokes.

python examples/make_rows.py DIR

DIR holds EMNIST's files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from crnn_ctc.data.digits import load_digits
from crnn_ctc.synthesis.rows import RowComposer
from crnn_ctc.synthesis.shapes import Shapes

FOLDER = Path(__file__).parent / "rows"
SEED = 77
#: Numbers of the rows and their widths in pixels.
ROWS = {13: 208, 16: 160, 17: 320, 18: 176, 26: 144, 33: 256, 34: 160}


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    shapes = Shapes(load_digits(parser.parse_args().data, "train"))
    composer = RowComposer(SEED, shapes, pens=0.6, no_text=0.02)
    FOLDER.mkdir(exist_ok=True)
    for i, width in ROWS.items():
        image, text = composer.row(i, width)
        Image.fromarray(image[..., 0]).save(FOLDER / f"{text or 'no text'}.png", optimize=True)


if __name__ == "__main__":
    main()
