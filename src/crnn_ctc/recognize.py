"""Pictures to decoded texts: fitted, through the network, decoded. All reading does this.

A picture that cannot be read is an item like the others: its place in a stream is taken by the
:class:`crnn_ctc.errors.InputError` that says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.decode import Decoded
from crnn_ctc.decode.decoder import Decoder
from crnn_ctc.errors import InputError
from crnn_ctc.image import LOWER_ROW, UPPER_ROW, UPPER_SHARE, batches_by_width, fit_two_rows
from crnn_ctc.model_file.card import Card

TWO_ROW_ASPECT = 2.6
"""Width over height; in narrower pictures two rows are looked for too.

A plate of two rows is 2 times as wide as high, one of one row 3.1 (GA36-2018); but the box round a
plate that tilts may be any. So such a picture is read both ways."""


class Recognizer(Protocol):
    """A model, whatever runs it: a :class:`Reader`, or the :class:`Trained` of a run folder."""

    card: Card

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, H, W, C) to float32 (N, T, K)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read in a picture, and how it was looked at.

    Attributes:
        decoded: the text; its spans are in time steps.
        steps: T, time steps of the picture.
        two_rows: whether the picture was read as two rows.
        width: of the picture, in pixels.
    """

    decoded: Decoded
    steps: int
    two_rows: bool = False
    width: int = 1

    def place(self, step: float) -> tuple[int, float]:
        """Where a time step lies: its row from the top, and x as a share of the picture's width.

        Args:
            step: from 0 to T.
        """
        x = step / self.steps
        row = int(self.two_rows and x >= UPPER_SHARE)
        left, begins = (LOWER_ROW[0], UPPER_SHARE) if row else (UPPER_ROW[0], 0.0)
        return (row, left + (x - begins) * self.scale(row)) if self.two_rows else (0, x)

    def extent(self, start: int, end: int) -> tuple[int, float, float]:
        """Where a run of time steps lies: its row, and its edges as shares of the picture's width.

        Args:
            start: first time step.
            end: one past the last.
        """
        if not self.two_rows:
            return 0, start / self.steps, end / self.steps
        row, middle = self.place((start + end) / 2)
        # half the run to each side of its middle: it may reach over the end of its row
        half = self.scale(row) * (end - start) / 2 / self.steps
        return row, max(0.0, middle - half), min(1.0, middle + half)

    def scale(self, row: int) -> float:
        """How wide a row is in the picture, for one as wide as what the network was shown."""
        if not self.two_rows:
            return 1.0
        if row:
            return (LOWER_ROW[2] - LOWER_ROW[0]) / (1 - UPPER_SHARE)
        return (UPPER_ROW[2] - UPPER_ROW[0]) / UPPER_SHARE


def recognize(
    model: Recognizer, decode: Decoder, pictures: Iterable[Image.Image | InputError]
) -> list[Seen | InputError]:
    """Read pictures, one result each, in order.

    A model that knows two rows is shown each picture that may have them both ways, and the way in
    which a text is the more probable counts.

    Args:
        model: to read with.
        decode: how to read its output.
        pictures: in mode RGB, of any size, or errors, which are passed on; each picture is let go
            before the next is asked for.
    """
    return [one if isinstance(one, InputError) else one[0] for one in look(model, decode, pictures)]


def look(
    model: Recognizer, decode: Decoder, pictures: Iterable[Image.Image | InputError]
) -> list[tuple[Seen, NDArray[np.float32]] | InputError]:
    """As :func:`recognize`, each with the log-probabilities that it was read from.

    Returns:
        N results: errors, or pairs of what was seen and float32 (T, K), of the way of looking that
        counts.
    """
    card = model.card
    size = (card.height, card.width, card.channels, card.ink)  # of a plate of two rows
    fitted: list[NDArray[np.uint8]] = []
    shown: list[tuple[int, bool] | InputError] = []  # the width, and whether both ways
    for picture in pictures:
        if isinstance(picture, InputError):
            shown.append(picture)
            continue
        width, height = picture.size
        both = card.two_rows and width < TWO_ROW_ASPECT * height
        fitted.append(card.fit(picture))
        if both:
            fitted.append(fit_two_rows(picture, *size))
        shown.append((width, both))
    if not fitted:
        return [one for one in shown if isinstance(one, InputError)]
    read: dict[int, tuple[Decoded, NDArray[np.float32]]] = {}
    for places in batches_by_width([image.shape[1] for image in fitted], len(fitted)):
        log_probs = model.log_probs(np.stack([fitted[place] for place in places]))
        read.update(zip(places, zip(decode(log_probs), log_probs, strict=True), strict=True))
    looks = (read[place] for place in range(len(fitted)))
    found: list[tuple[Seen, NDArray[np.float32]] | InputError] = []
    for one in shown:
        if isinstance(one, InputError):
            found.append(one)
            continue
        width, both = one
        decoded, rows = next(looks)
        best = (Seen(decoded, len(rows), width=width), rows)
        if both:
            decoded, rows = next(looks)
            other = (Seen(decoded, len(rows), two_rows=True, width=width), rows)
            best = max(best, other, key=lambda way: _probability(way[0]))
        found.append(best)
    return found


def _probability(seen: Seen) -> float:
    """P(text | picture) before it is related to what a grammar allows; of an empty text, none."""
    decoded = seen.decoded
    return decoded.confidence * decoded.mass if decoded.text else 0.0
