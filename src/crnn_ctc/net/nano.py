"""CNN_Nano: a fully convolutional network with a fifth of CRNN_Tiny's arithmetic."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from crnn_ctc.net.network import Network, RnnKind, convolution


class Residual(nn.Module):
    """x + f(x) (He et al. 2015), f one convolution along the line with its norm and ReLU.

    Args:
        channels: C, of what comes in and goes out.
        kernel: kernel size in time steps.
    """

    def __init__(self, channels: int, kernel: int = 5) -> None:
        super().__init__()
        self.block = nn.Sequential(
            *convolution(channels, channels, (1, kernel), padding=(0, kernel // 2))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, T) to (N, C, 1, T)."""
        return x + self.block(x)  # type: ignore[no-any-return]


class CNN_Nano(Network):
    """The smallest and fastest network: residual convolutions along the line, no recurrence.

    The receptive field of a step is about 100 pixels, a few characters to each side. The design
    was chosen by ``bench/designs.py``.

    Args:
        channels: C of the input pictures.
        height: H of the input pictures, in pixels; divisible by 16.
        classes: K, the blank included.
        rnn: ``"none"``.
        dropout: dropout rate before the linear layer, while training.

    Raises:
        InputError: ``height`` is not a multiple of 16; another ``rnn``.
    """

    reduction = 16
    recurrent = ("none",)

    widths: ClassVar[tuple[int, int, int, int, int]] = (16, 32, 48, 64, 96)
    """Channels of the convolutions."""

    residuals: ClassVar[int] = 3
    """Convolutions along the line."""

    def __init__(
        self,
        channels: int,
        height: int,
        classes: int,
        rnn: RnnKind = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.check(height, rnn)
        last = self.widths[-1]
        along = (Residual(last) for _ in range(self.residuals))
        self.cnn = nn.Sequential(*self.convolutions(channels, height), *along)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(last, classes)

    @classmethod
    def convolutions(cls, channels: int, height: int) -> list[nn.Module]:
        """(N, C, H, W) to (N, 96, 1, W / 4)."""
        first, second, third, fourth, last = cls.widths
        return [
            *convolution(channels, first, stride=2),
            *convolution(first, second, stride=2),
            *convolution(second, third),
            *convolution(third, fourth, stride=(2, 1)),
            *convolution(fourth, last, stride=(2, 1)),
            # all rows that are left at once
            *convolution(last, last, (height // cls.reduction, 1), padding=0),
        ]

    @classmethod
    def steps(cls, width: int) -> int:
        """T, the time steps that a picture ``width`` pixels wide becomes."""
        half = (width + 1) // 2
        return (half + 1) // 2

    def sequence(self, x: Tensor) -> Tensor:
        """Nothing but dropout: (N, T, F) to (N, T, F)."""
        return self.dropout(x)  # type: ignore[no-any-return]


class CNN_Small(CNN_Nano):
    """CNN_Nano with more channels: three times its arithmetic, more accurate.

    Training may start from the weights of a CNN_Nano; see
    :func:`crnn_ctc.training.finetune.widened`.
    """

    widths = (24, 56, 80, 112, 160)
