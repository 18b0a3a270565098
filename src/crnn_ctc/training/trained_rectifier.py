"""A trained rectifier, on the CPU, in float32."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crnn_ctc.errors import InputError
from crnn_ctc.model_file.runtime import RectifierOutput
from crnn_ctc.net.network import scale_pixels
from crnn_ctc.net.rectifier import Rectifier
from crnn_ctc.training.checkpoint import BEST, RECTIFIER, load_tensors


class TrainedRectifier:
    """A rectifier for evaluation.

    Args:
        weights: weights of a :class:`crnn_ctc.net.rectifier.Rectifier`.

    Raises:
        InputError: they belong to another network.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.network = Rectifier().eval()
        try:
            self.network.load_state_dict(dict(weights))
        except RuntimeError:
            raise InputError("the rectifier's weights do not fit it; train it again") from None

    @torch.inference_mode()
    def find(self, views: NDArray[np.uint8]) -> RectifierOutput:
        """Views uint8 (N, 48, 96, 3) to plates."""
        corners, rows, colours = self.network(scale_pixels(torch.from_numpy(views)))
        return RectifierOutput(corners.numpy(), rows.sigmoid().numpy(), colours.softmax(-1).numpy())


def open_rectifier(run: str | Path) -> TrainedRectifier:
    """The rectifier of its own run folder, or of the run folder of a reader behind it.

    Raises:
        InputError: the folder holds none.
    """
    folder = Path(run)
    file = RECTIFIER if (folder / RECTIFIER).is_file() else BEST
    if not (folder / file).is_file():
        raise InputError(
            f"data.rectifier {run}: no run folder with a trained rectifier; train one with "
            "crnn-ctc train plates-rectify or text-rectify, and name its run folder"
        )
    return TrainedRectifier(load_tensors(folder / file)[0])
