"""Calibration: the temperature at which confidences match accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.data.digits import has_digits, hold_out, load_digits
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.data.sequences import protocol
from crnn_ctc.decode import label_probabilities
from crnn_ctc.decode.decoder import decoder_for, tempered
from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.collection import pictures_without_text
from crnn_ctc.evaluation.read import EvaluationPicture, recognized
from crnn_ctc.grammar import open_grammar
from crnn_ctc.image import batches_by_width
from crnn_ctc.model_file.card import Card
from crnn_ctc.plates.schemes import normaliser
from crnn_ctc.recognize import Recognizer

_BATCH = 64

_PRIOR = 0.1
"""Weight of the prior: penalty of a temperature of e, in units of squared errors of answers."""

_FEW = 200
"""Number of answers below which the user is warned."""

_RESAMPLES = 1000
"""Bootstrap samples of the interval."""


@dataclass(frozen=True)
class FittedTemperature:
    """A temperature and its reliability.

    Attributes:
        value: the temperature.
        interval95: its 95 % bootstrap interval (Efron 1979), lower and upper end.
        answers: number of answers that it was fitted to.
        wrong: number of wrong answers among them.
    """

    value: float
    interval95: tuple[float, float]
    answers: int
    wrong: int

    @property
    def warnings(self) -> list[str]:
        """Reasons why it may not hold for other pictures, one line each."""
        found = []
        if not self.wrong:
            found.append(
                f"all {self.answers:,} answers are right: they do not tell how confident the model "
                "is when it is wrong; add pictures that it misreads, or --negatives"
            )
        if self.answers < _FEW:
            found.append(
                f"{self.answers:,} pictures are few: give {_FEW} or more that the model was not "
                "trained on"
            )
        return found


def temperature(model: Recognizer, data: Path, negatives: Path | None = None) -> FittedTemperature:
    """Fit a model's temperature.

    Args:
        model: model to calibrate.
        data: labelled pictures that it was not trained on, a folder or a manifest; or, for a model
            of digits, the files of EMNIST or MNIST: 5,000 distorted rows of the training digits
            that its recipe held out.
        negatives: folder of pictures without such text, in which every answer counts as wrong. Half
            of them are used, see
            :func:`crnn_ctc.evaluation.collection.pictures_without_text`.

    Raises:
        InputError: a picture cannot be read, there are none, or the model was not trained on
            digits.
    """
    # the answers must not depend on the card's current temperature
    decoder = decoder_for(replace(model.card, temperature=1.0))
    if fitted := has_digits(data, "train"):
        rows = zip(*held_out_rows(model.card, data), strict=True)
        pictures = [EvaluationPicture("", text, image) for image, text in rows]
    else:
        samples = read_labelled(data, normalise=normaliser(model.card.alphabet, model.card.plates))
        pictures = [EvaluationPicture("", sample.text, sample.path) for sample in samples]
    if not pictures:
        raise InputError(f"{data}: lists no pictures; calibrating needs labelled ones")
    without = [] if negatives is None else pictures_without_text(negatives, "fit")
    found = chain(
        recognized(model, pictures, _BATCH, decoder, fitted),
        recognized(model, without, _BATCH, decoder),
    )
    log_probs, texts, right = [], [], []
    for picture, recognition in found:
        if isinstance(recognition, InputError):
            raise recognition
        log_probs.append(recognition.log_probs.copy())  # does not keep the whole batch
        texts.append(recognition.decoded.text)
        right.append(recognition.decoded.text == picture.label)
    return fit_temperature(log_probs, texts, right, model.card.alphabet)


def fit_temperature(
    log_probs: Sequence[NDArray[np.float32]],
    texts: Sequence[str],
    right: Sequence[bool],
    alphabet: Alphabet,
    least: float = 0.25,
    most: float = 4.0,
) -> FittedTemperature:
    """Fit the temperature (Guo et al. 2017, section 4.2) with the lowest Brier score (Brier 1950).

    The score is the mean of (confidence - right)^2. It is a proper scoring rule and bounded, so it
    is robust to the few wrong labels of real data: in the negative log-likelihood, one confident
    answer with a wrong label weighs as much as a hundred others. A prior keeps the temperature near
    1 if there is little evidence: ``_PRIOR`` times its squared logarithm is added to the sum. The
    logarithm is found by golden-section search, to within 1 %.

    Args:
        log_probs: output of the network for N pictures that the model was not trained on, each
            float32 (T, K), before any temperature.
        texts: N texts that were read.
        right: N, whether the text is correct.
        alphabet: K classes.
        least: minimum temperature.
        most: maximum temperature.

    Raises:
        ValueError: there are no answers.
    """
    if not texts:
        raise ValueError("there is nothing to fit a temperature to")
    # an empty text has confidence 0, whatever the temperature
    counted = [place for place, text in enumerate(texts) if text]
    # batch by width, as it determines the number of time steps
    by_width = batches_by_width([len(log_probs[place]) for place in counted], _BATCH)
    batches = [
        (
            np.stack([log_probs[place] for place in batch]),
            [alphabet.encode(texts[place]) for place in batch],
            np.array([right[place] for place in batch], np.float64),
        )
        for batch in ([counted[place] for place in places] for places in by_width)
    ]

    def errors(log_temperature: float) -> NDArray[np.float64]:
        """Compute the squared error of each answer."""
        found = math.exp(log_temperature)
        parts = [
            (label_probabilities(tempered(rows, found), labels, blank) - correct) ** 2
            for rows, labels, correct in batches
        ]
        return np.concatenate([np.empty(0), *parts])

    def loss(log_temperature: float) -> float:
        return float(errors(log_temperature).sum()) + _PRIOR * log_temperature**2

    blank = alphabet.blank
    low, high = math.log(least), math.log(most)
    value = math.exp(_golden_section(loss, low, high, 0.01))
    grid = np.linspace(low, high, 29)  # steps of 10 %
    below, above = _interval(np.array([errors(at) for at in grid]), grid)
    return FittedTemperature(
        round(value, 3),
        (round(min(below, value), 3), round(max(above, value), 3)),  # the grid is coarse
        len(texts),
        len(texts) - sum(right),
    )


def _interval(errors: NDArray[np.float64], grid: NDArray[np.float64]) -> tuple[float, float]:
    """Compute the 95 % bootstrap interval of the best temperature.

    Args:
        errors: squared errors of N answers at G temperatures, (G, N).
        grid: logarithms of the temperatures, (G,).
    """
    count = errors.shape[1]
    if not count:
        return math.exp(grid[0]), math.exp(grid[-1])
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(count, np.full(count, 1 / count), _RESAMPLES)  # (R, N)
    best = grid[(errors @ drawn.T + (_PRIOR * grid**2)[:, None]).argmin(axis=0)]
    low, high = np.exp(np.quantile(best, (0.025, 0.975)))
    return float(low), float(high)


def _golden_section(
    loss: Callable[[float], float], low: float, high: float, tolerance: float
) -> float:
    """Minimize a unimodal function by golden-section search (Kiefer 1953)."""
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
    """Compose distorted rows of the training digits that a model was not trained on.

    Returns:
        images uint8 (5000, H, W, 1), and as many texts.

    Raises:
        InputError: the card does not identify them.
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


def rewritten(content: bytes, card: Card) -> bytes:
    """Replace the card of a model file; graph and weights stay the same.

    Args:
        content: bytes of the file.
        card: card of the new file.
    """
    import onnx

    model = onnx.load_from_string(content)
    card.put_into(model)
    return model.SerializeToString()  # type: ignore[no-any-return]


def calibrated(card: Card, found: float, grammar: str | None = None) -> Card:
    """Set the temperature of a card, and the grammar if given.

    Raises:
        InputError: no such grammar, or it does not fit the alphabet.
    """
    if grammar is not None:
        open_grammar(grammar, card.alphabet)
    return replace(card, temperature=found, grammar=grammar or card.grammar)
