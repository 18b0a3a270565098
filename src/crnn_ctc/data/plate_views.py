"""Plates with corners, real and synthetic, and batches of random views of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.data.ccpd import parse_name
from crnn_ctc.data.labelled import Labelled, read_labelled
from crnn_ctc.data.views import (
    LIGHT_DRAWS,
    VIEW_DRAWS,
    Plate,
    View,
    degrade,
    levels,
    view,
)
from crnn_ctc.errors import InputError
from crnn_ctc.image import UPPER_ROW, UPPER_SHARE, fit, load
from crnn_ctc.model_file.runtime import RectifierOutput
from crnn_ctc.net.rectifier import COLOURS, VIEW_HEIGHT, VIEW_WIDTH
from crnn_ctc.plates.scheme import plate_label
from crnn_ctc.plates.schemes import text_label
from crnn_ctc.rectify import MARGIN, UNIT, aspect, rectify
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.face import character_centres
from crnn_ctc.synthesis.scene import COLOURS as KIND_COLOURS
from crnn_ctc.synthesis.scene import scenery
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import TWO_ROW, Draws

_LOG = logging.getLogger(__name__)


class Rectify(Protocol):
    """A trained rectifier; see :class:`crnn_ctc.training.trained_rectifier.TrainedRectifier`."""

    def find(self, views: NDArray[np.uint8]) -> RectifierOutput:
        """Views uint8 (N, 48, 96, 3) to plates."""


_STREAM = 3 << 48
"""Streams of the views, far from those of the synthesizer, which begin at 0."""

_ROOM = 0.6
"""How much of a scene is kept round a plate, in plate widths to each side."""


def read_corners(text: str, where: str) -> NDArray[np.float32]:
    """The column ``corners`` of a manifest, float32 (4, 2) in pixels.

    ``x,y x,y x,y x,y``: top left, top right, bottom right, bottom left of the plate as it is read.

    Raises:
        InputError: not four points, or they do not go round clockwise.
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
    sides = np.roll(points, -1, 0) - points
    after = np.roll(sides, -1, 0)
    turns = sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0]
    if not (turns > 0).all():
        raise InputError(
            f"{where}: corners {text[:60]!r} do not go round clockwise from the top left; "
            "correct their order"
        )
    return points.astype(np.float32)


def scene_plates(manifest: Path) -> list[Plate]:
    """The plates of whole pictures, from a manifest with the columns file, label and corners.

    Raises:
        InputError: no such file, or corners that cannot be used.
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
    """Lines of text from labelled pictures, of any alphabet.

    The column ``corners`` says where the text stands; without it, it fills the picture.

    Args:
        source: manifest or folder; see :func:`crnn_ctc.data.labelled.read_labelled`.

    Pictures that cannot be decoded are named and left out.

    Raises:
        InputError: no such file or folder, corners that cannot be used, or no picture is left.
    """
    plates = []
    for sample in read_labelled(source, normalise=text_label):
        try:
            image = np.ascontiguousarray(load(sample.path))
        except InputError as error:
            _LOG.warning("left out: %s", error)
            continue
        if known := sample.attributes.get("corners"):
            corners = read_corners(known, sample.where)
            _check_corners(corners, image.shape[1], image.shape[0], sample.where)
        else:
            corners = UNIT.astype(np.float32) * np.array(image.shape[1::-1], np.float32)
        plates.append(Plate(levels(image), corners, sample.text, aspect=aspect(corners)))
    if not plates:
        raise InputError(f"{source}: no picture can be used; give labelled pictures")
    return plates


_BEYOND = 0.2
"""How far corners may lie beyond their picture, as a share of its longer side: cut edges."""


def _check_corners(corners: NDArray[np.float32], width: int, height: int, where: str) -> None:
    """Whether corners are those of a plate in a picture of that size.

    Raises:
        InputError: they lie outside, or are no larger than a few pixels.
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
"""Pixels of a quadrilateral's shortest side."""


def ccpd_plates(folder: Path) -> list[Plate]:
    """The plates of the CCPD pictures below a folder, without those of ``val`` and ``test``."""
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


