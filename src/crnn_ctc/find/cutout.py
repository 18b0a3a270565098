"""Crops of a photograph's plates: by the bounding box, or rectified."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.find.decoding import LocatedPlate
from crnn_ctc.find.photo import Photograph
from crnn_ctc.image import MIN_SIDE
from crnn_ctc.model_file.card import Card
from crnn_ctc.rectify import UNIT, aspect, homography, rectify

BOX_MARGIN = 0.1
"""Margin around the bounding box of a plate, as a fraction of its width and height."""

MARGIN = 0.06
"""Margin around a rectified plate, as a fraction of its size; larger than corner errors."""

TWO_ROW_ASPECT = 2.75
"""Aspect ratio (width over height) below which a plate is rectified to 2:1, as for two rows."""


class Cutout(NamedTuple):
    """A crop of a plate.

    Attributes:
        picture: the crop, in mode RGB.
        to_photo: homography (3, 3) from its pixels to those of the photograph.
        found: the plate, in pixels of the photograph.
    """

    picture: Image.Image
    to_photo: NDArray[np.float64]
    found: LocatedPlate


def cut_out(photo: Photograph, found: LocatedPlate, card: Card) -> list[Cutout]:
    """Crop a plate in each way that the model of ``card`` needs.

    A model with a rectifier gets the bounding box. One without gets the bounding box and the
    rectified plate, because the corners of small or blurred plates may be less exact than the box;
    the more probable reading counts.

    Args:
        photo: photograph with the plate.
        found: the plate, in pixels of the photograph's ``picture``.
        card: the model's card.

    Returns:
        The crops, with positions in pixels of the photograph as given.
    """
    ways = [upright(photo.picture, found)]
    if card.rectifier is None:
        tall = aspect(found.corners) < TWO_ROW_ASPECT
        height = card.width // 2 if tall else card.height
        ways.append(straighten(photo.picture, found, height, card.width))
    whole = photo.to_whole
    return [Cutout(one.picture, whole @ one.to_photo, one.found.mapped(whole)) for one in ways]


def upright(photo: Image.Image, found: LocatedPlate, margin: float = BOX_MARGIN) -> Cutout:
    """Crop the bounding box of a plate with a margin."""
    size = np.array(photo.size)
    corners = found.corners
    room = margin * np.ptp(corners, axis=0)
    low = np.clip(np.floor(corners.min(0) - room), 0, size - 1)
    # at least MIN_SIDE pixels, also at the photograph's edge
    high = np.clip(np.ceil(corners.max(0) + room), low + MIN_SIDE, np.maximum(size, low + MIN_SIDE))
    shift = np.array([[1, 0, low[0]], [0, 1, low[1]], [0, 0, 1]], np.float64)
    box = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    return Cutout(photo.crop(box), shift, found)


def straighten(
    photo: Image.Image, found: LocatedPlate, height: int, width: int, margin: float = MARGIN
) -> Cutout:
    """Crop and rectify a plate to ``height`` x ``width`` pixels."""
    picture = rectify(photo, found.corners, height, width, margin=margin)
    share = 1 + 2 * margin
    to_plate = np.array([[share / width, 0, -margin], [0, share / height, -margin], [0, 0, 1]])
    to_photo = homography(UNIT, found.corners) @ to_plate
    return Cutout(Image.fromarray(picture), to_photo, found)
