"""Training pictures of plates and lines of text, with their corners."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.data.ccpd import parse_name
from crnn_ctc.data.labelled import Labelled, read_labelled
from crnn_ctc.data.views import Plate, levels
from crnn_ctc.errors import InputError
from crnn_ctc.image import fit, load
from crnn_ctc.model_file.runtime import RectifierOutput
from crnn_ctc.net.rectifier import COLOURS, VIEW_HEIGHT, VIEW_WIDTH
from crnn_ctc.plates.scheme import plate_label
from crnn_ctc.plates.schemes import text_label
from crnn_ctc.rectify import UNIT, Corners, aspect, goes_round, rectify
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.scene import scenery
from crnn_ctc.synthesis.text import Draws

_LOG = logging.getLogger(__name__)


class Rectify(Protocol):
    """A trained rectifier."""

    def find(self, views: NDArray[np.uint8]) -> RectifierOutput:
        """Predict the plates of views, uint8 (N, 48, 96, 3)."""


_ROOM = 0.6
"""Margin of a scene around a plate on each side, in plate widths."""


def read_corners(text: str, where: str) -> NDArray[np.float32]:
    """Parse the column ``corners`` of a manifest, float32 (4, 2) in pixels.

    ``x,y x,y x,y x,y``: top left, top right, bottom right, bottom left in reading orientation.

    Raises:
        InputError: not four points, or not in clockwise order.
    """
    try:
        points = np.array([[float(v) for v in point.split(",")] for point in text.split()])
    except ValueError:
        points = np.empty(0)
    if points.shape != (4, 2) or not np.isfinite(points).all():
        raise InputError(
            f"{where}: corners {text[:60]!r} are not four points; write them as "
            '"x,y x,y x,y x,y": top left, top right, bottom right, bottom left'
        )
    if not goes_round(points):
        raise InputError(
            f"{where}: corners {text[:60]!r} do not go round clockwise from the top left; "
            "correct their order"
        )
    return points.astype(np.float32)


def scene_plates(manifest: Path) -> list[Plate]:
    """Open the plates of whole pictures, from a manifest with columns file, label and corners.

    Raises:
        InputError: no such file, or unusable corners.
    """
    plates = []
    for sample in read_labelled(manifest, normalise=plate_label):
        if not sample.attributes.get("corners"):
            continue
        corners = read_corners(sample.attributes["corners"], sample.where)
        plates.append(_round(load(sample.path), corners, sample.text))
    if not plates:
        raise InputError(f"{manifest}: no row has corners; add the column corners")
    return plates


def labelled_plates(source: Path) -> list[Plate]:
    """Open lines of text from labelled pictures, of any alphabet.

    The column ``corners`` gives the position of the text; without it, the text fills the picture.
    Pictures that cannot be decoded are reported and omitted.

    Args:
        source: manifest or folder; see :func:`crnn_ctc.data.labelled.read_labelled`.

    Raises:
        InputError: no such file or folder, unusable corners, or no readable picture.
    """
    plates = []
    for sample, image in _decoded(read_labelled(source, normalise=text_label)):
        if known := sample.attributes.get("corners"):
            corners = read_corners(known, sample.where)
            _check_corners(corners, image.shape[1], image.shape[0], sample.where)
        else:
            corners = UNIT.astype(np.float32) * np.array(image.shape[1::-1], np.float32)
        plates.append(Plate(levels(image), corners, sample.text, aspect=aspect(corners)))
    return plates


_BEYOND = 0.2
"""Maximum distance of corners outside the picture, as a fraction of its longer side."""


def _check_corners(corners: NDArray[np.float32], width: int, height: int, where: str) -> None:
    """Check that corners are those of a plate in a picture of this size.

    Raises:
        InputError: they lie outside, or span only a few pixels.
    """
    beyond = _BEYOND * max(width, height)
    low, high = corners.min(0), corners.max(0)
    outside = (low < -beyond).any() or (high > (width + beyond, height + beyond)).any()
    sides = np.linalg.norm(corners - np.roll(corners, -1, 0), axis=1)
    if outside or sides.min() < _LEAST_SIDE:
        shown = " ".join(f"{x:g},{y:g}" for x, y in corners.tolist())
        raise InputError(
            f"{where}: corners {shown} are not those of a text in a picture of {width}x{height}; "
            "give them in pixels of the picture"
        )


_LEAST_SIDE = 4.0
"""Minimum length of a quadrilateral's sides, in pixels."""


