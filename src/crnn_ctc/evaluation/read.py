"""Read a set of pictures with a model, to be measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.decode.decoder import Decoder, TextDecoder
from crnn_ctc.errors import InputError
from crnn_ctc.image import load_each
from crnn_ctc.recognize import Recognition, Recognizer, recognize


@dataclass(frozen=True)
class EvaluationPicture:
    """A picture and what stands in it.

    Attributes:
        name: to show; of a file, its path below the set's folder.
        label: what stands in it; empty where nothing does.
        source: its file, or uint8 (H, W, C).
        attributes: such as colour and subset.
    """

    name: str
    label: str
    source: Path | NDArray[np.uint8]
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Read:
    """A picture, read.

    Attributes:
        picture: with its label.
        recognition: what was read; None where the picture could not be.
        error: why it could not be; None where it was.
    """

    picture: EvaluationPicture
    recognition: Recognition | None
    error: str | None = None

    @property
    def text(self) -> str:
        """What was read; empty where the picture could not be."""
        return self.recognition.decoded.text if self.recognition else ""

    @property
    def reason(self) -> str:
        """Why it could not be read, without the path that the error begins with."""
        return (self.error or "").removeprefix(f"{self.picture.source}: ")

    @property
    def confidence(self) -> float:
        """P(text | picture), from 0 to 1; 0 where nothing was read."""
        return self.recognition.decoded.confidence if self.recognition else 0.0

    @property
    def right(self) -> bool:
        """Whether the whole text is right."""
        return self.recognition is not None and self.text == self.picture.label


def read_pictures(
    model: Recognizer,
    pictures: Iterable[EvaluationPicture],
    batch_size: int = 64,
    decoder: TextDecoder | None = None,
) -> Iterator[Read]:
    """Read pictures of any size, in order, no more than a batch in memory at once.

    Args:
        model: model that reads them.
        pictures: labelled pictures.
        batch_size: pictures at once.
        decoder: how to read the output; None for the best path.
    """
    decoder = decoder or Decoder(model.card.alphabet)
    waiting = iter(pictures)
    while batch := list(islice(waiting, batch_size)):
        found = recognize(model, decoder, load_each(picture.source for picture in batch))
        for picture, recognition in zip(batch, found, strict=True):
            if isinstance(recognition, InputError):
                yield Read(picture, None, str(recognition))
            else:
                yield Read(picture, recognition)


def read_fitted(
    model: Recognizer, pictures: Sequence[EvaluationPicture], batch_size: int, decoder: TextDecoder
) -> Iterator[Read]:
    """Read arrays that are the model's input already, in order; see :func:`read_pictures`."""
    for start in range(0, len(pictures), batch_size):
        batch = pictures[start : start + batch_size]
        images = np.stack([np.asarray(picture.source) for picture in batch])
        log_probs = model.log_probs(images)
        for picture, decoded in zip(batch, decoder(log_probs), strict=True):
            yield Read(picture, Recognition(decoded, log_probs.shape[1]))