def crop_plates(
    samples: Sequence[Labelled], rectifier: Rectify, own_aspect: bool = False, batch_size: int = 64
) -> list[Plate]:
    """The plates of crops whose corners nobody has marked: the rectifier finds them.

    Args:
        samples: labelled crops.
        rectifier: finds the plates.
        own_aspect: whether each is as wide as it was found, and not as its kind of plate is.
        batch_size: crops shown to the rectifier at a time.
    """
    plates = []
    for start in range(0, len(samples), batch_size):
        part = samples[start : start + batch_size]
        images = [np.ascontiguousarray(load(sample.path)) for sample in part]
        found = rectifier.find(np.stack([fit(i, VIEW_HEIGHT, VIEW_WIDTH, 3) for i in images]))
        for sample, image, corners in zip(part, images, found.corners, strict=True):
            pixels = corners * np.array(image.shape[1::-1], np.float32)
            own = aspect(pixels) if own_aspect else 0.0
            plates.append(Plate(levels(image), pixels, sample.text, aspect=own))
    return plates


def backgrounds(manifest: Path) -> list[NDArray[np.uint8]]:
    """Parts of the same pictures that show no plate: above or below it, uint8 (H, W, 3)."""
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
            # at half the size: a thousand of them are held in memory
            found.append(np.asarray(cv2.resize(part, None, fx=0.5, fy=0.5), np.uint8))
    return found


def imagined_backgrounds(seed: int, count: int = 24) -> list[NDArray[np.uint8]]:
    """Pictures of what may stand round a line of text, for data without any: uint8 (H, W, 3)."""
    found = []
    for i in range(count):
        draws = Draws(uniforms(seed, (6 << 48) + i, (320,)))
        scene = scenery(240, 360, draws)
        found.append(np.asarray(np.clip(np.rint(scene), 0, 255), np.uint8))
    return found


@dataclass(frozen=True)
class ViewSource:
    """Random views of plates; view i is a function of the seed and i alone.

    Args:
        plates: real ones.
        synthesizer: draws the others; None where ``synthetic`` is 0.
        grounds: pictures without a plate, uint8 (H, W, 3).
        synthetic: share of the views that show a synthetic plate.
        balance: 0 takes each real plate as often as any other, 1 each first character.
        seed: random seed of the run.
        light: how often views are blurred, dark or over-exposed; 1 is the usual.
    """

    plates: Sequence[Plate]
    synthesizer: PlateSynthesizer | None
    grounds: Sequence[NDArray[np.uint8]]
    synthetic: float
    balance: float
    seed: int
    light: float = 1.0
    _cumulative: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cv2.setNumThreads(1)
        counts = Counter(plate.text[:1] for plate in self.plates)
        weights = np.cumsum([counts[plate.text[:1]] ** -self.balance for plate in self.plates])
        object.__setattr__(self, "_cumulative", weights / weights[-1])

    @property
    def pictures(self) -> int:
        """How many real plates the views are drawn from."""
        return len(self.plates)

    def view(self, i: int) -> tuple[View, Plate]:
        """View ``i`` and the plate that it shows."""
        u = uniforms(self.seed, _STREAM + i, (VIEW_DRAWS + LIGHT_DRAWS + 8,))
        choose = Draws(u[-8:])
        real = not choose.chance(self.synthetic)
        if real or self.synthesizer is None:
            plate = self.plates[
                min(int(np.searchsorted(self._cumulative, choose.next())), len(self.plates) - 1)
            ]
        else:
            image, corners, text, kind = self.synthesizer.front(i)
            colour = COLOURS.index(KIND_COLOURS[kind])
            plate = Plate(levels(image), corners, text, kind in TWO_ROW, colour)
        ground = self.grounds[choose.below(len(self.grounds))] if choose.chance(0.8) else None
        if not real or plate.scene or choose.chance(0.65):
            seen = view(plate, Draws(u[:VIEW_DRAWS]), ground)
        else:  # a crop as it was cut
            image = plate.levels[0]
            size = np.array(image.shape[1::-1], np.float32)
            seen = View(image, np.asarray(plate.corners / size, np.float32))
        points = seen.corners * (seen.image.shape[1], seen.image.shape[0])
        height = float(
            np.linalg.norm(points[3] - points[0]) + np.linalg.norm(points[2] - points[1])
        )
        strength = self.light * (0.8 if real else 1.0)
        worse = degrade(seen.image, height / 2, Draws(u[VIEW_DRAWS:-8]), strength)
        return View(worse, seen.corners), plate

    def views(self, indices: Iterable[int]) -> list[tuple[View, Plate]]:
        """Several."""
        return [self.view(i) for i in indices]


