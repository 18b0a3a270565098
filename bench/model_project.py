"""Upstream crnn-ctc's training and reading, reimplemented as a baseline.

The network is identical to ours, so ours is used, in torch's default memory layout as upstream; the
data pipeline makes the same Pillow calls as torchvision's transforms.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset


class Sequences(Dataset[tuple[Tensor, Tensor]]):
    """Rows of five digits, composed one digit at a time.

    Args:
        images: uint8 (N, 28, 28), upright.
        labels: uint8 (N,).
        count: rows per epoch.
    """

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.uint8], count: int) -> None:
        self._images, self._labels, self._count = images, labels, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, _: int) -> tuple[Tensor, Tensor]:
        indices = np.random.choice(len(self._images), size=5)
        row = np.concatenate([distort(self._images[i]) for i in indices], axis=-1)
        image = torch.from_numpy(row).float() / 255.0
        return image.unsqueeze(0), torch.from_numpy(self._labels[indices].astype(np.int64))


def distort(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize to 32 pixels, rotate, then apply an affine map, each with Pillow."""
    random = np.random
    image = Image.fromarray(digit).resize((32, 32), Image.Resampling.BILINEAR)
    image = image.rotate(random.uniform(-15, 15), fillcolor=0)
    angle = np.deg2rad(random.uniform(-10, 10))
    scale = random.uniform(0.9, 1.1)
    dx, dy = np.round(random.uniform(-3.2, 3.2, 2))
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    matrix = (
        cos, sin, 16 - cos * (16 + dx) - sin * (16 + dy),
        -sin, cos, 16 + sin * (16 + dx) - cos * (16 + dy),
    )  # fmt: skip
    return np.asarray(image.transform((32, 32), Image.Transform.AFFINE, matrix))


@torch.no_grad()
def read(network: torch.nn.Module, path: str, plate: bool = False) -> list[int]:
    """Read one picture with eager torch and best-path decoding: classes of its characters."""
    size, mode, blank = ((168, 48), "RGB", 0) if plate else ((160, 32), "L", 10)
    pixels = np.atleast_3d(np.array(Image.open(path).convert(mode).resize(size)))
    data = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255.0
    output = network(data[None])[0]
    classes = torch.max(output, dim=1).indices.numpy()
    return [int(c) for c, _ in groupby(classes) if c != blank]
