"""CNN_Rows: CNN_Nano for rows of any width, ink and paper."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from crnn_ctc.net.nano import CNN_Nano

_LEAST_DEVIATION = 4 / 255
"""Lower bound of the deviation, so that the noise of blank pictures is not amplified."""


class CNN_Rows(CNN_Nano):
    """CNN_Nano with wider layers, on pictures of mean 0 and deviation 1.

    Exposure and contrast vary between scans, so each picture is standardized inside the network.
    All layers are convolutions, so the picture may have any width.

    Arguments, shapes and errors as :class:`~crnn_ctc.net.nano.CNN_Nano`.
    """

    widths: ClassVar[tuple[int, int, int, int, int]] = (16, 32, 64, 96, 128)
    residuals: ClassVar[int] = 4

    def forward(self, images: Tensor) -> Tensor:
        """float32 (N, C, H, W) in [0, 1] to log-probabilities, float32 (N, T, K)."""
        centred = images - images.mean((1, 2, 3), keepdim=True)
        deviation = (centred * centred).mean((1, 2, 3), keepdim=True).sqrt()
        return super().forward(centred / deviation.clamp(min=_LEAST_DEVIATION))
