"""IDX files, gzipped or not."""

from __future__ import annotations

import gzip
import struct
import tempfile
from math import prod
from pathlib import Path

import numpy as np

from crnn_ctc.data.idx import read_idx
from promise import Target, kept

_FILE = Path(tempfile.mkdtemp(), "images-idx3-ubyte")


def check(data: bytes) -> None:
    """An array that is no larger than its file; or a refusal."""
    _FILE.write_bytes(data)
    for dimensions in (1, 3):
        with kept():
            array = read_idx(_FILE, dimensions)
            assert array.dtype == np.uint8
            assert array.ndim == dimensions


def _idx(*shape: int) -> bytes:
    header = struct.pack(f">I{len(shape)}I", 0x0800 | len(shape), *shape)
    return header + bytes(prod(shape))


TARGET = Target(
    check,
    (
        _idx(2, 5, 6), _idx(9), _idx(0),
        _idx(0, 28, 28), _idx(0, 2**32 - 1, 2**32 - 1), gzip.compress(_idx(2, 5, 6), 1, mtime=0),
        gzip.compress(_idx(9), 9, mtime=0), gzip.compress(b"", mtime=0) + gzip.compress(_idx(3)),
    ),
)  # fmt: skip
