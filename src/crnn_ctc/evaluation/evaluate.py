"""Read a set of pictures with a model, to be measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.card import Card
from crnn_ctc.data.labelled import Labelled
from crnn_ctc.decode.decoder import Decoder
from crnn_ctc.errors import InputError
from crnn_ctc.image import fit, load


class Recognizer(Protocol):
    """A model, whatever runs it: a :class:`Reader`, or the :class:`Trained` of a run folder."""

    card: Card

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, H, W, C) to float32 (N, T, K)."""


def read_texts(
    model: Recognizer,
    images: NDArray[np.uint8],
    batch_size: int = 64,
    decoder: Decoder | None = None,
) -> Iterator[list[str]]:
    """The texts of ``images``, a list a batch, in order.

    Args:
        model: to read with.
        images: uint8 (N, H, W, C), as the model takes them.
        batch_size: pictures at once; it does not change the texts.
        decoder: how to read the output; None for the best path.
    """
    decoder = decoder or Decoder(model.card.alphabet)
    for start in range(0, len(images), batch_size):
        log_probs = model.log_probs(images[start : start + batch_size])
        yield decoder.texts(log_probs)


@dataclass(frozen=True)
class Read:
    """A labelled picture, read.

    Attributes:
        sample: the picture and its label.
        text: what was read; empty where the picture could not be.
        error: why it could not be; None where it was.
    """

    sample: Labelled
    text: str
    error: str | None = None


def read_labelled_pictures(
    model: Recognizer,
    samples: Iterable[Labelled],
    batch_size: int = 64,
    decoder: Decoder | None = None,
) -> Iterator[Read]:
    """Read labelled pictures, in order, no more than a batch in memory at once.

    Args:
        model: to read with.
        samples: the pictures.
        batch_size: pictures at once.
        decoder: how to read the output; None for the best path.
    """
    card, waiting = model.card, iter(samples)
    while batch := list(islice(waiting, batch_size)):
        images, errors = [], {}
        for place, sample in enumerate(batch):
            try:
                image = load(sample.path)
            except InputError as error:
                errors[place] = str(error)
            else:
                images.append(fit(image, card.height, card.width, card.channels, card.ink))
        parts = read_texts(model, np.array(images), batch_size, decoder)
        texts = iter([text for part in parts for text in part])
        for place, sample in enumerate(batch):
            if place in errors:
                yield Read(sample, "", errors[place])
            else:
                yield Read(sample, next(texts))
