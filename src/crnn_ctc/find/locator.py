"""Locator: finds plates in photographs with one model file. No torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.errors import InputError
from crnn_ctc.find.card import KEY, LocatorCard
from crnn_ctc.find.decoding import LocatedPlate, decode, suppress
from crnn_ctc.model_file.guard import read_model
from crnn_ctc.model_file.opening import locator_path
from crnn_ctc.model_file.runtime import CPU, open_session

Maps = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""uint8 (N, H, W, 3) to heat (N, h, w) in [0, 1] and corners (N, 8, h, w) in cells."""

MULTIPLE = 32
"""Height and width of the network's input are multiples of this, in pixels."""

THRESHOLD = 0.3
"""Minimum score of a plate."""

COARSE = (256_000, 720_000)
"""Number of pixels of a reduced photograph: up to 4.4 megapixels, and at most."""

_COARSE_SHARE = 0.058
"""Number of pixels of a reduced photograph between these limits, relative to the original."""

_NEAR = 224
"""Longer side in pixels of a second reduced copy, for plates that fill the photograph and are
larger than those of training."""

_ROUNDED = 0.15
"""Relative change of the sides up to which the reduction factor is rounded to an integer, which is
five times faster."""

_FILLING = 0.4
"""Width of a sure plate, as a fraction of the photograph's, above which the second reduced copy is
searched nevertheless."""

_LARGE = 2_500_000
"""Number of pixels above which reducing a picture takes most of the time."""

SURE = 0.6
"""Score in the reduced photograph above which a candidate is a sure plate."""

_CANDIDATE = 0.2
"""Score in the reduced photograph above which a candidate is refined."""

_BESIDE = 0.3
"""The same if there is a sure plate elsewhere."""

MOST_CANDIDATES = 200
"""Maximum number of candidates to refine, by confidence; also of plates."""

_PATCH = (128, 224)
"""Height and width in pixels of a patch for refinement, centred on the plate."""

_PATCH_PLATE = 112
"""Width of the plate in a patch, in pixels."""

_FILL = 110
"""Grey level outside the photograph."""

_BATCH = 8
"""Patches per batch."""


class Locator:
    """Finds plates in photographs.

    A reduced photograph is searched first. Each candidate is then refined in a patch in which the
    plate has a fixed size; this sets its corners and score. The time is bounded by the pixels of
    the first search and by ``MOST_CANDIDATES``.

    Args:
        model: name of a shipped locator, or a model file.
        threads: inference threads.
        threshold: minimum score of a plate, from 0 to 1.
        device: device that computes; see :func:`crnn_ctc.model_file.runtime.open_session`.

    Raises:
        InputError: no such model or device, or not a locator's model file.
    """

    def __init__(
        self,
        model: str | Path = "plates-find",
        threads: int = 1,
        threshold: float = THRESHOLD,
        device: str = CPU,
    ) -> None:
        name = str(model)
        with locator_path(name) as path:
            session = open_session(read_model(path), threads, name, device=device)
        meta = session.get_modelmeta().custom_metadata_map
        self.card = LocatorCard.from_json(meta.get(KEY), name)
        takes = [(one.name, one.type) for one in session.get_inputs()]
        gives = [one.name for one in session.get_outputs()]
        if takes != [("images", "tensor(uint8)")] or gives != ["heat", "corners"]:
            raise InputError(
                f"{name}: its graph is not what its card says; export it again with: "
                "crnn-ctc export"
            )
        self.threshold = threshold

        def maps(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            heat, corners = session.run(["heat", "corners"], {"images": images})
            return heat, corners

        self._maps: Maps = maps

    def find(self, photo: Image.Image | NDArray[np.uint8]) -> list[LocatedPlate]:
        """Find plates in a photograph, mode RGB or uint8 RGB (H, W, 3), most confident first."""
        return search(self._maps, photo, self.threshold)

    def turn(self, photo: Image.Image) -> Image.Transpose | None:
        """Choose a rotation for a photograph without a plate of score ``SURE``.

        Args:
            photo: in mode RGB.

        Returns:
            The rotation with the highest score of a plate in the reduced photograph; None if no
            rotation shows a plate.
        """
        reduced = _reduced(photo, coarse_factor(photo.height, photo.width))
        scores = {}
        for turn in _TURNS:
            turned = reduced.transpose(turn)
            found = _coarse(self._maps, turned, turned.size)
            scores[turn] = max((one.score for one in found), default=0.0)
        best = max(_TURNS, key=scores.__getitem__)
        return best if scores[best] >= SURE else None

    def refine(self, photo: Image.Image, plates: list[LocatedPlate]) -> list[LocatedPlate]:
        """Refine plates that were found in a reduced copy of the photograph.

        Args:
            photo: in mode RGB.
            plates: in pixels of ``photo``.
        """
        return refine(self._maps, photo, plates, self.threshold)


_TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180)


