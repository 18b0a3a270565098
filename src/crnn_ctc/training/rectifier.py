"""Training of a rectifier: corners, rows and colours of plates in random views of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crnn_ctc.data.plate_pictures import (
    backgrounds,
    ccpd_plates,
    imagined_backgrounds,
    labelled_plates,
    scene_plates,
)
from crnn_ctc.data.plate_views import ViewSource
from crnn_ctc.data.views import Plate
from crnn_ctc.image import fit as fit_picture
from crnn_ctc.net.network import scale_pixels
from crnn_ctc.net.rectifier import VIEW_HEIGHT, VIEW_WIDTH, Rectifier
from crnn_ctc.recipe.rectifier import CornersData, RectifierRecipe
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import KIND_WEIGHTS
from crnn_ctc.training import checkpoint
from crnn_ctc.training.loop import train
from crnn_ctc.training.run_start import RANDOM, start_run

_ROWS_WEIGHT, _COLOURS_WEIGHT = 0.3, 0.2
"""Weights of the losses of rows and of colours; that of corners is 1."""

Batch = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]
"""Views uint8 (N, 48, 96, 3), corners float32 (N, 4, 2), two rows float32 (N,), colours (N,)."""


def corner_errors(found: Tensor, corners: Tensor) -> Tensor:
    """Mean distance of four corners from the true ones, as a share of the plate's height.

    Args:
        found: float32 (N, 4, 2), shares of the view.
        corners: float32 (N, 4, 2), the true ones.

    Returns:
        float32 (N,).
    """
    size = corners.new_tensor([VIEW_WIDTH, VIEW_HEIGHT])
    true = corners * size
    height = ((true[:, 3] - true[:, 0]).norm(dim=-1) + (true[:, 2] - true[:, 1]).norm(dim=-1)) / 2
    distance = ((found * size - true).square().sum(-1) + 1e-4).sqrt().mean(-1)
    # of a plate of a few pixels, a pixel must not count more than all else
    errors: Tensor = distance / height.clamp(min=6.0)
    return errors


def train_rectifier(
    recipe: RectifierRecipe, data: Path, run: Path, resume: bool = False, start: Path | None = None
) -> float | None:
    """Train the rectifier of ``recipe`` on ``data`` into the folder ``run``.

    Args:
        recipe: the recipe.
        data: folder with the recipe's data.
        run: folder of the results; it must not hold a run, unless ``resume``.
        resume: continue from the run's last checkpoint, or start if there is none.
        start: run folder of a rectifier with the initial weights.

    Returns:
        The least mean corner error on the validation views, as a share of the plate's height; None
        in a process that is not the main one.

    Raises:
        InputError: the data, the folder or the recipe cannot be used.
        ChangedRunError: the run was started with another recipe or with other pictures.
        Interrupted: after Ctrl-C; the state was saved.
    """
    source, held_out = _open(recipe, data)
    plates = len(source.plates)
    begin = start.name if start else RANDOM
    accelerator, state = start_run(recipe, run, resume, plates, begin)
    torch.manual_seed(recipe.seed)
    network = Rectifier()
    if start is not None and state is None:
        network.load_state_dict(checkpoint.load_tensors(start / checkpoint.BEST)[0])
    network.to(accelerator.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = RectifierTask(source, held_out, accelerator.device)
    return train(task, network, recipe, run, accelerator, state, f"{plates:,} real plates")


@dataclass(frozen=True)
class RectifierTask:
    """Training of a rectifier as a :class:`crnn_ctc.training.loop.Task`.

    Attributes:
        source: training views.
        held_out: validation views.
        device: device of the network.
    """

    source: ViewSource
    held_out: Batch
    device: torch.device
    measure = "corner_error"

    def batch(self, step: int, size: int, part: slice) -> Batch:
        """Views ``step * size`` and on."""
        return _batch(self.source, range(step * size, (step + 1) * size)[part])

    def loss(self, model: nn.Module, batch: Batch, step: int) -> Tensor:
        """Corner errors, and the cross entropies of rows and colours."""
        del step
        images, corners, rows, colours = (torch.from_numpy(part).to(self.device) for part in batch)
        found, two, named = model(scale_pixels(images))
        loss = corner_errors(found, corners).mean()
        loss = loss + _ROWS_WEIGHT * nn.functional.binary_cross_entropy_with_logits(two, rows)
        # not the mean of torch, which is 0 / 0 where no colour of the batch is known
        named_loss = nn.functional.cross_entropy(named, colours, ignore_index=-1, reduction="sum")
        return loss + _COLOURS_WEIGHT * named_loss / (colours >= 0).sum().clamp(min=1)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """See :func:`validate`."""
        return validate(network, self.held_out, self.device)

    def score(self, numbers: dict[str, float]) -> tuple[float, ...]:
        """1 minus the corner error."""
        return (1 - numbers["corner_error"],)


@torch.inference_mode()
def validate(network: nn.Module, held_out: Batch, device: torch.device) -> dict[str, float]:
    """Mean corner error, and the accuracy of rows and of known colours."""
    images, corners, rows, colours = held_out
    outputs = network.eval()(scale_pixels(torch.from_numpy(images).to(device)))
    found, two, named = (output.cpu() for output in outputs)
    known = colours >= 0
    numbers = {
        "corner_error": float(corner_errors(found, torch.from_numpy(corners)).mean()),
        "rows": float(((two.numpy() > 0) == (rows > 0.5)).mean()),
    }
    if known.any():
        numbers["colours"] = float((named.numpy().argmax(1) == colours)[known].mean())
    return numbers


def _open(recipe: RectifierRecipe, folder: Path) -> tuple[ViewSource, Batch]:
    data: CornersData = recipe.data
    synthesizer = PlateSynthesizer(
        recipe.seed,
        glyphs=folder / data.glyphs if data.glyphs else None,
        glyph_share=data.glyph_share,
        kinds=data.kinds or KIND_WEIGHTS,
    )
    plates: list[Plate] = []
    grounds: list[NDArray[np.uint8]] = []
    if data.scenes:
        plates += scene_plates(folder / data.scenes)
        grounds = backgrounds(folder / data.scenes)
    if data.ccpd:
        plates += ccpd_plates(folder / data.ccpd)
    for name in [data.crops] if isinstance(data.crops, str) else data.crops or []:
        plates += labelled_plates(folder / name)
    grounds = grounds or imagined_backgrounds(recipe.seed)
    source = ViewSource(plates, synthesizer, grounds, data.synthetic, data.balance, recipe.seed)
    held = (scene_plates if data.scenes else labelled_plates)(folder / data.validation)
    # half of them synthetic, for their kinds, where training has such
    share = 0.5 if data.synthetic else 0.0
    other = ViewSource(held, synthesizer, source.grounds, share, 0.0, recipe.seed + _HELD_SEED)
    views = round(data.validation_views * len(held) / (1 - share))
    return source, _batch(other, range(views))


_HELD_SEED = 2_000_003
"""Added to a run's seed for the validation views."""


def _batch(source: ViewSource, indices: range) -> Batch:
    seen = source.views(indices)
    images = np.stack([fit_picture(v.image, VIEW_HEIGHT, VIEW_WIDTH, 3) for v, _ in seen])
    corners = np.stack([v.corners for v, _ in seen])
    rows = np.array([plate.two_rows for _, plate in seen], np.float32)
    return images, corners, rows, np.array([plate.colour for _, plate in seen], np.int64)
