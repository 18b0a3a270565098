"""Batches of random views of plates, real and synthetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.data.plate_pictures import Rectify
from crnn_ctc.data.views import LIGHT_DRAWS, VIEW_DRAWS, Plate, View, degrade, levels, view
from crnn_ctc.image import UPPER_ROW, UPPER_SHARE, fit
from crnn_ctc.net.rectifier import COLOURS, VIEW_HEIGHT, VIEW_WIDTH
from crnn_ctc.rectify import MARGIN, rectify
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.face import character_centres
from crnn_ctc.synthesis.scene import COLOURS as KIND_COLOURS
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import TWO_ROW, Draws

_STREAM = 3 << 48
"""First random stream of the views; those of the synthesizer begin at 0."""


@dataclass(frozen=True)
class ViewSource:
    """Random views of plates; view i depends only on the seed and i.

    Args:
        plates: real plates.
        synthesizer: generates synthetic plates; None if ``synthetic`` is 0.
        grounds: pictures without a plate, uint8 (H, W, 3).
        synthetic: share of the views that show a synthetic plate.
        balance: 0 samples real plates uniformly, 1 samples first characters uniformly.
        seed: random seed of the run.
        light: scales how often views are blurred, dark or over-exposed; 1 is the default.
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
        """Number of real plates."""
        return len(self.plates)

    def view(self, i: int) -> tuple[View, Plate]:
        """Draw view ``i``; return it with its plate."""
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
        else:  # a crop, unchanged
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
        """Draw several views; return them with their plates."""
        return [self.view(i) for i in indices]


@dataclass(frozen=True)
class RectifiedSource:
    """Training batches for a reader behind a rectifier: rectified random views.

    Args:
        views: random views of plates.
        rectifier: float32 (N, 3, 48, 96) in [0, 1] to corners and rows; see
            :class:`crnn_ctc.net.rectifier.Rectifier`.
        synthesizer: generates straight plates with varied light and dirt; None if ``straight`` is
            0.
        straight: share of such samples.
        unreadable: share of samples without readable text, whose text is empty.
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
        """Number of real plates."""
        return self.views.pictures

    def batch(
        self, step: int, size: int, part: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], list[str], list[tuple[float, ...]]]:
        """Batch ``step``, or the ``part`` of it for one of several processes.

        Returns:
            images uint8 (n, H, W, 3), n texts, and n times the character centres as fractions of
            the width.
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
        if self.synthesizer is None:  # not plates: the character positions are unknown
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
        """Draw a plate upside down, a plate with wrong rows, or a background."""
        if self.synthesizer and way < 0.35:
            return self.synthesizer.unreadable(i)
        u = Draws(uniforms(self.views.seed, (5 << 48) + i, (LIGHT_DRAWS + 8,)))
        ground = self.views.grounds[u.below(len(self.views.grounds))]
        height = u.below(min(160, len(ground) - 20)) + 20
        width = min(ground.shape[1], round(height * u.between(1.2, 4)))
        top, left = u.below(len(ground) - height + 1), u.below(ground.shape[1] - width + 1)
        patch = np.ascontiguousarray(ground[top : top + height, left : left + width])
        return fit(degrade(patch, height / 2, u), self.height, self.width, 3)
