"""CNN_Rows: CNN_Nano for rows of any width, ink and paper."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from crnn_ctc.net.nano import CNN_Nano

_LEAST_DEVIATION = 4 / 255
"""Below it a picture is taken for blank, and its noise is not made larger."""


class CNN_Rows(CNN_Nano):
    """CNN_Nano with wider layers, on pictures of mean 0 and deviation 1.

    Exposure and contrast differ from scan to scan more than digits do. They are taken out of each
    picture before the first convolution, inside the network, so that every runtime does the same.
    All layers are convolutions: the picture may have any width.

    Arguments, shapes and errors as :class:`~crnn_ctc.net.nano.CNN_Nano`.
    """

    widths: ClassVar[tuple[int, int, int, int, int]] = (16, 32, 64, 96, 128)
    residuals: ClassVar[int] = 4

    def forward(self, images: Tensor) -> Tensor:
        """float32 (N, C, H, W) in [0, 1] to log-probabilities, float32 (N, T, K)."""
        centred = images - images.mean((1, 2, 3), keepdim=True)
        deviation = (centred * centred).mean((1, 2, 3), keepdim=True).sqrt()
        return super().forward(centred / deviation.clamp(min=_LEAST_DEVIATION))
