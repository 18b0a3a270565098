"""Read a set of pictures for evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.decode.decoder import Decoder, TextDecoder
from crnn_ctc.errors import InputError
from crnn_ctc.image import load_each
from crnn_ctc.plates import scheme_of
from crnn_ctc.reading import Reading
from crnn_ctc.recognize import Recognition, Recognizer, recognize


@dataclass(frozen=True)
class EvaluationPicture:
    """A picture and its label.

    Attributes:
        name: name for display; for a file, its path relative to the set.
        label: its text; empty for a picture without text.
        source: its file, or uint8 (H, W, C).
        attributes: attributes such as colour and subset.
    """

    name: str
    label: str
    source: Path | NDArray[np.uint8]
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Read:
    """A picture and its reading.

    Attributes:
        picture: the labelled picture.
        reading: its reading in pixels of the picture, or the error.
    """

    picture: EvaluationPicture
    reading: Reading

    @property
    def text(self) -> str:
        """Text that was read; empty if reading failed."""
        return self.reading.text

    @property
    def confidence(self) -> float:
        """P(text | picture), from 0 to 1; 0 if nothing was read."""
        return self.reading.confidence

    @property
    def error(self) -> str | None:
        """Why the picture could not be read; None if it was."""
        return self.reading.error

    @property
    def reason(self) -> str:
        """The error without its leading path."""
        return (self.error or "").removeprefix(f"{self.picture.source}: ")

    @property
    def right(self) -> bool:
        """Whether the text equals the label."""
        return self.error is None and self.text == self.picture.label


def recognized(
    model: Recognizer,
    pictures: Iterable[EvaluationPicture],
    batch_size: int,
    decoder: TextDecoder,
    fitted: bool = False,
) -> Iterator[tuple[EvaluationPicture, Recognition | InputError]]:
    """Recognize pictures in order, with at most one batch in memory.

    Args:
        model: recognizer.
        pictures: labelled pictures of any size.
        batch_size: pictures per batch.
        decoder: decoder of the output.
        fitted: whether the pictures are arrays of the model's input size.
    """
    waiting = iter(pictures)
    while batch := list(islice(waiting, batch_size)):
        if fitted:
            images = np.stack([np.asarray(picture.source) for picture in batch])
            log_probs, (height, width) = model.log_probs(images), images.shape[1:3]
            found: list[Recognition | InputError] = [
                Recognition(decoded, rows, size=(width, height))
                for decoded, rows in zip(decoder(log_probs), log_probs, strict=True)
            ]
        else:
            found = recognize(model, decoder, load_each(picture.source for picture in batch))
        yield from zip(batch, found, strict=True)


def read_pictures(
    model: Recognizer,
    pictures: Iterable[EvaluationPicture],
    batch_size: int = 64,
    decoder: TextDecoder | None = None,
    fitted: bool = False,
) -> Iterator[Read]:
    """Read pictures in order; arguments as :func:`recognized`, the best path by default."""
    scheme = scheme_of(model.card.alphabet, model.card.plates)
    decoder = decoder or Decoder(model.card.alphabet)
    for picture, found in recognized(model, pictures, batch_size, decoder, fitted):
        if isinstance(found, InputError):
            yield Read(picture, Reading.failed(str(found)))
        else:
            yield Read(picture, Reading.recognized(found, scheme))
