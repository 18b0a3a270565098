"""From pictures to decoded texts: rectify, network, decode; shared by reading and evaluation.

A picture that cannot be read is represented in the stream by its
:class:`crnn_ctc.errors.InputError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.decode import Decoded
from crnn_ctc.decode.decoder import TextDecoder
from crnn_ctc.errors import InputError
from crnn_ctc.image import (
    LOWER_ROW,
    UPPER_ROW,
    UPPER_SHARE,
    WARNING,
    batches_by_width,
    fit,
    fit_two_rows,
)
from crnn_ctc.model_file.card import Card
from crnn_ctc.model_file.runtime import RectifierOutput
from crnn_ctc.rectify import (
    UNIT,
    Corners,
    aspect,
    close_up,
    homography,
    project,
    rectify,
    straighten,
    without_padding,
)

TWO_ROW_ASPECT = 2.6
"""Width over height; a model without a rectifier reads narrower pictures as two rows too.

The aspect ratio is 2 for a plate of two rows and 3.1 for one row (GA36-2018), but the bounding box
of a tilted plate may have any. Such a picture is therefore read both ways."""


AGAIN = 0.9
"""Confidence below which the corners are found a second time, on the plate straightened by the
first ones; the more confident of both readings counts."""

_ROOM = 0.1
"""Added round the plate for that second look, as a share of its size."""

UNSURE = 0.3
"""Confidence below which a plate is read a second time, turned by 180 degrees."""

SURE = 0.6
"""Confidence from which that second reading replaces the first (bench/half_turn.py)."""


class Recognizer(Protocol):
    """A model: a :class:`Reader`, or the :class:`Trained` of a run folder."""

    card: Card

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, H, W, C) to float32 (N, T, K)."""

    def find_plates(self, views: NDArray[np.uint8]) -> RectifierOutput:
        """Views uint8 (N, h, w, 3) to plates, for models whose card has a rectifier."""


@dataclass(frozen=True, slots=True)
class RectifiedPlate:
    """Where a rectifier found a plate.

    Attributes:
        corners: pixels of the picture, float32 (4, 2); see :data:`crnn_ctc.rectify.Corners`.
        margin: margin around them in the network's input, as a share of the plate's size.
        colour: colour of the plate.
    """

    corners: Corners
    margin: float
    colour: str


@dataclass(frozen=True, slots=True)
class Recognition:
    """The output of the network for a picture, and how the picture was presented to it.

    Attributes:
        decoded: the text; its spans are in time steps.
        log_probs: log-probabilities of the classes, float32 (T, K).
        two_rows: whether the picture was read as two rows.
        size: width and height of the picture, in pixels.
        plate: where the plate was found; None if the picture was not rectified.
        warning: a defect of the picture that did not prevent reading; None without one.
    """

    decoded: Decoded
    log_probs: NDArray[np.float32]
    two_rows: bool = False
    size: tuple[int, int] = (1, 1)
    plate: RectifiedPlate | None = None
    warning: str | None = None

    def places(self, runs: Sequence[tuple[float, float]]) -> tuple[list[int], NDArray[np.float64]]:
        """Where runs of time steps lie: the row of each, and its corners, pixels, (S, 4, 2).

        Args:
            runs: S, the first time step of each and one past its last.
        """
        rows, boxes = [], []
        steps = len(self.log_probs)
        for start, end in runs:
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
            rows.append(row)
            boxes += [(left, top), (right, top), (right, bottom), (left, bottom)]
        quads = np.array(boxes, np.float64).reshape(-1, 2)
        if self.plate is None:
            quads = quads.clip(0, 1) * self.size
        else:
            quads = project(homography(UNIT, self.plate.corners), quads)
        return rows, quads.reshape(-1, 4, 2)


def recognize(
    model: Recognizer, decode: TextDecoder, pictures: Iterable[Image.Image | InputError]
) -> list[Recognition | InputError]:
    """Read pictures, one result each, in order.

    A model with a rectifier reads the rectified plate, and again rotated by 180 degrees if the
    confidence is low. A model without one that knows two rows reads narrow pictures both ways; the
    more probable text counts.

    Args:
        model: model that reads them.
        decode: decoder of its output.
        pictures: pictures in mode RGB of any size, or errors, which are passed on.
    """
    warnings: list[str | None] = []

    def noted() -> Iterator[Image.Image | InputError]:
        for picture in pictures:
            known = {} if isinstance(picture, InputError) else picture.info
            warnings.append(known.get(WARNING))
            yield picture

    ways = list(_straightened(model, noted()) if model.card.rectifier else _fitted(model, noted()))
    fitted = [way.image for one in ways if not isinstance(one, InputError) for way in one]
    if not fitted:
        return [one for one in ways if isinstance(one, InputError)]
    decoded = iter(_read(model, decode, fitted))
    found: list[Recognition | InputError] = []
    chosen: dict[int, _Way] = {}
    for one, warning in zip(ways, warnings, strict=True):
        if isinstance(one, InputError):
            found.append(one)
            continue
        candidates = [
            Recognition(text, rows, way.two_rows, way.size, way.plate, warning)
            for way, (text, rows) in zip(one, decoded, strict=False)
        ]
        best = max(range(len(one)), key=lambda way: candidates[way].decoded.confidence)
        chosen[len(found)] = one[best]
        found.append(candidates[best])
    if model.card.rectifier:
        _read_again(model, decode, found, chosen)
    return found


