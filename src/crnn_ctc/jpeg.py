"""JPEG files that are cut short at their end, as cameras' snapshots often are."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

MOST_MISSING = 0.1
"""Share of a picture; where more of it is missing, it is not read."""

_END = b"\xff\xd9"  # the marker EOI (ISO/IEC 10918-1, B.1.1.3)

_BLANK = 128  # what libjpeg gives each channel of a block whose coefficients are missing

_BLURRED = 2  # pixels at a block's edge that take colour from the next one


def open_cut_jpeg(content: bytes) -> tuple[Image.Image, float] | None:
    """A JPEG without its end, and the share of its blocks that are missing.

    The end marker is put where the file ends: libjpeg then fills up the rest of the picture.

    Args:
        content: the file.

    Returns:
        None for what is no sequential JPEG, or is cut before its picture begins; of a progressive
        one it cannot be told how much is missing.
    """
    try:
        image = Image.open(io.BytesIO(content + _END), formats=("JPEG",))
        assert isinstance(image, JpegImageFile)
        if "progressive" in image.info:
            return None
        block = (8 * max(layer[1] for layer in image.layer), 8 * max(v[2] for v in image.layer))
        image.load()
    except (OSError, ValueError, SyntaxError, IndexError):
        return None
    return image, _missing(np.asarray(image.convert("RGB"), np.uint8), *block)


def _missing(pixels: NDArray[np.uint8], width: int, height: int) -> float:
    """The share of blank blocks at the end, in the order in which they are coded.

    Args:
        pixels: uint8 (H, W, 3).
        width: width of a block (MCU) in pixels.
        height: height of a block in pixels.
    """
    blank = (pixels == _BLANK).all(axis=2)
    rows, columns = -(-pixels.shape[0] // height), -(-pixels.shape[1] // width)
    total = rows * columns
    for n in range(total):
        row, column = divmod(total - 1 - n, columns)
        y, x = row * height + _BLURRED, column * width + _BLURRED
        block = blank[y : y + height - 2 * _BLURRED, x : x + width - 2 * _BLURRED]
        if not block.all():
            return float(n / total)
    return 1.0
