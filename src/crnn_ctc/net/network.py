"""Base of all networks: convolutions, a sequence part, one linear layer, CTC."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from crnn_ctc.errors import InputError

RnnKind = Literal["gru", "lstm", "none"]
"""Recurrent layers: GRU (Cho et al. 2014), LSTM (Hochreiter and Schmidhuber 1997), or none."""


def scale_pixels(images: Tensor) -> Tensor:
    """uint8 (N, H, W, C), as pictures are stored, to float32 (N, C, H, W) in [0, 1].

    This is the first step of training, evaluation and the exported graph. The result stays in
    channels-last order, in which convolutions are fastest.
    """
    return images.permute(0, 3, 1, 2).to(torch.float32) / 255


def standardize(images: Tensor, stride: int = 1) -> Tensor:
    """Pictures with their own light taken out: mean 0 and deviation 1 of each picture's roots.

    The square root expands dark tones and compresses glare. One mean and deviation for all channels
    preserves the colours.

    Args:
        images: float32 (N, C, H, W) in [0, 1].
        stride: mean and deviation are those of every so many pixels, either way.

    Returns:
        float32 (N, C, H, W).
    """
    tones = images.sqrt()
    some = tones if stride == 1 else tones[:, :, ::stride, ::stride]
    mean = some.mean((1, 2, 3), keepdim=True)
    deviation = (some - mean).square().mean((1, 2, 3), keepdim=True).sqrt()
    return (tones - mean) / (deviation + 0.02)


def convolution(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int] = 3,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 1,
) -> list[nn.Module]:
    """Convolution with bias, batch norm, ReLU: three modules, to be unpacked into a sequence."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class Network(nn.Module, ABC):
    """Pictures to log-probabilities.

    All networks take the same arguments: C and H of the pictures, K classes, the kind of recurrent
    layers, and dropout. Training, export and changes of the alphabet access ``cnn`` and ``fc``.
    """

    reduction: ClassVar[int]
    """Rows of the input per row of features before the last convolution."""

    rows: ClassVar[int] = 1
    """Least number of rows before the last convolution."""

    recurrent: ClassVar[tuple[RnnKind, ...]]
    """Supported kinds of recurrent layers, the default first."""

    cnn: nn.Sequential
    fc: nn.Linear

    own_light: bool = False
    """Whether each picture is standardized; see :func:`standardize`."""

    @classmethod
    def check(cls, height: int, rnn: RnnKind) -> None:
        """Check that the network supports its arguments.

        Raises:
            InputError: ``height`` does not suit the convolutions, or it has no such layers.
        """
        if height % cls.reduction or height < cls.rows * cls.reduction:
            least = cls.rows * cls.reduction
            raise InputError(
                f"input height {height}: {cls.__name__} needs a multiple of {cls.reduction}, "
                f"at least {least}"
            )
        if rnn not in cls.recurrent:
            raise InputError(
                f"network.rnn {rnn}: {cls.__name__} takes {' or '.join(cls.recurrent)}"
            )

    @classmethod
    @abstractmethod
    def steps(cls, width: int) -> int:
        """T, the time steps that a picture ``width`` pixels wide becomes."""

    @abstractmethod
    def sequence(self, x: Tensor) -> Tensor:
        """What stands between the convolutions and the linear layer: (N, T, F) to (N, T, F')."""

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities of the classes at each time step.

        Args:
            images: float32 (N, C, H, W) in [0, 1]; see :func:`scale_pixels`.

        Returns:
            float32 (N, T, K), whatever the precision of the layers before.
        """
        if self.own_light:  # about where pictures are, so that a network trained without goes on
            images = 0.2 * standardize(images) + 0.5
        x = self.cnn(images)  # (N, C', H', T)
        if self.training and x.requires_grad:
            # as the gradient comes from the line below, the last ReLU would take it badly: 8 times
            # as long on a CPU
            x.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))
        x = x.permute(0, 3, 1, 2).flatten(2)  # (N, T, C' * H')
        # in float32 even under autocast: small probabilities decide CTC's sums
        return torch.log_softmax(self.fc(self.sequence(x)).float(), dim=-1)
