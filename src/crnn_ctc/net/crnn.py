"""CRNN and CRNN_Tiny: convolutions, two bidirectional recurrent layers, CTC.

The architecture of Shi et al. 2015 (arXiv 1507.05717, section 2) in the sizes of the model project
crnn-ctc, parameter for parameter; the loss is Graves et al. 2006.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from crnn_ctc.errors import InputError

RnnKind = Literal["gru", "lstm"]


def scale_pixels(images: Tensor) -> Tensor:
    """uint8 (N, H, W, C), as pictures are stored, to float32 (N, C, H, W) in [0, 1].

    Training, evaluation and the exported graph all begin with this. The result keeps the bytes'
    order in memory, channels last, which is also what convolutions run fastest on.
    """
    return images.permute(0, 3, 1, 2).to(torch.float32) / 255


def convolution(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    stride: int | tuple[int, int] = 1,
    padding: int = 1,
) -> list[nn.Module]:
    """Convolution with bias, batch norm, ReLU: three modules, to be unpacked into a sequence."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class CRNN(nn.Module):
    """CRNN, the large network: about 8 million parameters on digits, 15 million on plates.

    Args:
        channels: C of the input pictures.
        height: H of the input pictures, in pixels; divisible by :attr:`reduction`.
        classes: K, the blank included.
        rnn: ``"gru"`` (Cho et al. 2014) or ``"lstm"`` (Hochreiter and Schmidhuber 1997).
        dropout: on the output of the first recurrent layer, while training.

    Raises:
        InputError: ``height`` is not a multiple of :attr:`reduction`, or too small.
    """

    reduction: ClassVar[int] = 16
    """Rows of the input for one row of features, before the last convolution takes one more."""

    features: ClassVar[int] = 512
    """Channels of the last convolution."""

    def __init__(
        self,
        channels: int,
        height: int,
        classes: int,
        rnn: RnnKind = "gru",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        rows = height // self.reduction - 1
        if height % self.reduction or rows < 1:
            raise InputError(
                f"input height {height}: {type(self).__name__} needs a multiple of "
                f"{self.reduction}, at least {2 * self.reduction}"
            )
        self.cnn = self.convolutions(channels)
        width = self.features * rows
        kind = nn.GRU if rnn == "gru" else nn.LSTM
        self.rnn = kind(width, width // 2, 2, batch_first=True, bidirectional=True, dropout=dropout)
        self.fc = nn.Linear(width, classes)

    @classmethod
    def convolutions(cls, channels: int) -> nn.Sequential:
        """(N, C, H, W) to (N, 512, H / 16 - 1, W / 4 - 1)."""
        return nn.Sequential(
            *convolution(channels, 64),
            nn.MaxPool2d(2),
            *convolution(64, 128),
            nn.MaxPool2d(2),
            *convolution(128, 256),
            *convolution(256, 256),
            nn.MaxPool2d((2, 1)),
            *convolution(256, 512),
            *convolution(512, 512),
            nn.MaxPool2d((2, 1)),
            *convolution(512, 512, kernel=2, padding=0),
        )

    @classmethod
    def steps(cls, width: int) -> int:
        """T, the time steps that a picture ``width`` pixels wide becomes."""
        return width // 2 // 2 - 1

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities of the classes at each time step.

        Args:
            images: float32 (N, C, H, W) in [0, 1]; see :func:`scale_pixels`.

        Returns:
            float32 (N, T, K), whatever the precision of the layers before.
        """
        x = self.cnn(images)  # (N, C', H', T)
        x = x.permute(0, 3, 1, 2).flatten(2)  # (N, T, C' * H')
        x, _ = self.rnn(x)
        # in float32 even under autocast: small probabilities decide CTC's sums
        return torch.log_softmax(self.fc(x).float(), dim=-1)


class CRNN_Tiny(CRNN):
    """CRNN_Tiny: strides instead of pooling, 32 and 64 channels, twice the time steps.

    Arguments, shapes and errors as :class:`CRNN`.
    """

    reduction = 8
    features = 64

    @classmethod
    def convolutions(cls, channels: int) -> nn.Sequential:
        """(N, C, H, W) to (N, 64, H / 8 - 1, W / 2 - 1)."""
        return nn.Sequential(
            *convolution(channels, 32, stride=2),
            *convolution(32, 32),
            *convolution(32, 32, stride=(2, 1)),
            *convolution(32, 64),
            *convolution(64, 64, stride=(2, 1)),
            *convolution(64, 64, kernel=2, padding=0),
        )

    @classmethod
    def steps(cls, width: int) -> int:
        """T, the time steps that a picture ``width`` pixels wide becomes."""
        return (width + 1) // 2 - 1


ARCHITECTURES: dict[str, type[CRNN]] = {"CRNN": CRNN, "CRNN_Tiny": CRNN_Tiny}
"""The networks that a recipe may name."""
