"""A contact sheet of synthetic plates with their texts, for inspection before training."""

from __future__ import annotations

from itertools import count

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from crnn_ctc.drawing.typeface import HAN_FACES, typeface
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import Kind

_GAP = 6
_CAPTION = 20
_PAPER, _INK = (250, 250, 250), (40, 40, 40)
_SEARCH = 4_000  # samples searched for rare kinds


def contact_sheet(
    synthesizer: PlateSynthesizer,
    rows: int = 12,
    columns: int = 8,
    start: int = 0,
    every_kind: bool = False,
) -> NDArray[np.uint8]:
    """Draw a grid of consecutive samples, beginning at ``start``, each with its text below.

    Args:
        synthesizer: generates the samples.
        rows: number of rows of the grid.
        columns: number of columns of the grid.
        start: index of the first sample.
        every_kind: skip samples so that all kinds are shown in turn, equally often.

    Returns:
        uint8 RGB (H, W, 3).
    """
    wanted = rows * columns
    indices = _in_turn(synthesizer, start, wanted) if every_kind else range(start, start + wanted)
    cell_w, cell_h = synthesizer.width + _GAP, synthesizer.height + _CAPTION + _GAP
    sheet = Image.new("RGB", (columns * cell_w + _GAP, rows * cell_h + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    font = typeface(HAN_FACES[0], 15)
    for place, i in enumerate(indices):
        image, text, _ = synthesizer.sample(i)
        x, y = _GAP + place % columns * cell_w, _GAP + place // columns * cell_h
        sheet.paste(Image.fromarray(image), (x, y))
        middle = (x + synthesizer.width / 2, y + synthesizer.height + _CAPTION / 2)
        pen.text(middle, text, _INK, font, anchor="mm")
    return np.asarray(sheet)


def _in_turn(synthesizer: PlateSynthesizer, start: int, wanted: int) -> list[int]:
    """Select sample indices so that the kinds take turns."""
    waiting: dict[Kind, list[int]] = {}
    for i in range(start, start + _SEARCH):
        waiting.setdefault(synthesizer.text(i).kind, []).append(i)
    kinds = sorted(waiting)
    chosen: list[int] = []
    for turn in count():
        before = len(chosen)
        chosen += [waiting[kind][turn] for kind in kinds if turn < len(waiting[kind])]
        if len(chosen) >= wanted or len(chosen) == before:
            return chosen[:wanted]
    raise AssertionError("count() does not end")
