"""Read a set of pictures with a model, to be measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.labelled import Labelled
from crnn_ctc.decode.decoder import Decoder
from crnn_ctc.image import load_each
from crnn_ctc.recognize import Recognizer, Seen, recognize


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
        seen: what was read; None where the picture could not be.
        error: why it could not be; None where it was.
    """

    sample: Labelled
    seen: Seen | None
    error: str | None = None

    @property
    def text(self) -> str:
        """What was read; empty where the picture could not be."""
        return self.seen.decoded.text if self.seen else ""


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
    decoder = decoder or Decoder(model.card.alphabet)
    waiting = iter(samples)
    while batch := list(islice(waiting, batch_size)):
        errors: dict[int, str] = {}
        images = load_each((sample.path for sample in batch), errors)
        seen = iter(recognize(model, decoder, (image for _, image in images)))
        for place, sample in enumerate(batch):
            if place in errors:
                yield Read(sample, None, errors[place])
            else:
                yield Read(sample, next(seen))
