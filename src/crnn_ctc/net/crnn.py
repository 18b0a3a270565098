"""CRNN and CRNN_Tiny: convolutions, two bidirectional recurrent layers, CTC.

The architecture of Shi et al. 2015 (arXiv 1507.05717, section 2) in the sizes of upstream crnn-ctc
crnn-ctc, parameter for parameter; the loss is Graves et al. 2006.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from crnn_ctc.net.network import Network, RnnKind, convolution


class CRNN(Network):
    """CRNN, the large network: about 8 million parameters on digits, 15 million on plates.

    Args:
        channels: C of the input pictures.
        height: H of the input pictures, in pixels; divisible by :attr:`reduction`.
        classes: K, the blank included.
        rnn: ``"gru"`` or ``"lstm"``.
        dropout: on the output of the first recurrent layer, while training.

    Raises:
        InputError: ``height`` is not a multiple of :attr:`reduction`, or too small; another
            ``rnn``.
    """

    reduction = 16
    rows = 2
    recurrent = ("gru", "lstm")

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
        self.check(height, rnn)
        self.cnn = self.convolutions(channels)
        width = self.features * (height // self.reduction - 1)
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

    def sequence(self, x: Tensor) -> Tensor:
        """Both recurrent layers: (N, T, F) to (N, T, F)."""
        return self.rnn(x)[0]  # type: ignore[no-any-return]


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
