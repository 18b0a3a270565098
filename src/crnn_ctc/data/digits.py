"""Handwritten digits from the files of EMNIST and MNIST, upright and 32 pixels high."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.idx import read_idx
from crnn_ctc.errors import InputError
from crnn_ctc.synthesis.distortion import SIZE

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")

_FOLDERS = (".", "gzip", "EMNIST/raw", "MNIST/raw")
"""Subfolders that may contain the files: none, NIST's archive's, torchvision's."""


@dataclass(frozen=True)
class Digits:
    """Single digits.

    Attributes:
        images: uint8 (N, 32, 32), upright, light ink on black.
        labels: uint8 (N,), 0 to 9.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, indices: NDArray[np.int64]) -> Digits:
        """Select the digits at ``indices``."""
        return Digits(self.images[indices], self.labels[indices])


def load_digits(folder: Path, split: Split) -> Digits:
    """Load the digits of an official EMNIST or MNIST folder, gzipped or not.

    EMNIST stores its pictures transposed (Cohen et al. 2017, section II); they are returned
    upright.

    Raises:
        InputError: files are missing or broken, or images and labels do not match.
    """
    images_path, labels_path, transposed = _find(folder, split)
    images = read_idx(images_path, dimensions=3)
    labels = read_idx(labels_path, dimensions=1)
    if len(images) != len(labels):
        raise InputError(
            f"{images_path}: {len(images)} images, but {len(labels)} labels in "
            f"{labels_path.name}; download both again"
        )
    if images.shape[1:] != (28, 28):
        raise InputError(f"{images_path}: pictures of {images.shape[1:]}, not of 28x28 pixels")
    if len(labels) == 0:
        raise InputError(f"{images_path}: holds no pictures; download it again")
    if labels.max() > 9:
        raise InputError(
            f"{labels_path}: label {labels.max()} is no digit; use the files of the digits split"
        )
    if transposed:
        images = images.transpose(0, 2, 1)
    return Digits(enlarge(images), labels)


def has_digits(folder: Path, split: Split) -> bool:
    """Tell whether ``folder`` has the pictures of ``split``, broken or not."""
    return _images(folder, split) is not None


def _find(folder: Path, split: Split) -> tuple[Path, Path, bool]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; fetch the digits with: crnn-ctc data emnist")
    found = _images(folder, split)
    if found is None:
        raise InputError(
            f"{folder}: holds no {split} digits of EMNIST or MNIST; "
            f"fetch them with: crnn-ctc data emnist {folder}"
        )
    images, stem = found
    labels = _either(images.parent, f"{stem}-labels-idx1-ubyte")
    if labels is None:
        raise InputError(
            f"{images}: its labels, {stem}-labels-idx1-ubyte[.gz], are not beside it; "
            "download them too"
        )
    return images, labels, stem.startswith("emnist")


def _images(folder: Path, split: Split) -> tuple[Path, str] | None:
    """Find the file of pictures, and the name prefix that it shares with its labels."""
    for stem in (f"emnist-digits-{split}", {"train": "train", "test": "t10k"}[split]):
        for sub in _FOLDERS:
            images = _either(folder / sub, f"{stem}-images-idx3-ubyte")
            if images is not None:
                return images, stem
    return None


def _either(folder: Path, name: str) -> Path | None:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def enlarge(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize (N, 28, 28) to (N, 32, 32) bilinearly, in exact integers.

    The scale is 7/8, so every weight is a multiple of 1/16 and the result is bit-identical on every
    machine, independent of image libraries.
    """
    weights = np.zeros((SIZE, 28), np.int32)
    for row in range(SIZE):
        sixteenths = 7 * (2 * row + 1) - 8  # source coordinate, with pixel centres at .5
        low, fraction = divmod(sixteenths, 16)
        weights[row, max(low, 0)] += 16 - fraction
        weights[row, min(low + 1, 27)] += fraction
    out = np.empty((len(images), SIZE, SIZE), np.uint8)
    for start in range(0, len(images), 4096):  # in chunks: int32 takes four times the memory
        part = images[start : start + 4096].astype(np.float32)
        # float32 is exact for these integers, at most 255 * 256, and multiplies faster
        wide = weights.astype(np.float32) @ part @ weights.T.astype(np.float32)
        out[start : start + 4096] = (wide.astype(np.int32) + 128) >> 8
    return out


def hold_out(digits: Digits, fraction: float) -> tuple[Digits, Digits]:
    """Split training digits into training and validation digits.

    Every k-th digit is held out, the same ones in each run.
    """
    every = round(1 / fraction)
    held = np.arange(len(digits)) % every == 0
    return digits.part(np.flatnonzero(~held)), digits.part(np.flatnonzero(held))
