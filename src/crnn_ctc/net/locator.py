"""The locator network: a heat map of plate centres, and four corners for each cell.

CenterNet (Zhou, Wang and Kraehenbuehl 2019, arXiv 1904.07850) with corner offsets in place of a
box, on a small feature pyramid (Lin et al. 2017).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from crnn_ctc.net.network import standardize

STRIDE = 8
"""Pixels per cell of the output."""

MULTIPLE = 32
"""Height and width of a picture are multiples of this."""

#: Channels after each convolution: strides 2, 4, 8, 16, 32, and the head. Multiples of 16, which
#: bfloat16 matrix units compute fastest.
_CHANNELS = (16, 32, 48, 64, 96, 48)

_HEAT_PRIOR = -4.0
"""Bias of the heat map's logit: at first every cell says "no plate" (Lin et al. 2017)."""


class Maps(NamedTuple):
    """Output of :class:`LocatorNetwork`, h = H / 8 and w = W / 8 cells.

    Attributes:
        heat: float32 (N, h, w), logit that a plate's centre lies in the cell.
        corners: float32 (N, 8, h, w), x and y of tl, tr, br, bl, in cells from the cell's centre.
    """

    heat: Tensor
    corners: Tensor


_LIGHT_STRIDE = 4
"""Every so many pixels tell a picture's light."""


class LocatorNetwork(nn.Module):
    """Pictures to :class:`Maps`: five strided stages, merged top-down at stride 8.

    Args:
        own_light: whether each picture is standardized by its own light; see
            :func:`crnn_ctc.net.network.standardize`.
    """

    def __init__(self, own_light: bool = False) -> None:
        super().__init__()
        self.own_light = own_light
        first, second, third, fourth, fifth, head = _CHANNELS
        self.fine = nn.Sequential(
            *_convolution(3, first, stride=2),
            *_convolution(first, second, stride=2),
            *_convolution(second, third, stride=2),
            *_convolution(third, third),
        )
        self.middle = nn.Sequential(
            *_convolution(third, fourth, stride=2), *_convolution(fourth, fourth)
        )
        self.coarse = nn.Sequential(
            *_convolution(fourth, fifth, stride=2),
            *_convolution(fifth, fifth),
            # dilated: the corners of a plate 400 pixels wide are seen from its centre
            nn.Conv2d(fifth, fifth, 5, padding=4, dilation=2, groups=fifth, bias=False),
            nn.BatchNorm2d(fifth),
            nn.ReLU(inplace=True),
            nn.Conv2d(fifth, fifth, 1, bias=False),
            nn.BatchNorm2d(fifth),
            nn.ReLU(inplace=True),
        )
        self.to_middle = nn.Conv2d(fifth, fourth, 1)
        self.to_fine = nn.Conv2d(fourth, third, 1)
        self.head = nn.Sequential(*_convolution(third, head))
        self.out = nn.Conv2d(head, 9, 1)
        nn.init.constant_(self.out.bias[:1], _HEAT_PRIOR)  # type: ignore[index]

    def forward(self, images: Tensor) -> Maps:
        """The maps of float32 (N, 3, H, W) in [0, 1]; H and W are multiples of 32."""
        light = standardize(images, _LIGHT_STRIDE) if self.own_light else (images - 0.43) * 4
        fine = self.fine(light)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = middle + _doubled(self.to_middle, coarse)
        fine = fine + _doubled(self.to_fine, middle)
        out = self.out(self.head(fine)).float()
        return Maps(out[:, 0], out[:, 1:])


def _doubled(layer: nn.Conv2d, maps: Tensor) -> Tensor:
    """A 1x1 convolution, each cell of its output four times: (N, C, h, w) to (N, C', 2 h, 2 w).

    One transposed convolution. ONNX's Resize is refused by the guard of model files: its factors,
    which a stranger's file may choose, could ask for any amount of memory. Expand takes as long as
    all convolutions together.
    """
    weight = layer.weight.transpose(0, 1).expand(-1, -1, 2, 2)
    return functional.conv_transpose2d(maps, weight, layer.bias, stride=2)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """3x3 convolution, batch norm, ReLU: three modules, to be unpacked into a sequence."""
    return [
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def locator_loss(
    maps: Maps, heat: Tensor, corners: Tensor, weights: Tensor, care: Tensor
) -> Tensor:
    """Focal loss of the heat map, and L1 of the corners in parts of the plate's size.

    Args:
        maps: the network's output.
        heat: float32 (N, h, w) in [0, 1], 1 at the cells of plate centres.
        corners: float32 (N, 8, h, w), as :class:`Maps` has them.
        weights: float32 (N, h, w), weight of the corners at each cell; they sum to about 1 a plate,
            divided by the plate's size in cells.
        care: mask of the heat loss, float32 (N, h, w), 0 where the heat is unknown, else 1.

    Returns:
        The loss, ().
    """
    positive = heat.gt(0.999).float()
    plates = positive.sum().clamp(min=1)
    p = maps.heat.sigmoid()
    present = functional.logsigmoid(maps.heat) * (1 - p) ** 2 * positive
    absent = functional.logsigmoid(-maps.heat) * p**2 * (1 - heat) ** 4 * (1 - positive) * care
    focal = -(present + absent).sum() / plates
    off = ((maps.corners - corners).abs() * weights[:, None]).sum() / plates
    return focal + off


class FromPixels(nn.Module):
    """A locator with pixels as input, as in its model file."""

    def __init__(self, network: LocatorNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (N, H, W, 3) to heat in [0, 1], float32 (N, h, w), and corners (N, 8, h, w)."""
        maps = self.network(images.permute(0, 3, 1, 2).to(torch.float32) / 255)
        return maps.heat.sigmoid(), maps.corners
