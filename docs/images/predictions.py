"""Draws predictions.png: the example pictures with what the shipped models read in them.

python docs/images/predictions.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.drawing.annotate import annotate
from crnn_ctc.image import SUFFIXES, load
from crnn_ctc.plates import with_dot

EXAMPLES = Path(__file__).parents[2] / "examples"
COLUMNS, GAP = 2, 24
#: Folders of ``examples`` in the order that they are shown, and how many pictures of each.
SHOWN = {"plates": 8, "digits": 2}


def main() -> None:
    sheets = []
    for folder, count in SHOWN.items():
        reader = Reader(f"{folder}-tiny")
        paths = sorted(p for p in (EXAMPLES / folder).iterdir() if p.suffix in SUFFIXES)
        for path in paths[:count]:
            reading = reader(path)
            title, places = with_dot(reading.text), folder == "digits"
            sheets.append(annotate(load(path), reading, title, places))
    # two columns; the next sheet goes where there is more room
    width, ends = sheets[0].width + GAP, [GAP] * COLUMNS
    places = []
    for sheet in sheets:
        column = ends.index(min(ends))
        places.append((GAP + column * width, ends[column]))
        ends[column] += sheet.height + GAP
    page = Image.new("RGB", (COLUMNS * width + GAP, max(ends)), "#eef1f4")
    for sheet, place in zip(sheets, places, strict=True):
        page.paste(sheet, place)
    page.save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
