"""Training views for a locator: warped scenes with pasted plates, lighting and blur."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.quads import (
    Quad,
    lay_patch,
    mean_light,
    plate_painted_over,
    project_quad,
    put_patch,
    resize,
    stretched,
    visible_share,
    warp_scene,
)
from crnn_ctc.synthesis.signs import sign
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import TWO_ROW, Draws
from crnn_ctc.synthesis.textures import grain, motion_kernel

_DRAWS = 1600
_MOST_SIDE = 1280
_LEVELS = 4
_CACHED_PLATES = 4000
"""Synthetic plates kept in memory: generating one takes as long as a view."""

_VISIBLE = 0.6
"""Least visible share of a plate that counts as a target; plates below it are ignored."""

_MOSAIC = 0.2
"""Share of the views that are mosaics of four scenes of half the size."""

_NIGHT, _GLARE = 0.25, 0.08
"""Share of night views, and share of the other views with glare on plates."""

_LIT = 4
"""Maximum number of plates of a view with lamps or glare."""

_GROUP = (0.35, 0.7, 0.9)
"""Cumulative shares of views with 0, 1 and 2 additional plates; the rest have 3."""


@dataclass(frozen=True)
class StreetView:
    """A training picture.

    Attributes:
        image: uint8 RGB (S, S, 3).
        plates: float32 (P, 4, 2), corners in pixels of the view; some may lie outside.
        exact: bool (P,), whether the corners are the plate's own, not those of a box.
        ignored: float32 (Q, 4, 2), plates cut off by the edge, excluded from the loss.
    """

    image: NDArray[np.uint8]
    plates: NDArray[np.float32]
    exact: NDArray[np.bool_]
    ignored: NDArray[np.float32]


@dataclass(frozen=True)
class Street:
    """A scene in memory.

    Attributes:
        levels: uint8 RGB image pyramid: full size, 1/2, 1/4, 1/8.
        plates: corners of each plate, in pixels at full size.
        exact: whether each plate's corners are its own, not those of a box.
        patches: for each plate, a crop with the plate inpainted, and the crop's left and top.
    """

    levels: tuple[NDArray[np.uint8], ...]
    plates: tuple[Quad, ...]
    exact: tuple[bool, ...]
    patches: tuple[tuple[NDArray[np.uint8], int, int], ...]

    @classmethod
    def of(cls, image: NDArray[np.uint8], plates: Sequence[Quad], exact: Sequence[bool]) -> Street:
        """Create a scene from a photograph, scaled to at most 1280 pixels per side.

        Args:
            image: RGB, uint8 (H, W, 3).
            plates: corners of each plate, pixels of ``image``.
            exact: whether each plate's corners are its own, not those of an axis-aligned box.
        """
        factor = min(1.0, _MOST_SIDE / max(image.shape[:2]))
        if factor < 1:
            image = resize(image, factor)
        levels = [image]
        for _ in range(_LEVELS - 1):
            levels.append(resize(levels[-1], 0.5))
        quads = tuple(plate * np.float32(factor) for plate in plates)
        return cls(
            tuple(levels),
            quads,
            tuple(exact),
            tuple(plate_painted_over(levels[0], levels[2], quad) for quad in quads),
        )


class StreetSynthesizer:
    """Unlimited views; view i depends only on the scenes, the seed and i.

    Args:
        streets: scenes, at least one.
        seed: random seed, 0 or more.
        size: side of a view in pixels.
        plates: generates the plates to paste.
        foreign: hard negatives, uint8 RGB (H, W, 3) crops that resemble plates.
        widths: smallest and largest width of a plate in pixels of the view.
    """

    def __init__(
        self,
        streets: Sequence[Street],
        seed: int,
        size: int,
        plates: PlateSynthesizer,
        foreign: Sequence[NDArray[np.uint8]] = (),
        widths: tuple[float, float] = (18.0, 300.0),
    ) -> None:
        self._streets, self._foreign = streets, foreign
        self._seed, self._size, self._widths = seed, size, widths
        self._plate = lru_cache(_CACHED_PLATES)(plates.picture)

    @cached_property
    def _with_plates(self) -> list[Street]:
        return [street for street in self._streets if street.plates] or list(self._streets)

    def view(self, i: int) -> StreetView:
        """Render view ``i``, 0 or more."""
        draws = Draws(uniforms(self._seed, i, (_DRAWS,)))
        size = self._size
        if draws.chance(_MOSAIC):
            image = np.empty((size, size, 3), np.uint8)
            quads, exact, visible = [], [], []
            for left, top in ((0, 0), (size // 2, 0), (0, size // 2), (size // 2, size // 2)):
                part, found, own = self._compose(size // 2, draws)
                image[top : top + size // 2, left : left + size // 2] = part
                visible += [visible_share(quad, size // 2) for quad in found]
                quads += [quad + np.array([left, top], np.float32) for quad in found]
                exact += own
        else:
            image, quads, exact = self._compose(size, draws)
            visible = [visible_share(quad, size) for quad in quads]
        seen = [k for k, share in enumerate(visible) if share >= _VISIBLE]
        cut = [k for k, share in enumerate(visible) if 0 < share < _VISIBLE]
        return StreetView(
            _photograph(_lit(image, quads, draws), quads, draws),
            np.array([quads[k] for k in seen], np.float32).reshape(-1, 4, 2),
            np.array([exact[k] for k in seen], np.bool_),
            np.array([quads[k] for k in cut], np.float32).reshape(-1, 4, 2),
        )

    def _compose(self, size: int, draws: Draws) -> tuple[NDArray[np.uint8], list[Quad], list[bool]]:
        """Compose a scene: image (size, size, 3), its plates, and whether each is exact."""
        street = self._with_plates[draws.below(len(self._with_plates))]
        image = self._background(size, draws)
        matrix = self._homography(street, size, draws)
        warp_scene(street.levels, matrix, image)
        quads = [project_quad(matrix, quad) for quad in street.plates]
        exact = list(street.exact)
        way = draws.next()
        if way < 0.5:  # half of the scenes are unchanged; the others lose or replace their plates
            for (patch, left, top), quad in zip(street.patches, quads, strict=True):
                lay_patch(patch, matrix, left, top, image)
                if way < 0.3:
                    taller = self._paste(image, quad, draws)
                    quads = [taller if q is quad else q for q in quads]
            if way >= 0.3:
                quads, exact = [], []
            else:
                exact = [True] * len(quads)
        taken = list(quads)
        for _ in range(int(np.searchsorted(_GROUP, draws.next(), "right"))):
            place = self._free_place(size, taken, draws, 3.14)
            if place is not None:
                quads.append(self._paste(image, place, draws))
                exact.append(True)
                taken.append(quads[-1])
        for _ in range(draws.below(3)):
            self._distract(image, taken, draws)
        return image, quads, exact

    def _background(self, size: int, draws: Draws) -> NDArray[np.uint8]:
        """Fill beyond the scene's edge: the top of another scene, or a uniform colour."""
        if draws.chance(0.3):
            colour = np.array([draws.between(0, 255) for _ in range(3)])
            grey = colour.mean() + (colour - colour.mean()) * 0.3
            return np.full((size, size, 3), grey, np.uint8)
        other = self._streets[draws.below(len(self._streets))]
        highest = min((int(quad[:, 1].min()) // 4 for quad in other.plates), default=1 << 16)
        part = other.levels[2][: max(4, min(highest, other.levels[2].shape[0] // 3))]
        return np.asarray(cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)

    def _homography(self, street: Street, size: int, draws: Draws) -> NDArray[np.float64]:
        """Random homography from the scene to the view, by a plate's width and place in it."""
        quad = street.plates[draws.below(len(street.plates))] if street.plates else None
        least, most = self._widths
        wanted = _log_between(least, most * size / self._size, draws)
        if quad is None:
            h, w = street.levels[0].shape[:2]
            centre, width = np.array([draws.next() * w, draws.next() * h]), w / 4
        else:
            centre, width = quad.mean(0), float(np.linalg.norm(quad[1] - quad[0]))
        scale = wanted / width
        turned = draws.between(-50, 50) if draws.chance(0.15) else draws.bell() * 8
        c, s = math.cos(math.radians(turned)), math.sin(math.radians(turned))
        linear = np.array([[c, -s], [s, c]]) @ np.array(
            [[1, draws.bell() * 0.12], [draws.bell() * 0.10, 1]]
        )
        linear = linear @ np.diag([scale * draws.between(0.7, 1.1), scale])
        matrix = np.eye(3)
        matrix[:2, :2] = linear
        matrix[:2, 2] = -linear @ centre
        tilt = np.eye(3)
        strength = 0.0005 * 320 / size
        tilt[2, :2] = draws.bell() * strength, draws.bell() * strength
        shift = np.eye(3)
        shift[:2, 2] = size * draws.between(-0.02, 1.02), size * draws.between(-0.02, 1.02)
        return shift @ tilt @ matrix

    def _paste(self, image: NDArray[np.uint8], quad: Quad, draws: Draws) -> Quad:
        """Paste a synthetic plate at ``quad``; return its corners (two rows are taller)."""
        plate, _, kind = self._plate(draws.below(_CACHED_PLATES))
        if kind in TWO_ROW:
            quad = stretched(quad, 1.57)
        # match the brightness of the surroundings
        lit = mean_light(image, quad)
        gain = (max(lit, 8.0) / 100) ** draws.between(0.2, 0.7) * math.exp(draws.bell() * 0.15)
        bright = cv2.convertScaleAbs(plate, alpha=min(max(gain, 0.3), 1.5))
        if draws.chance(0.5):  # a frame, or the shadow under the plate's edge
            wide = 1 + draws.between(0.01, 0.1)
            tone = draws.between(0, 70) if draws.chance(0.7) else draws.between(120, 240)
            border = np.full((8, 8, 3), tone, np.uint8)
            high = 1 + (wide - 1) * draws.between(1, 4)
            put_patch(image, border, stretched(stretched(quad, high), wide, along=True))
        put_patch(image, np.asarray(bright, np.uint8), quad)
        return quad

    def _free_place(self, size: int, taken: list[Quad], draws: Draws, aspect: float) -> Quad | None:
        """Draw a plate's quadrilateral in a random pose; None if it is too near ``taken``."""
        width = _log_between(self._widths[0], min(self._widths[1], 0.7 * size), draws)
        yaw, pitch = (math.radians(draws.bell() * 18) for _ in range(2))
        roll = math.radians(draws.between(-45, 45) if draws.chance(0.1) else draws.bell() * 7)
        x, y = np.array([-0.5, 0.5, 0.5, -0.5]), np.array([-0.5, -0.5, 0.5, 0.5]) / aspect
        depth = 1 + (x * math.sin(yaw) + y * math.sin(pitch)) / draws.between(1.5, 5)
        x, y = x * math.cos(yaw) / depth, y * math.cos(pitch) / depth
        x = x + y * draws.bell() * 0.12
        turned = np.stack(
            [x * math.cos(roll) - y * math.sin(roll), x * math.sin(roll) + y * math.cos(roll)], 1
        )
        place = np.array([draws.next() * size, draws.next() * size])
        quad = np.asarray(turned * width + place, np.float32)
        low, high = quad.min(0) - 0.4 * width, quad.max(0) + 0.4 * width
        for other in taken:
            if (other.max(0) > low).all() and (other.min(0) < high).all():
                return None
        return quad

    def _distract(self, image: NDArray[np.uint8], taken: list[Quad], draws: Draws) -> None:
        """Paste a hard negative: a sign, or one of the ``foreign`` crops."""
        foreign = bool(self._foreign) and draws.chance(0.25)
        patch = (
            self._foreign[draws.below(len(self._foreign))]
            if foreign
            else sign(Draws(uniforms(self._seed + 1, int(draws.next() * 2**40), (120,))))
        )
        quad = self._free_place(image.shape[0], taken, draws, patch.shape[1] / patch.shape[0])
        if quad is not None:
            put_patch(image, patch, quad)
            taken.append(quad)


def _lit(image: NDArray[np.uint8], quads: Sequence[Quad], draws: Draws) -> NDArray[np.uint8]:
    """Apply night, flash on plates, lamps beside them and glare.

    Args:
        image: uint8 RGB (S, S, 3).
        quads: corners of the plates, pixels.
        draws: random numbers.
    """
    night = draws.chance(_NIGHT)
    if not night and not draws.chance(_GLARE):
        return image
    size = image.shape[0]
    light: NDArray[np.float32] = image.astype(np.float32)
    if night:
        gamma = np.float32(draws.between(1.0, 2.0))
        light = np.power(light / np.float32(255), gamma)
        light *= np.float32(255 * math.exp(-draws.between(0.3, 2.0)))
    ys, xs = np.mgrid[:size, :size].astype(np.float32)
    for quad in quads[:_LIT]:
        width = max(float(np.linalg.norm(quad[1] - quad[0])), 8.0)
        x, y = quad.mean(0)
        if night and draws.chance(0.4):
            plate = np.zeros((size, size), np.float32)
            cv2.fillConvexPoly(plate, np.rint(quad).astype(np.int32), draws.between(0.2, 2.5))
            light *= 1 + plate[..., None]
        for side in (-1, 1) if night and draws.chance(0.6) else ():
            lamp = (
                x + side * width * draws.between(0.6, 1.9),
                y - width * draws.between(-0.1, 0.8),
            )
            _glow(light, xs, ys, lamp, width * draws.between(0.1, 0.7), 260, draws)
        if draws.chance(0.2 if night else 0.7):
            spot = (x + width * draws.between(-0.6, 0.6), y + width * draws.between(-0.2, 0.2))
            _glow(light, xs, ys, spot, width * draws.between(0.1, 0.5), 180, draws)
    return np.clip(light, 0, 255).astype(np.uint8)


def _glow(
    light: NDArray[np.float32],
    xs: NDArray[np.float32],
    ys: NDArray[np.float32],
    centre: tuple[float, float],
    radius: float,
    most: float,
    draws: Draws,
) -> None:
    """Add a lamp with a halo to ``light``, float32 (S, S, 3)."""
    far = ((xs - centre[0]) ** 2 + (ys - centre[1]) ** 2) / np.float32(radius**2)
    strength = np.float32(most * draws.between(0.5, 1))
    halo = np.float32(draws.between(0, 0.35))
    field = strength * (np.exp(-far) + halo / (1 + far))
    colour = [1.0, draws.between(0.7, 1), draws.between(0.5, 1)]
    light += field[..., None] * np.array(colour, np.float32)


def _photograph(image: NDArray[np.uint8], quads: Sequence[Quad], draws: Draws) -> NDArray[np.uint8]:
    """Apply exposure, blur, downsampling, noise and JPEG; the smallest plate stays legible.

    Args:
        image: uint8 RGB (S, S, 3).
        quads: corners of the plates, pixels.
        draws: random numbers.
    """
    size = image.shape[0]
    least = min((float(np.linalg.norm(quad[1] - quad[0])) for quad in quads), default=60.0)
    gain = math.exp(-0.1 + 0.3 * draws.bell())
    gamma = math.exp(0.2 * draws.bell())
    offset = draws.between(-0.15, 0.15) * min(float(image.mean()), 100.0)
    cast = [draws.between(0.85, 1.15) if draws.chance(0.4) else 1.0 for _ in range(3)]
    tone = (np.arange(256) / 255) ** gamma * 255 * gain
    table = np.clip(tone[:, None] * np.array(cast) + offset, 0, 255).astype(np.uint8)
    out = np.asarray(cv2.LUT(image, table[:, None].transpose(1, 0, 2)), np.uint8)
    if draws.chance(0.05):
        out = np.repeat(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    if draws.chance(0.2):  # light from one side
        slope = np.linspace(draws.between(0.4, 1.2), draws.between(0.4, 1.2), size)
        field = slope[:, None, None] if draws.chance(0.5) else slope[None, :, None]
        out = np.clip(out * field.astype(np.float32), 0, 255).astype(np.uint8)
    way = draws.next()
    blur = max(1.5, least / 40)
    if way < 0.25:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), draws.between(0.3, blur)), np.uint8)
    elif way < 0.35:
        length = 3 + 2 * draws.below(max(3, int(least / 28)))
        out = np.asarray(cv2.filter2D(out, -1, motion_kernel(length, draws.below(12))), np.uint8)
    elif way < 0.45:
        small = resize(out, draws.between(0.4, 0.8))
        out = np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    if draws.chance(0.35):
        top, left = draws.below(2 * size), draws.below(2 * size)
        noise = grain(size, size)[top : top + size, left : left + size]
        out = np.clip(out + noise * np.float32(1 + 9 * draws.next() ** 2), 0, 255).astype(np.uint8)
    if draws.chance(0.3):
        quality = int(95 - 65 * draws.next())
        _, data = cv2.imencode(".jpg", out, (cv2.IMWRITE_JPEG_QUALITY, quality))
        out = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(out)


def _log_between(low: float, high: float, draws: Draws) -> float:
    return math.exp(draws.between(math.log(low), math.log(high)))
