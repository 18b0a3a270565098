"""A run folder as a model: its averaged weights, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from crnn_ctc import __version__
from crnn_ctc.errors import InputError
from crnn_ctc.image import ROW_STEP
from crnn_ctc.model_file import card
from crnn_ctc.model_file.card import Card
from crnn_ctc.model_file.runtime import RectifierOutput
from crnn_ctc.net.build import build
from crnn_ctc.net.network import Network, scale_pixels
from crnn_ctc.net.rectifier import COLOURS, VIEW_HEIGHT, VIEW_WIDTH
from crnn_ctc.net.summary import summarize
from crnn_ctc.recipe import RECTIFY, TASK, Recipe, RowsData, load_recipe
from crnn_ctc.rectify import MARGIN
from crnn_ctc.training.checkpoint import BEST, RECIPE, RECTIFIER, STATE, load_tensors, under
from crnn_ctc.training.trained_rectifier import TrainedRectifier


class Trained:
    """The averaged weights of a run, on the CPU, in float32.

    Args:
        run: a run folder, for the weights that did best on validation; or the folder ``last`` in
            it, for those of its last checkpoint.

    Raises:
        InputError: not a run folder, or it holds no weights yet.
    """

    def __init__(self, run: Path) -> None:
        if (run / STATE.name).is_file():
            tensors, facts = _last(run)
        elif (run / BEST).is_file():
            tensors, facts = load_tensors(run / BEST)
        elif not run.exists():
            raise InputError(f"{run}: no such run folder; train first, or correct the path")
        else:
            raise InputError(
                f"{run}: no {BEST.name} in it; give a run folder that train has validated once"
            )
        recipe = facts.get("recipe")
        task = recipe.get("task") if isinstance(recipe, dict) else None
        if task == TASK:
            raise InputError(f"{run}: a locator's run; export it: crnn-ctc export {run}")
        if task == RECTIFY:
            raise InputError(
                f"{run}: a rectifier's run; train a reader behind it: --set data.rectifier={run}"
            )
        try:
            self.recipe = Recipe.model_validate(facts["recipe"])
            self.network: Network = build(self.recipe)
            self.network.load_state_dict(tensors)
            self.card = make_card(self.recipe, self.network, facts)
            self.rectifier = _rectifier(run) if self.card.rectifier else None
        except (ValidationError, KeyError, RuntimeError):
            raise InputError(
                f"{run}: its weights do not belong to its recipe; train again"
            ) from None
        if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise InputError(f"{run}: its weights are no numbers (NaN or infinite); train again")
        self.network.eval()

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, H, W, C) to float32 (N, T, K)."""
        with torch.inference_mode():
            return self.network(scale_pixels(torch.from_numpy(images))).numpy()  # type: ignore[no-any-return]

    def find_plates(self, views: NDArray[np.uint8]) -> RectifierOutput:
        """See :meth:`crnn_ctc.recognize.Recognizer.find_plates`."""
        assert self.rectifier is not None
        return self.rectifier.find(views)


def _rectifier(run: Path) -> TrainedRectifier:
    """The rectifier that a run was trained behind, which its folder holds."""
    folder = run if (run / RECTIFIER).is_file() else run.resolve().parent
    return TrainedRectifier(load_tensors(folder / RECTIFIER)[0])


def _last(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The averaged weights of a run's last checkpoint, and their entries of the card."""
    tensors, facts = load_tensors(folder / STATE.name)
    averaged = under("averaged.module", tensors)
    recipe = load_recipe(folder.resolve().parent / RECIPE).model_dump()
    return averaged, {"recipe": recipe, "step": facts["step"], "validation": {}}


def describe(recipe: Recipe) -> str:
    """Alphabet and network settings of ``recipe``."""
    network = recipe.network.title.replace(", ", " with ")
    return f"{recipe.description}, {network}" if recipe.description else network


_RECTIFIER = card.RectifierCard(VIEW_HEIGHT, VIEW_WIDTH, MARGIN, COLOURS)


def make_card(recipe: Recipe, network: Network, facts: dict[str, Any]) -> Card:
    """The card of a network of ``recipe``."""
    size = recipe.input
    summary = summarize(network, size.channels, size.height, size.width)
    return Card(
        name=recipe.name,
        alphabet=recipe.characters,
        height=size.height,
        width=size.width,
        channels=size.channels,
        ink=recipe.data.ink,
        steps=network.steps(size.width),
        architecture=recipe.network.title,
        layers=summary.modules,
        parameters=summary.parameters,
        gflops=round(summary.gflops, 4),
        description=describe(recipe),
        two_rows=recipe.data.two_rows,
        rectifier=_RECTIFIER if recipe.rectifier else None,
        width_step=ROW_STEP if isinstance(recipe.data, RowsData) else 0,
        grammar=recipe.grammar,
        plates=recipe.plates,
        data=recipe.data.trained_on,
        licence=recipe.licence,
        version=__version__,
        recipe=recipe.model_dump(),
        metrics={"step": facts["step"], "validation": facts["validation"]},
    )