def search(
    maps: Maps, photo: Image.Image | NDArray[np.uint8], threshold: float = THRESHOLD
) -> list[LocatedPlate]:
    """Find plates with any network; see :meth:`Locator.find`."""
    image = photo if isinstance(photo, Image.Image) else Image.fromarray(photo)
    width, height = image.size
    reduced = _reduced(image, coarse_factor(height, width))
    candidates = _coarse(maps, reduced, image.size)
    sure = [_width(one) for one in candidates if one.score >= SURE]
    near = round(max(reduced.size) / _NEAR)
    # a part of a plate that fills the photograph may resemble a plate
    small = reduced is not image and any(wide < _FILLING * width for wide in sure)
    if near > 1 and not small:
        copy = _reduced(reduced, 1 / near)
        candidates = suppress([*candidates, *_coarse(maps, copy, image.size)])
    least = _BESIDE if sure else _CANDIDATE
    candidates = [one for one in candidates if one.score >= least]
    return refine(maps, image, candidates[:MOST_CANDIDATES], threshold)


def refine(
    maps: Maps, photo: Image.Image, candidates: list[LocatedPlate], threshold: float = THRESHOLD
) -> list[LocatedPlate]:
    """Refine plates with any network; see :meth:`Locator.refine`."""
    refined = [
        one
        for k in range(0, len(candidates), _BATCH)
        for one in _again(maps, photo, candidates[k : k + _BATCH])
    ]
    return [one for one in suppress(refined) if one.score >= threshold]


def coarse_factor(height: int, width: int) -> float:
    """Scale of a photograph for the first search, at most 1."""
    pixels = min(max(_COARSE_SHARE * height * width, COARSE[0]), COARSE[1])
    factor = min(1.0, math.sqrt(pixels / (height * width)))
    whole = round(1 / factor)
    return 1 / whole if abs(1 / (whole * factor) - 1) < _ROUNDED else factor


def _reduced(picture: Image.Image, factor: float) -> Image.Image:
    if factor >= 1:
        return picture
    if math.isclose(1 / factor, whole := round(1 / factor)):  # mean of each block of pixels
        return picture.reduce(whole)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    # large pictures are first reduced by an integer: three times faster, nearly as exact
    gap = 1.0 if picture.width * picture.height > _LARGE else 2.0
    return picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=gap)


def _width(plate: LocatedPlate) -> float:
    return float(np.ptp(plate.corners[:, 0]))


def _coarse(maps: Maps, picture: Image.Image, size: tuple[int, int]) -> list[LocatedPlate]:
    """Find plates in a reduced picture, in pixels of the photograph of ``size``."""
    scale = np.array([size[0] / picture.width, size[1] / picture.height], np.float32)
    rows, columns = (-(-side // MULTIPLE) * MULTIPLE for side in picture.size[::-1])
    filled = np.full((1, rows, columns, 3), _FILL, np.uint8)
    filled[0, : picture.height, : picture.width] = np.asarray(picture)
    heat, corners = maps(filled)
    found = decode(heat[0], corners[0], _CANDIDATE)
    return [LocatedPlate(one.corners * scale, one.score) for one in found]


def _again(maps: Maps, picture: Image.Image, candidates: list[LocatedPlate]) -> list[LocatedPlate]:
    """Refine each candidate; those without a plate in their patch are dropped."""
    if not candidates:
        return []
    high, wide = _PATCH
    patches = np.full((len(candidates), high, wide, 3), _FILL, np.uint8)
    places = []
    for patch, one in zip(patches, candidates, strict=True):
        size = np.ptp(one.corners, axis=0)
        # plates rotated by about 90 degrees are scaled by their height
        scale = max(float(size[0]) / _PATCH_PLATE, float(size[1]) / (0.6 * high), 1e-3)
        left, top = one.corners.mean(0) - np.array([wide, high]) * scale / 2
        _cut(picture, float(left), float(top), scale, patch)
        places.append((np.array([left, top], np.float32), np.float32(scale)))
    heat, corners = maps(patches)
    out = []
    for k, (one, (corner, size)) in enumerate(zip(candidates, places, strict=True)):
        seen = decode(heat[k], corners[k], _CANDIDATE)
        # the central one; others are separate candidates
        middle = np.array([wide, high], np.float32) / 2
        reach = np.maximum(np.ptp(one.corners, axis=0) / size / 2, 12)
        mine = [s for s in seen if (abs(s.corners.mean(0) - middle) < reach).all()]
        if mine:
            best = max(mine, key=lambda s: s.score)
            score = math.sqrt(best.score * max(one.score, best.score))
            out.append(LocatedPlate(best.corners * size + corner, score))
    return out


def _cut(
    picture: Image.Image, left: float, top: float, scale: float, patch: NDArray[np.uint8]
) -> None:
    """Fill ``patch`` with the region of the picture at ``left``, ``top`` and ``scale``."""
    high, wide = patch.shape[:2]
    # pixels of the patch inside the picture
    x0, x1 = (_clip((edge - left) / scale, wide) for edge in (0, picture.width))
    y0, y1 = (_clip((edge - top) / scale, high) for edge in (0, picture.height))
    if x1 <= x0 or y1 <= y0:
        return
    box = (left + x0 * scale, top + y0 * scale, left + x1 * scale, top + y1 * scale)
    inside = (
        max(box[0], 0.0),
        max(box[1], 0.0),
        min(box[2], float(picture.width)),
        min(box[3], float(picture.height)),
    )
    part = picture.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, inside, reducing_gap=2.0)
    patch[y0:y1, x0:x1] = np.asarray(part)


def _clip(value: float, most: int) -> int:
    return min(max(round(value), 0), most)
