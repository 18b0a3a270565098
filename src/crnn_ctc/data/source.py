"""What a recipe trains on, and what it chooses by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.digits import hold_out, load_digits
from crnn_ctc.data.sequences import SequenceSource, protocol
from crnn_ctc.recipe import Recipe


class Source(Protocol):
    """Endless training batches, each a function of the seed and its step alone."""

    def batch(self, step: int, size: int, part: slice = ...) -> tuple[NDArray[np.uint8], list[str]]:
        """Images uint8 (n, H, W, C) and n texts: the ``part`` of batch ``step``."""


@dataclass(frozen=True)
class Validation:
    """A fixed set to choose by: images uint8 (N, H, W, C) and N texts."""

    images: NDArray[np.uint8]
    texts: list[str]


def open_source(recipe: Recipe, folder: Path) -> tuple[Source, Validation]:
    """The training batches and the validation set of ``recipe`` from the data in ``folder``.

    Raises:
        InputError: the folder does not hold the data that the recipe names.
    """
    data = recipe.data
    train, held = hold_out(load_digits(folder, "train"), data.validation)
    source = SequenceSource(
        train, data.per_sequence, recipe.seed, data.clean, data.elastic, data.shear
    )
    images, texts = protocol(held, "distorted", data.validation_sequences, data.per_sequence)
    return source, Validation(images, texts)
