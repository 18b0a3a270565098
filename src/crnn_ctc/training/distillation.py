"""Distillation: a trained model as teacher of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.decode import greedy_texts
from crnn_ctc.errors import InputError
from crnn_ctc.reader import Reader
from crnn_ctc.recipe import Recipe


class Teacher:
    """Distillation (Hinton et al. 2015, arXiv 1503.02531) at each time step.

    CTC does not fix the time steps of the characters, so networks must be guided to agree on them
    (Kurata and Audhkhasi 2019, arXiv 1904.08311). A teacher spares its student the search for an
    alignment, and provides soft targets.

    Args:
        model: a shipped model's name, or a model file.
        recipe: recipe of the student.
        steps: T of the student.

    Raises:
        InputError: no such model, or it reads other pictures or another alphabet.
    """

    def __init__(self, model: str, recipe: Recipe, steps: int) -> None:
        self._reader = Reader(model)
        self._steps = steps
        card, size = self._reader.card, recipe.input
        if (card.height, card.width, card.channels) != (size.height, size.width, size.channels):
            raise InputError(
                f"training.teacher {model}: takes pictures of {card.width}x{card.height} with "
                f"{card.channels} channels, the recipe {size.width}x{size.height} with "
                f"{size.channels}; set input to the teacher's, or train without one"
            )
        if card.alphabet != recipe.characters:
            raise InputError(
                f"training.teacher {model}: knows another alphabet than the recipe; "
                "take the teacher's, or train without one"
            )

    def targets(self, images: NDArray[np.uint8], texts: list[str]) -> NDArray[np.float32]:
        """Targets of the student.

        Args:
            images: uint8 (N, H, W, C).
            texts: N labels.

        Returns:
            Probabilities, float32 (N, T, K); all 0 if the teacher does not read the label.
        """
        log_probs = self._reader.log_probs(images)
        alphabet = self._reader.card.alphabet
        targets = gather_steps(log_probs, self._steps, alphabet.blank)
        read = greedy_texts(log_probs, alphabet)
        targets[[a != b for a, b in zip(read, texts, strict=True)]] = 0
        return targets


def gather_steps(log_probs: NDArray[np.float32], steps: int, blank: int) -> NDArray[np.float32]:
    """Resample probabilities from S time steps to T.

    A character occurs in a longer step if it occurs in one of its parts, assumed to be independent;
    the blank, if it occurs in all of them. If T is greater than S, the steps between are blank.

    Args:
        log_probs: float32 (N, S, K).
        steps: T.
        blank: its class.

    Returns:
        float32 (N, T, K), each step's sum 1.
    """
    given = log_probs.shape[1]
    falls_into = ((np.arange(given) + 0.5) / given * steps).astype(int)
    member = (falls_into == np.arange(steps)[:, None]).astype(np.float32)  # (T, S)
    probs = np.minimum(np.exp(log_probs), 1 - 1e-6)  # of which the logarithm of the rest is finite
    gathered: NDArray[np.float32] = 1 - np.exp(member @ np.log1p(-probs))
    silent = np.exp(member @ log_probs[..., blank, None])
    gathered[..., blank] = 0
    spoken = gathered.sum(-1, keepdims=True)
    gathered *= (1 - silent) / np.maximum(spoken, 1e-9)
    gathered[..., blank] = 1 - gathered.sum(-1)
    return gathered
