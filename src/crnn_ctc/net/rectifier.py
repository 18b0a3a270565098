"""The rectifier's network: the four corners of a plate in a crop, its rows and its colour.

A spatial transformer (Jaderberg et al. 2015) whose corners are supervised: the recognition loss
alone is reported to train such a network poorly (TransLPRNet, arXiv 2507.17335). The plate is
sampled outside the graph, from the pixels of the original picture; see :mod:`crnn_ctc.rectify`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crnn_ctc.net.network import standardize

VIEW_HEIGHT, VIEW_WIDTH = 48, 96
"""Input size of the rectifier in pixels."""

_WIDTHS = (16, 32, 48, 64, 64)
_STRIDES = (2, 2, 2, 1, 2)
_HIDDEN = 112

COLOURS = ("blue", "yellow", "green", "white", "black")
"""Colours of plates, in the order of the network's output."""


class Rectifier(nn.Module):
    """Corners of the plate in a reduced crop.

    Each picture is standardized, because brightness carries no information about the corners.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, stride in zip(_WIDTHS, _STRIDES, strict=True):
            layers += [
                nn.Conv2d(channels, width, 3, stride, 1),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            channels = width
        self.cnn = nn.Sequential(*layers)
        self.hidden = nn.Linear(channels * (VIEW_HEIGHT // 16) * (VIEW_WIDTH // 16), _HIDDEN)
        self.out = nn.Linear(_HIDDEN, 9 + len(COLOURS))
        with torch.no_grad():  # begin with a plate that fills the crop
            self.out.weight.mul_(0.1)
            self.out.bias[:9].copy_(torch.tensor([0, 0, 1, 0, 1, 1, 0, 1, -2.0]))

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Find the plate.

        Args:
            views: float32 (N, 3, 48, 96) in [0, 1]; see :func:`crnn_ctc.net.network.scale_pixels`.

        Returns:
            Corners float32 (N, 4, 2), x and y as shares of the picture: top left, top right, bottom
            right, bottom left of the plate as it is read. Float32 (N,), the logit of two rows.
            Float32 (N, 5), the logits of ``COLOURS``.
        """
        x = self.cnn(standardize(views))
        x = torch.relu(self.hidden(x.flatten(1)))
        found = self.out(x).float()
        return found[:, :8].reshape(-1, 4, 2), found[:, 8], found[:, 9:]
