"""JPEG files: large ones decoded at reduced size, and truncated ones."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

MOST_MISSING = 0.1
"""Share of a picture; a picture that misses more is not read."""

_END = b"\xff\xd9"  # the marker EOI (ISO/IEC 10918-1, B.1.1.3)

_SOF2, _SOS = 0xC2, 0xDA
"""Markers of a progressive frame and of a scan."""

_COEFFICIENTS = 64
"""DCT coefficients of a block."""

_BLANK = 128  # what libjpeg gives each channel of a block whose coefficients are missing

_BLURRED = 2  # pixels at a block's edge that take colour from the next one


_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""Begins a segment; RST0 to RST7 stand inside a scan (ISO/IEC 10918-1, B.1.1)."""


LEAST_REDUCED = 2_500_000
"""Pixels that a picture decoded at a fraction of its size has at least."""


_REDUCED = "crnn_ctc_reduced"
"""Key in a Pillow image's ``info``: its divisor, and a function that decodes it at full size."""


def reduce_decoding(image: Image.Image, whole: Callable[[], Image.Image]) -> None:
    """Decode a large JPEG at a half, a quarter or an eighth of its width and height.

    libjpeg scales in the frequency domain, which saves time and memory. At least
    ``LEAST_REDUCED`` pixels are left. A small picture, or one of another format, is left alone.

    Args:
        image: opened, its pixels not yet loaded.
        whole: opens it again, to be decoded at full size; see :func:`full_size`.
    """
    if not isinstance(image, JpegImageFile):
        return
    width, height = image.size
    for divisor in (8, 4, 2):
        if width * height >= LEAST_REDUCED * divisor**2:
            image.draft(None, (width // divisor, height // divisor))
            image.info[_REDUCED] = (divisor, whole)
            return


def divisor_of(picture: Image.Image) -> int:
    """The factor by which width and height were divided on decoding."""
    divisor, _ = picture.info.get(_REDUCED, (1, None))
    return int(divisor)


def full_size(picture: Image.Image) -> Image.Image:
    """The picture at full size, decoded again if it was decoded at reduced size."""
    _, whole = picture.info.get(_REDUCED, (1, None))
    return whole() if whole else picture


def open_cut_jpeg(content: bytes) -> tuple[Image.Image, str] | None:
    """Complete a truncated JPEG, and name what is missing.

    The end marker is appended; libjpeg then fills the rest of the picture.

    Args:
        content: the file.

    Returns:
        None if it is no JPEG or misses more than :data:`MOST_MISSING` of its blocks; for a
        progressive one, more than the last bits of its coefficients.
    """
    try:
        end = _end_of_coarse_picture(content)
        image = Image.open(io.BytesIO(content[:end] + _END), formats=("JPEG",))
        assert isinstance(image, JpegImageFile)
        progressive = "progressive" in image.info
        block = (8 * max(layer[1] for layer in image.layer), 8 * max(v[2] for v in image.layer))
        if progressive and end is None:
            return None
        image.load()
    except (OSError, ValueError, SyntaxError, IndexError):
        return None
    if progressive:
        return image, "its last details are"
    missing = _missing(np.asarray(image.convert("RGB"), np.uint8), *block)
    if missing > MOST_MISSING:
        return None
    return image, f"its last {100 * missing:.2g} % are" if missing else "its end marker is"


def _end_of_coarse_picture(content: bytes) -> int | None:
    """The number of bytes of a truncated progressive JPEG that show the whole picture.

    Each scan of such a file holds some coefficients of all blocks, in any order (ISO/IEC 10918-1,
    G.1.2). Every coefficient of the first component, brightness, must have been sent once; only
    its last bits, or colour, may be missing.

    Returns:
        None if that is not so, or the file is not progressive.
    """
    component, known, scan = -1, set[int](), set[int]()
    at = 2
    while marker := _MARKER.search(content, at):
        known |= scan  # another segment: the scan before it is whole
        scan = set()
        begin, kind = marker.start(), content[marker.start() + 1]
        size = int.from_bytes(content[begin + 2 : begin + 4], "big")
        at = begin + 2 + size
        if at > len(content):
            break
        segment = content[begin + 4 : at]
        if kind == _SOF2:
            component = segment[6]
        elif kind == _SOS:
            count = segment[0]
            first, last, bits = segment[1 + 2 * count : 4 + 2 * count]
            if component in list(segment[1 : 1 + 2 * count : 2]) and bits >> 4 == 0:
                scan = set(range(first, last + 1))
    else:
        begin = len(content)
    return begin if len(known) == _COEFFICIENTS else None


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
