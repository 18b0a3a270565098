"""Data for tests: where the real data and the examples are, and small sets that are made here."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
EXAMPLES = ROOT / "examples"


def shared_data(name: str) -> Path:
    """A folder of the real data: absent, it skips; with CRNN_CTC_REQUIRE_DATA=1, it fails."""
    folder = SHARED / name
    if not folder.is_dir():
        missing(f"real data is not here: {name} beside the project in shared/data")
    return folder


def missing(reason: str) -> NoReturn:
    """Skip, or with CRNN_CTC_REQUIRE_DATA=1 fail: what a test needs is not here."""
    if os.environ.get("CRNN_CTC_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def idx(array: NDArray[np.uint8]) -> bytes:
    header = struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape)
    return header + array.tobytes()


def printed_digits(count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Digits of a font, upright: enough like handwriting to exercise the code."""
    labels = (np.arange(count) * 7 % 10).astype(np.uint8)
    images = np.zeros((count, 28, 28), np.uint8)
    font = ImageFont.load_default(24)
    for i, label in enumerate(labels):
        picture = Image.new("L", (28, 28))
        ImageDraw.Draw(picture).text((14 + i % 3 - 1, 14), str(label), 255, font, "mm")
        images[i] = np.asarray(picture)
    return images, labels


def write_emnist(folder: Path, train: int = 400, test: int = 100, zipped: bool = True) -> Path:
    """A folder in EMNIST's layout, its pictures transposed as EMNIST's are."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("test", test)):
        images, labels = printed_digits(count)
        files = {"images-idx3": images.transpose(0, 2, 1), "labels-idx1": labels}
        for what, array in files.items():
            content = idx(np.ascontiguousarray(array))
            name = f"emnist-digits-{split}-{what}-ubyte"
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
            else:
                (folder / name).write_bytes(content)
    return folder


def write_lines(folder: Path, texts: tuple[str, ...], copies: int = 1) -> None:
    """Labelled pictures of printed lines, TEXT_n.png, dark on white, each a little different."""
    folder.mkdir(parents=True, exist_ok=True)
    font = ImageFont.load_default(22)
    for i, text in enumerate(texts):
        for n in range(copies):
            picture = Image.new("L", (64, 32), 255)
            at = (32 + (i + n) % 5 - 2, 16 + n % 3 - 1)
            ImageDraw.Draw(picture).text(at, text, 16 * (n % 4), font, "mm")
            picture.save(folder / f"{text}_{n}.png")
