"""Pictures to decoded texts: rectified, through the network, decoded. All reading does this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.decode import Decoded
from crnn_ctc.decode.decoder import Decoder
from crnn_ctc.image import LOWER_ROW, UPPER_ROW, UPPER_SHARE, fit, fit_two_rows
from crnn_ctc.model_file.card import Card
from crnn_ctc.model_file.runtime import Found
from crnn_ctc.rectify import UNIT, Corners, homography, project, rectify

TWO_ROW_ASPECT = 2.6
"""Width over height; in narrower pictures two rows are looked for too.

A plate of two rows is 2 times as wide as high, one of one row 3.1 (GA36-2018); but the box round a
plate that tilts may be any. So such a picture is read both ways."""


class Recognizer(Protocol):
    """A model, whatever runs it: a :class:`Reader`, or the :class:`Trained` of a run folder."""

    card: Card

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, H, W, C) to float32 (N, T, K)."""

    def find_plates(self, views: NDArray[np.uint8]) -> Found:
        """Views uint8 (N, h, w, 3) to plates; asked of models whose card has a rectifier."""


@dataclass(frozen=True, slots=True)
class Plate:
    """Where a rectifier found a plate.

    Attributes:
        corners: pixels of the picture, float32 (4, 2); see :data:`crnn_ctc.rectify.Corners`.
        margin: round them, as a share of the plate's size, in what the network was shown.
        colour: of the plate.
        size: width and height of the picture, in pixels.
    """

    corners: Corners
    margin: float
    colour: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read in a picture, and how it was looked at.

    Attributes:
        decoded: the text; its spans are in time steps.
        two_rows: whether the picture was read as two rows.
        plate: where the plate was found; None where the picture was read as it is.
    """

    decoded: Decoded
    two_rows: bool = False
    plate: Plate | None = None

    def extent(self, start: int, end: int, steps: int) -> tuple[int, float, float]:
        """Where a run of time steps lies: its row, and its edges as shares of the width."""
        row, quad = self.place(start, end, steps)
        x = quad[:, 0] / (self.plate.size[0] if self.plate else 1)
        return row, float(x.min()), float(x.max())

    def place(self, start: int, end: int, steps: int) -> tuple[int, NDArray[np.float64]]:
        """Where a run of time steps lies.

        Args:
            start: first time step.
            end: one past the last.
            steps: T.

        Returns:
            Its row, and its corners float64 (4, 2): pixels of the picture where the plate was found
            in it, shares of the picture where not.
        """
        left, right = start / steps, end / steps
        row = int(self.two_rows and (left + right) / 2 >= UPPER_SHARE)
        top, bottom = 0.0, 1.0
        if self.two_rows:
            box, begins, ends = (
                (LOWER_ROW, UPPER_SHARE, 1.0) if row else (UPPER_ROW, 0.0, UPPER_SHARE)
            )
            scale = (box[2] - box[0]) / (ends - begins)
            left, right = (box[0] + (x - begins) * scale for x in (left, right))
            top, bottom = box[1], box[3]
        elif self.plate:
            margin = self.plate.margin
            left, right = (x * (1 + 2 * margin) - margin for x in (left, right))
        quad = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        if self.plate is None:
            return row, quad.clip(0, 1)
        return row, project(homography(UNIT, self.plate.corners), quad)


def recognize(
    model: Recognizer, decode: Decoder, images: Iterable[NDArray[np.uint8]]
) -> list[Seen]:
    """Read pictures, one result each, in order.

    A model with a rectifier finds the plate in each and reads it straightened. One without that
    knows two rows is shown each picture that may have them both ways, and the way in which a text
    is the more probable counts.

    Args:
        model: to read with.
        decode: how to read its output.
        images: RGB, uint8 (H, W, 3), of any size; large ones are let go before all are asked for.
    """
    return [seen for seen, _ in look(model, decode, images)]


def look(
    model: Recognizer, decode: Decoder, images: Iterable[NDArray[np.uint8]]
) -> list[tuple[Seen, NDArray[np.float32]]]:
    """As :func:`recognize`, each with the log-probabilities that it was read from.

    Returns:
        N results, each with float32 (T, K): of the way of looking that counts.
    """
    if model.card.rectifier:
        return _look_straightened(model, decode, images)
    return _look(model, decode, images)


def prepare(model: Recognizer, images: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures as the network of a model takes them, uint8 (N, H, W, C): straightened or fitted."""
    card = model.card
    if card.rectifier:
        return np.stack([straight for straight, _, _ in straighten(model, images)])
    size = (card.height, card.width, card.channels, card.ink)
    return np.stack([fit(image, *size) for image in images])


