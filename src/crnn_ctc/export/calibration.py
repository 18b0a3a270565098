"""A model's temperature: what makes its confidences most like the truth on labelled data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.digits import has_digits, hold_out, load_digits
from crnn_ctc.data.labelled import normaliser, read_labelled
from crnn_ctc.data.sequences import protocol
from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.confidence import fit_temperature
from crnn_ctc.grammar import open_grammar
from crnn_ctc.image import fit, load
from crnn_ctc.model_file.card import Card
from crnn_ctc.recognize import Recognizer

_BATCH = 64


def temperature(model: Recognizer, data: Path) -> float:
    """The temperature that suits a model best.

    Args:
        model: to calibrate.
        data: labelled pictures that it was not trained on, a folder or a manifest; or, for a model
            of digits, the files of EMNIST or MNIST: 5,000 distorted rows of the training digits
            that its recipe held out.

    Raises:
        InputError: one cannot be read, there are none, or the model was not trained on digits.
    """
    if has_digits(data, "train"):
        images, texts = held_out_rows(model.card, data)
        pictures = _batches(images, texts)
    else:
        pictures = _labelled(model.card, data)
    batches = [(model.log_probs(images), texts) for images, texts in pictures]
    if not batches:
        raise InputError(f"{data}: lists no pictures; calibrating needs labelled ones")
    return round(fit_temperature(batches, model.card.alphabet), 3)


def held_out_rows(card: Card, folder: Path) -> tuple[NDArray[np.uint8], list[str]]:
    """Distorted rows of the training digits that a model was not trained on.

    Returns:
        images uint8 (5000, H, W, 1), and as many texts.

    Raises:
        InputError: the card does not say which those are.
    """
    data = card.recipe.get("data")
    if not isinstance(data, dict) or data.get("kind") != "digits":
        raise InputError(
            f"{card.name}: its card names no digits that it was not trained on; "
            "calibrate it with labelled pictures"
        )
    digits = load_digits(folder, "train")
    try:
        _, held = hold_out(digits, data["validation"])
        return protocol(held, "distorted", per_sequence=data["per_sequence"])
    except (KeyError, TypeError):
        raise InputError(f"{card.name}: its card is damaged (recipe); export it again") from None


def _batches(
    images: NDArray[np.uint8], texts: Sequence[str]
) -> Iterator[tuple[NDArray[np.uint8], Sequence[str]]]:
    for start in range(0, len(texts), _BATCH):
        yield images[start : start + _BATCH], texts[start : start + _BATCH]


def _labelled(card: Card, data: Path) -> Iterator[tuple[NDArray[np.uint8], Sequence[str]]]:
    waiting = read_labelled(data, normalise=normaliser(card.alphabet))
    while batch := list(islice(waiting, _BATCH)):
        images = [
            fit(load(sample.path), card.height, card.width, card.channels, card.ink)
            for sample in batch
        ]
        yield np.stack(images), [sample.text for sample in batch]


def rewritten(content: bytes, card: Card) -> bytes:
    """A model file with another card: the graph and its weights stay as they are.

    Args:
        content: of the file.
        card: that it is to have.
    """
    import onnx

    model = onnx.load_from_string(content)
    card.put_into(model)
    return model.SerializeToString()  # type: ignore[no-any-return]


def calibrated(card: Card, found: float, grammar: str | None = None) -> Card:
    """The card with a temperature, and with a grammar where one is given.

    Raises:
        InputError: no such grammar, or it does not suit the alphabet.
    """
    if grammar is not None:
        open_grammar(grammar, card.alphabet)
    return replace(card, temperature=found, grammar=grammar or card.grammar)