def _read_again(
    model: Recognizer,
    decode: TextDecoder,
    found: list[Recognition | InputError],
    chosen: dict[int, _Way],
) -> None:
    """Read again from refined corners, and upside down, where the confidence is low.

    Args:
        model: model with a rectifier.
        decode: decoder of its output.
        found: results, replaced where a second reading is better.
        chosen: the view from which each was read, by its index.
    """
    looks = ((AGAIN, 0.0, _from_better_corners), (UNSURE, SURE, _upside_down))
    for threshold, least, other in looks:
        unsure = [
            (place, result)
            for place, result in ((place, found[place]) for place in chosen)
            if isinstance(result, Recognition) and result.decoded.confidence < threshold
        ]
        ways = other(model, [chosen[place] for place, _ in unsure])
        second = _read(model, decode, [way.image for way in ways])
        for (place, first), way, (text, rows) in zip(unsure, ways, second, strict=True):
            if text.confidence > max(first.decoded.confidence, least):
                seen = replace(first, plate=way.plate, two_rows=way.two_rows)
                found[place] = replace(seen, decoded=text, log_probs=rows)
                chosen[place] = way


def _upside_down(model: Recognizer, ways: list[_Way]) -> list[_Way]:
    """The same plates turned by 180 degrees."""
    turned = []
    for way in ways:
        assert way.plate is not None
        near, whole = (np.roll(corners, 2, 0) for corners in (way.corners, way.plate.corners))
        plate = replace(way.plate, corners=whole)
        turned.append(replace(way, image=np.rot90(way.image, 2), plate=plate, corners=near))
    # the rectifier takes two rows upside down for one, and misses their corners
    tall = [k for k, way in enumerate(turned) if aspect(way.corners) < TWO_ROW_ASPECT]
    better = _from_better_corners(model, [turned[k] for k in tall], rows=True)
    straight = dict(zip(tall, better, strict=True))
    return [straight.get(k, way) for k, way in enumerate(turned)]


def _from_better_corners(model: Recognizer, ways: list[_Way], rows: bool = False) -> list[_Way]:
    """The same plates, their corners found once more where they stand nearly straight already.

    With ``rows``, how many rows each has is found once more too.
    """
    card, part = model.card, model.card.rectifier
    if not ways or part is None:
        return []
    views = [rectify(way.close, way.corners, part.height, part.width, margin=_ROOM) for way in ways]
    again = model.find_plates(np.stack(views))
    better = []
    for way, shares, lower in zip(ways, again.corners, again.rows, strict=True):
        assert way.plate is not None
        on_plate = shares.astype(np.float64) * (1 + 2 * _ROOM) - _ROOM
        # both as they stand in the part at hand, and in the whole picture
        close, whole = (
            project(homography(UNIT, corners), on_plate).astype(np.float32)
            for corners in (way.corners, way.plate.corners)
        )
        two = bool(lower > 0.5) if rows else way.two_rows
        image = rectify(way.close, close, card.height, card.width, two, part.margin)
        plate = replace(way.plate, corners=whole)
        better.append(replace(way, image=image, plate=plate, corners=close, two_rows=two))
    return better


def _read(
    model: Recognizer, decode: TextDecoder, images: Sequence[NDArray[np.uint8]]
) -> list[tuple[Decoded, NDArray[np.float32]]]:
    """N images (H, W, C) of any widths read: the text of each, and its float32 (T, K)."""
    read: dict[int, tuple[Decoded, NDArray[np.float32]]] = {}
    for places in batches_by_width([image.shape[1] for image in images], max(1, len(images))):
        log_probs = model.log_probs(np.stack([images[place] for place in places]))
        read.update(zip(places, zip(decode(log_probs), log_probs, strict=True), strict=True))
    return [read[place] for place in range(len(images))]