def ccpd_plates(folder: Path) -> list[Plate]:
    """Open the plates of the CCPD pictures below a folder, except ``val`` and ``test``."""
    plates = []
    for path in sorted(folder.rglob("*.jpg")):
        if {"val", "test"} & set(path.parts):
            continue
        try:
            name = parse_name(path.name)
        except InputError:
            continue
        rb, lb, lt, rt = name.corners
        corners = np.array([lt, rt, rb, lb], np.float32)
        plates.append(_round(load(path), corners, name.plate))
    return plates


def _round(image: NDArray[np.uint8], corners: NDArray[np.float32], text: str) -> Plate:
    low, high = corners.min(0), corners.max(0)
    room = _ROOM * float((high - low).max())
    x0, y0 = np.maximum(0, low - room).astype(int)
    x1, y1 = np.ceil(high + room).astype(int)
    part = np.ascontiguousarray(image[y0:y1, x0:x1])
    colour = COLOURS.index("green") if len(text) == 8 else COLOURS.index("blue")
    return Plate(levels(part), corners - (x0, y0), text, colour=colour, scene=True)


def _found(
    samples: Sequence[Labelled], rectifier: Rectify, batch_size: int
) -> Iterator[tuple[Labelled, NDArray[np.uint8], Corners, bool]]:
    """Yield crops with picture, predicted corners in pixels, and whether there are two rows.

    Pictures that cannot be decoded are reported and omitted.

    Raises:
        InputError: no picture can be decoded.
    """
    decoded = _decoded(samples)
    while part := list(islice(decoded, batch_size)):
        views = [fit(image, VIEW_HEIGHT, VIEW_WIDTH, 3) for _, image in part]
        found = rectifier.find(np.stack(views))
        for (sample, image), shares, rows in zip(part, found.corners, found.rows, strict=True):
            yield sample, image, shares * np.array(image.shape[1::-1], np.float32), bool(rows > 0.5)


def _decoded(samples: Iterable[Labelled]) -> Iterator[tuple[Labelled, NDArray[np.uint8]]]:
    """Yield labelled pictures, uint8 (H, W, 3); undecodable ones are reported and omitted.

    Raises:
        InputError: no picture can be decoded.
    """
    count, error = 0, InputError("there are no labelled pictures")
    for sample in samples:
        try:
            image = np.ascontiguousarray(load(sample.path))
        except InputError as failed:
            error = failed
            _LOG.warning("left out: %s", failed)
            continue
        count += 1
        yield sample, image
    if not count:
        raise InputError(f"no labelled picture can be read: {error}")


def crop_plates(
    samples: Sequence[Labelled], rectifier: Rectify, own_aspect: bool = False
) -> list[Plate]:
    """Open the plates of crops without labelled corners, which the rectifier predicts.

    Args:
        samples: labelled crops.
        rectifier: predicts the corners.
        own_aspect: whether to keep the predicted aspect ratio instead of that of the plate's kind.
    """
    plates = []
    for sample, image, corners, _ in _found(samples, rectifier, 64):
        own = aspect(corners) if own_aspect else 0.0
        plates.append(Plate(levels(image), corners, sample.text, aspect=own))
    return plates


def rectified_set(
    samples: Sequence[Labelled], rectifier: Rectify, height: int, width: int
) -> tuple[NDArray[np.uint8], list[str]]:
    """Rectify labelled crops to inputs of a reader behind ``rectifier``.

    Returns:
        images uint8 (N, height, width, 3) and N texts.
    """
    images, texts = [], []
    for sample, image, corners, two_rows in _found(samples, rectifier, 1):
        images.append(rectify(Image.fromarray(image), corners, height, width, two_rows))
        texts.append(sample.text)
    return np.stack(images), texts


def backgrounds(manifest: Path) -> list[NDArray[np.uint8]]:
    """Crop parts of scenes without a plate, above or below it, uint8 (H, W, 3)."""
    found = []
    for sample in read_labelled(manifest):
        if not sample.attributes.get("corners"):
            continue
        image = load(sample.path)
        corners = read_corners(sample.attributes["corners"], sample.where)
        low, high = corners.min(0), corners.max(0)
        above, below = int(low[1] - 10), int(high[1] + 10)
        parts = [image[:above], image[below:]]
        part = max(parts, key=len)
        if len(part) >= 200:
            # at half size, as a thousand are held in memory
            found.append(np.asarray(cv2.resize(part, None, fx=0.5, fy=0.5), np.uint8))
    return found


def imagined_backgrounds(seed: int, count: int = 24) -> list[NDArray[np.uint8]]:
    """Generate synthetic backgrounds, for data without any, uint8 (H, W, 3)."""
    found = []
    for i in range(count):
        draws = Draws(uniforms(seed, (6 << 48) + i, (320,)))
        scene = scenery(240, 360, draws)
        found.append(np.asarray(np.clip(np.rint(scene), 0, 255), np.uint8))
    return found
