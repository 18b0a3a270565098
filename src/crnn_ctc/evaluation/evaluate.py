"""Read a set of pictures with a model, to be measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.card import Card
from crnn_ctc.decode import greedy_texts


class Recognizer(Protocol):
    """A model, whatever runs it: a :class:`Reader`, or the :class:`Trained` of a run folder."""

    card: Card

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, H, W, C) to float32 (N, T, K)."""


def read_texts(
    model: Recognizer, images: NDArray[np.uint8], batch_size: int = 64
) -> Iterator[list[str]]:
    """The texts of ``images``, a list a batch, in order.

    Args:
        model: to read with.
        images: uint8 (N, H, W, C), as the model takes them.
        batch_size: pictures at once; it does not change the texts.
    """
    for start in range(0, len(images), batch_size):
        log_probs = model.log_probs(images[start : start + batch_size])
        yield greedy_texts(log_probs, model.card.alphabet)