@dataclass(frozen=True)
class RectifiedSource:
    """Training batches for a reader behind a rectifier: what the rectifier makes of random views.

    Args:
        views: where the plates come from.
        rectifier: float32 (N, 3, 48, 96) in [0, 1] to corners and rows; see
            :class:`crnn_ctc.net.rectifier.Rectifier`.
        synthesizer: draws plates that are straight already, for their variety of light and dirt;
            None where ``straight`` is 0.
        straight: share of the samples that are such.
        unreadable: share of the samples that show nothing to be read, and whose text is empty.
        height: height of the result, in pixels.
        width: width of the result, in pixels.
    """

    views: ViewSource
    rectifier: Rectify
    synthesizer: PlateSynthesizer | None
    straight: float
    unreadable: float
    height: int
    width: int

    @property
    def pictures(self) -> int:
        """How many real plates the batches are drawn from."""
        return self.views.pictures

    def batch(
        self, step: int, size: int, part: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], list[str], list[tuple[float, ...]]]:
        """Batch ``step``, or the ``part`` of it that one of several processes trains on.

        Returns:
            images uint8 (n, H, W, 3), n texts, and n times the centres of the characters as shares
            of the width.
        """
        seed, indices = self.views.seed, range(step * size, (step + 1) * size)[part]
        images = np.empty((len(indices), self.height, self.width, 3), np.uint8)
        texts: list[str] = [""] * len(indices)
        places: list[tuple[float, ...]] = [()] * len(indices)
        seen: list[tuple[int, View, Plate]] = []
        for row, i in enumerate(indices):
            way, other = uniforms(seed, (4 << 48) + i, (2,)).tolist()
            if way < self.unreadable:
                images[row] = self._unreadable(i, other)
            elif self.synthesizer and way < self.unreadable + self.straight:
                images[row], texts[row], kind = self.synthesizer.sample(i)
                places[row] = self._places(texts[row], kind in TWO_ROW, margin=0.0)
            else:
                seen.append((row, *self.views.view(i)))
        small = [fit(shown.image, VIEW_HEIGHT, VIEW_WIDTH, 3) for _, shown, _ in seen]
        corners = self.rectifier.find(np.stack(small)).corners if small else ()
        for (row, shown, plate), found in zip(seen, corners, strict=True):
            pixels = found * np.array(shown.image.shape[1::-1], np.float32)
            images[row] = rectify(
                Image.fromarray(shown.image), pixels, self.height, self.width, plate.two_rows
            )
            texts[row] = plate.text
            places[row] = self._places(plate.text, plate.two_rows, MARGIN)
        return images, texts, places

    def _places(self, text: str, two_rows: bool, margin: float) -> tuple[float, ...]:
        if self.synthesizer is None:  # no plates: where characters stand is not known
            return ()
        centres = character_centres(text, two_rows)
        if not two_rows:
            return tuple((x + margin) / (1 + 2 * margin) for x, _ in centres)
        return tuple(
            (x - UPPER_ROW[0]) / (UPPER_ROW[2] - UPPER_ROW[0]) * UPPER_SHARE
            if y < 0.38
            else UPPER_SHARE + x * (1 - UPPER_SHARE)
            for x, y in centres
        )

    def _unreadable(self, i: int, way: float) -> NDArray[np.uint8]:
        """A plate upside down or cut in the wrong rows, or what stands round plates."""
        if self.synthesizer and way < 0.35:
            return self.synthesizer.unreadable(i)
        u = Draws(uniforms(self.views.seed, (5 << 48) + i, (LIGHT_DRAWS + 8,)))
        ground = self.views.grounds[u.below(len(self.views.grounds))]
        height = u.below(min(160, len(ground) - 20)) + 20
        width = min(ground.shape[1], round(height * u.between(1.2, 4)))
        top, left = u.below(len(ground) - height + 1), u.below(ground.shape[1] - width + 1)
        patch = np.ascontiguousarray(ground[top : top + height, left : left + width])
        return fit(degrade(patch, height / 2, u), self.height, self.width, 3)


def rectified_set(
    samples: Sequence[Labelled], rectifier: Rectify, height: int, width: int
) -> tuple[NDArray[np.uint8], list[str]]:
    """Labelled crops as a reader behind ``rectifier`` takes them.

    Returns:
        images uint8 (N, height, width, 3) and N texts.
    """
    images = []
    for sample in samples:
        image = load(sample.path)
        found = rectifier.find(fit(image, VIEW_HEIGHT, VIEW_WIDTH, 3)[None])
        pixels = found.corners[0] * np.array(image.shape[1::-1], np.float32)
        images.append(
            rectify(Image.fromarray(image), pixels, height, width, bool(found.rows[0] > 0.5))
        )
    return np.stack(images), [sample.text for sample in samples]
