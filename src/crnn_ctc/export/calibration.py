"""A model's temperature: what makes its confidences most like the truth on labelled data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.data.digits import has_digits, hold_out, load_digits
from crnn_ctc.data.labelled import normaliser, read_labelled
from crnn_ctc.data.sequences import protocol
from crnn_ctc.decode import label_probabilities
from crnn_ctc.decode.decoder import tempered
from crnn_ctc.errors import InputError
from crnn_ctc.grammar import open_grammar
from crnn_ctc.image import batches_by_width, load
from crnn_ctc.model_file.card import Card
from crnn_ctc.recognize import Recognizer

_BATCH = 64

_LEAST = 1e-300  # of a probability whose logarithm is taken


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


def fit_temperature(
    batches: Iterable[tuple[NDArray[np.float32], Sequence[str]]],
    alphabet: Alphabet,
    least: float = 0.25,
    most: float = 8.0,
) -> float:
    """The temperature at which the true texts are most probable (Guo et al. 2017, section 4.2).

    Its logarithm is searched for by golden section, to within 1 %.

    Args:
        batches: log-probabilities float32 (n, T, K), and n true texts.
        alphabet: of K classes.
        least: the lowest temperature that is considered.
        most: the highest.

    Raises:
        ValueError: there are no texts.
    """
    held = [(log_probs, [alphabet.encode(text) for text in texts]) for log_probs, texts in batches]
    if not any(labels for _, labels in held):
        raise ValueError("there is nothing to fit a temperature to")

    def loss(log_temperature: float) -> float:
        temperature, total = math.exp(log_temperature), 0.0
        for log_probs, labels in held:
            p = label_probabilities(tempered(log_probs, temperature), labels, alphabet.blank)
            total -= float(np.log(np.maximum(p, _LEAST)).sum())
        return total

    return math.exp(_golden_section(loss, math.log(least), math.log(most), 0.01))


def _golden_section(
    loss: Callable[[float], float], low: float, high: float, tolerance: float
) -> float:
    """Where a function of one valley is least (Kiefer 1953)."""
    share = (math.sqrt(5) - 1) / 2
    left, right = high - share * (high - low), low + share * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > tolerance:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - share * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + share * (high - low)
            at_right = loss(right)
    return (low + high) / 2


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
    waiting = iter(read_labelled(data, normalise=normaliser(card.alphabet)))
    while batch := list(islice(waiting, _BATCH)):
        images = [card.fit(load(sample.path)) for sample in batch]
        for places in batches_by_width([image.shape[1] for image in images], _BATCH):
            yield np.stack([images[p] for p in places]), [batch[p].text for p in places]


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