_MOST_PIXELS = 16_000_000
"""Of pictures that wait together for their corners."""


def straighten(
    model: Recognizer, images: Iterable[NDArray[np.uint8]]
) -> Iterator[tuple[NDArray[np.uint8], Plate, bool]]:
    """The plates of pictures as a model with a rectifier takes them, in order.

    Returns:
        For each picture uint8 (H, W, C), where the plate is, and whether it has two rows.
    """
    waiting: list[NDArray[np.uint8]] = []
    pixels = 0
    for image in images:
        waiting.append(image)
        pixels += image.shape[0] * image.shape[1]
        if pixels >= _MOST_PIXELS:
            yield from _straighten(model, waiting)
            waiting, pixels = [], 0
    if waiting:
        yield from _straighten(model, waiting)


def _straighten(
    model: Recognizer, images: list[NDArray[np.uint8]]
) -> Iterator[tuple[NDArray[np.uint8], Plate, bool]]:
    card, part = model.card, model.card.rectifier
    assert part is not None
    found = model.find_plates(
        np.stack([fit(image, part.height, part.width, 3) for image in images])
    )
    for k, image in enumerate(images):
        corners = found.corners[k] * np.array(image.shape[1::-1], np.float32)
        two_rows = bool(found.rows[k] > 0.5)
        straight = rectify(image, corners, card.height, card.width, two_rows, part.margin)
        colour = part.colours[int(found.colours[k].argmax())]
        size = (image.shape[1], image.shape[0])
        yield straight, Plate(corners, part.margin, colour, size), two_rows


def _look_straightened(
    model: Recognizer, decode: Decoder, images: Iterable[NDArray[np.uint8]]
) -> list[tuple[Seen, NDArray[np.float32]]]:
    plates = list(straighten(model, images))
    if not plates:
        return []
    log_probs = model.log_probs(np.stack([straight for straight, _, _ in plates]))
    return [
        (Seen(decoded, two_rows, plate), rows)
        for decoded, rows, (_, plate, two_rows) in zip(
            decode(log_probs), log_probs, plates, strict=True
        )
    ]


def _look(
    model: Recognizer, decode: Decoder, images: Iterable[NDArray[np.uint8]]
) -> list[tuple[Seen, NDArray[np.float32]]]:
    card = model.card
    size = (card.height, card.width, card.channels, card.ink)
    fitted: list[NDArray[np.uint8]] = []
    both: list[bool] = []
    for image in images:
        fitted.append(fit(image, *size))
        both.append(card.two_rows and image.shape[1] < TWO_ROW_ASPECT * image.shape[0])
        if both[-1]:
            fitted.append(fit_two_rows(image, *size))
    if not fitted:
        return []
    log_probs = model.log_probs(np.stack(fitted))
    looks = zip(decode(log_probs), log_probs, strict=True)
    seen = []
    for may_be_two in both:
        decoded, rows = next(looks)
        one = (Seen(decoded), rows)
        if may_be_two:
            decoded, rows = next(looks)
            two = (Seen(decoded, two_rows=True), rows)
            one = max(one, two, key=lambda way: _probability(way[0]))
        seen.append(one)
    return seen


def _probability(seen: Seen) -> float:
    """P(text | picture) before it is related to what a grammar allows; of an empty text, none."""
    decoded = seen.decoded
    return decoded.confidence * decoded.mass if decoded.text else 0.0
