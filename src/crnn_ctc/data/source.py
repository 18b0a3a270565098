"""What a recipe trains on, and what it chooses by."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.digits import hold_out, load_digits
from crnn_ctc.data.sequences import SequenceSource, protocol
from crnn_ctc.errors import InputError
from crnn_ctc.recipe import DigitsData, PlatesData, Recipe

_LOG = logging.getLogger(__name__)


class Source(Protocol):
    """Endless training batches, each a function of the seed and its step alone."""

    def batch(self, step: int, size: int, part: slice = ...) -> tuple[NDArray[np.uint8], list[str]]:
        """Images uint8 (n, H, W, C) and n texts: the ``part`` of batch ``step``."""


@dataclass(frozen=True)
class Validation:
    """A fixed set, to choose by say: images uint8 (N, H, W, C) and N texts."""

    images: NDArray[np.uint8]
    texts: list[str]


def open_source(recipe: Recipe, folder: Path) -> tuple[Source, Validation]:
    """The training batches and the validation set of ``recipe`` from the data in ``folder``.

    Raises:
        InputError: the folder does not hold the data that the recipe names.
    """
    if isinstance(recipe.data, PlatesData):
        return _plates(recipe, recipe.data, folder)
    return _digits(recipe, recipe.data, folder)


def _digits(recipe: Recipe, data: DigitsData, folder: Path) -> tuple[Source, Validation]:
    train, held = hold_out(load_digits(folder, "train"), data.validation)
    source = SequenceSource(
        train, data.per_sequence, recipe.seed, data.clean, data.elastic, data.shear
    )
    images, texts = protocol(held, "distorted", data.validation_sequences, data.per_sequence)
    return source, Validation(images, texts)


def _plates(recipe: Recipe, data: PlatesData, folder: Path) -> tuple[Source, Validation]:
    from crnn_ctc.data.plates import PlateSource
    from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
    from crnn_ctc.synthesis.text import KIND_WEIGHTS

    size = recipe.input
    train = _crops(recipe, folder / data.train)
    held = _crops(recipe, folder / data.validation)
    synthesizer = PlateSynthesizer(
        recipe.seed,
        size.height,
        size.width,
        glyphs=folder / data.glyphs if data.glyphs else None,
        glyph_share=data.glyph_share,
        kinds=data.kinds or KIND_WEIGHTS,
        cut=data.cut,
        perspective=data.perspective,
    )
    mixed = PlateSource(
        train.images,
        train.texts,
        synthesizer,
        data.synthetic,
        data.balance,
        data.augment,
        recipe.seed,
        data.perspective,
        data.unreadable,
    )
    return mixed, held


def _crops(recipe: Recipe, path: Path) -> Validation:
    """The labelled crops of a manifest or folder, as the recipe's network takes them."""
    import platformdirs

    from crnn_ctc.data.labelled import plate_label, read_labelled
    from crnn_ctc.data.packed import Size, pack

    alphabet, size = recipe.characters, recipe.input
    samples = list(read_labelled(path, normalise=plate_label))
    for sample in samples:
        try:
            alphabet.encode(sample.text)
        except InputError as error:
            raise InputError(f"{sample.where}: {error}") from None
        if alphabet.steps_needed(sample.text) > recipe.data.steps_needed():
            raise InputError(
                f"{sample.where}: label {sample.text!r} is longer than any plate; correct it"
            )
    packed = pack(
        samples,
        Size(size.height, size.width, size.channels, recipe.data.ink),
        platformdirs.user_cache_path("crnn-ctc") / "packed",
    )
    for line in packed.errors:
        _LOG.warning("left out: %s", line)
    return Validation(packed.images, packed.texts)