def network_inputs(model: Recognizer, pictures: Iterable[Image.Image]) -> list[NDArray[np.uint8]]:
    """Pictures as inputs of a model's network, each uint8 (H, W, C): rectified or resized."""
    prepared = _straightened if model.card.rectifier else _fitted
    ways = prepared(model, pictures)
    return [one[0].image for one in ways if not isinstance(one, InputError)]


@dataclass(frozen=True, slots=True)
class _Way:
    """One network input made from a picture.

    Attributes:
        image: uint8 (height, width, C).
        size: width and height of the picture, in pixels.
        two_rows: whether two rows stand side by side in ``image``.
        plate: where ``image`` comes from, for a model with a rectifier.
        close: the part of the picture round the plate, in mode RGB; likewise.
        corners: corners of the plate in ``close``, float32 (4, 2); likewise.
    """

    image: NDArray[np.uint8]
    size: tuple[int, int]
    two_rows: bool = False
    plate: RectifiedPlate | None = None
    close: Image.Image = field(default_factory=lambda: Image.new("RGB", (1, 1)))
    corners: Corners = field(default_factory=lambda: np.zeros((4, 2), np.float32))


def _fitted(
    model: Recognizer, pictures: Iterable[Image.Image | InputError]
) -> Iterator[list[_Way] | InputError]:
    card = model.card
    size = (card.height, card.width, card.channels, card.ink)  # of a plate of two rows
    for picture in pictures:
        if isinstance(picture, InputError):
            yield picture
            continue
        ways = [_Way(card.fit(picture), picture.size)]
        if card.two_rows and picture.width < TWO_ROW_ASPECT * picture.height:
            ways.append(_Way(fit_two_rows(picture, *size), picture.size, two_rows=True))
        yield ways


_MOST_PIXELS = 16_000_000
"""Pixels of the pictures whose corners are found in one batch."""


def _straightened(
    model: Recognizer, pictures: Iterable[Image.Image | InputError]
) -> Iterator[list[_Way] | InputError]:
    waiting: list[Image.Image | InputError] = []
    pixels = 0
    for picture in pictures:
        waiting.append(picture)
        pixels += 0 if isinstance(picture, InputError) else picture.width * picture.height
        if pixels >= _MOST_PIXELS:
            yield from _straighten(model, waiting)
            waiting, pixels = [], 0
    yield from _straighten(model, waiting)


_TALL = 1.15
"""Height over width of a crop above which its plate may be rotated by 90 degrees."""

_TURNS = {
    Image.Transpose.ROTATE_90: ((0, 1), (-1, 0)),
    Image.Transpose.ROTATE_270: ((0, -1), (1, 0)),
}
"""Quarter turns, each with the matrix that takes places in shares, from the middle, back."""


def _straighten(
    model: Recognizer, pictures: list[Image.Image | InputError]
) -> Iterator[list[_Way] | InputError]:
    card, part = model.card, model.card.rectifier
    assert part is not None
    # a plate that stands on its side is looked at in both turned copies too
    shown: list[list[tuple[Image.Image, tuple[tuple[int, int], ...] | None]]] = []
    shifts: list[tuple[int, int]] = []
    for picture in pictures:
        ways: list[tuple[Image.Image, tuple[tuple[int, int], ...] | None]] = []
        shift = (0, 0)
        if isinstance(picture, Image.Image):
            inner, shift = without_padding(picture)
            ways.append((inner, None))
            if inner.height > _TALL * inner.width:
                ways += [(inner.transpose(turn), back) for turn, back in _TURNS.items()]
        shown.append(ways)
        shifts.append(shift)
    views = [fit(p, part.height, part.width, 3) for ways in shown for p, _ in ways]
    found = model.find_plates(np.stack(views)) if views else None
    place = 0
    for picture, ways, shift in zip(pictures, shown, shifts, strict=True):
        if isinstance(picture, InputError) or found is None:
            yield picture  # type: ignore[misc]  # without plates, all are errors
            continue
        ways_of_picture = []
        for turned, back in ways:
            shares = found.corners[place]
            two_rows = bool(found.rows[place] > 0.5)
            colour = part.colours[int(found.colours[place].argmax())]
            place += 1
            corners = shares * np.array(turned.size, np.float32)
            size = (card.height, card.width)
            close, quad = close_up(turned, corners, *size)
            near = quad.astype(np.float32)
            straight = straighten(close, near.astype(np.float64), *size, two_rows, part.margin)
            if back is not None:
                shares = (shares - 0.5) @ np.array(back, np.float32) + np.float32(0.5)
                corners = shares * np.array(ways[0][0].size, np.float32)
            plate = RectifiedPlate(corners + np.array(shift, np.float32), part.margin, colour)
            ways_of_picture.append(_Way(straight, picture.size, two_rows, plate, close, near))
        yield ways_of_picture
