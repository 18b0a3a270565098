"""Training batches of synthetic rows of digits; all rows of a batch have the same width."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.image import ROW_HEIGHT, ROW_STEP
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.rows import RowComposer
from crnn_ctc.synthesis.text import Draws

_WIDTHS = 2**40
"""First random stream of the widths, beyond the rows that training draws."""

_MOVES = 2**41
"""First random stream of the moves."""

_USUAL, _SPREAD = 150.0, 0.42
"""Median width, pixels, and the standard deviation of its logarithm."""

_APART = 32
"""Batches between two uses of the same rows."""

_Batch = tuple[NDArray[np.uint8], list[str]]


@dataclass(frozen=True)
class RowSource:
    """Training batches of rows; batch s depends only on the seed and s.

    Composing a row takes as long as a training step. Rows may therefore be used several times (data
    echoing: Choi et al. 2019, arXiv 1907.05550), with small random shifts.

    Args:
        composer: composes the rows.
        widest: maximum width in pixels; the minimum is the height.
        uses: number of uses of each row.
    """

    composer: RowComposer
    widest: int
    uses: int = 1
    _recent: dict[int, _Batch] = field(default_factory=dict, repr=False, compare=False)

    @property
    def pictures(self) -> int:
        """0, because all rows are composed."""
        return 0

    def width(self, index: int) -> int:
        """Width of the rows of batch ``index``, in pixels."""
        draws = Draws(uniforms(self.composer.seed, _WIDTHS + index, (4,)))
        width: float = _USUAL * 2.718281828 ** (_SPREAD * draws.bell())
        width = min(max(width, ROW_HEIGHT), self.widest)
        return round(width / ROW_STEP) * ROW_STEP

    def batch(self, step: int, size: int, part: slice = slice(None)) -> _Batch:
        """Batch ``step``, or the ``part`` of it for one of several processes.

        Returns:
            images uint8 (n, ROW_HEIGHT, W, 1), with W from :meth:`width`, and n texts.
        """
        block, place = divmod(step, self.uses * _APART)
        use, place = divmod(place, _APART)
        index = block * _APART + place
        if self.uses == 1:
            return self._composed(index, size, part)
        if index not in self._recent or len(self._recent[index][1]) != size:
            self._recent[index] = self._composed(index, size, slice(None))
            if len(self._recent) > _APART:
                del self._recent[next(iter(self._recent))]  # the oldest
        images, texts = self._recent[index]
        if use:
            images = self._moved(images, step)
        return images[part], texts[part]

    def _composed(self, index: int, size: int, part: slice) -> _Batch:
        width = self.width(index)
        indices = range(index * size, (index + 1) * size)[part]
        images = np.empty((len(indices), ROW_HEIGHT, width, 1), np.uint8)
        texts = []
        for place, i in enumerate(indices):
            images[place], text = self.composer.row(i, width)
            texts.append(text)
        return images, texts

    def _moved(self, images: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
        """Shift by up to 3 pixels, scale by up to 6 % and slant by up to 0.12."""
        n, height, width, _ = images.shape
        either = 2 * uniforms(self.composer.seed, _MOVES + step, (n, 5)) - 1
        moved = np.empty_like(images)
        for k, (x, y, wide, high, slant) in enumerate(either.tolist()):
            a, d, b = 1 + 0.06 * wide, 1 + 0.06 * high, 0.12 * slant
            matrix = np.array(
                [
                    [a, b, (1 - a) * width / 2 - b * height / 2 + 3 * x],
                    [0, d, (1 - d) * height / 2 + 3 * y],
                ],
                np.float32,
            )
            moved[k, :, :, 0] = cv2.warpAffine(
                images[k], matrix, (width, height), borderMode=cv2.BORDER_REPLICATE
            )
        return moved

    def held_out(
        self, composer: RowComposer, count: int
    ) -> tuple[list[NDArray[np.uint8]], list[str]]:
        """Compose validation rows with the widths of training.

        Args:
            composer: composer with digits that training does not see, and another seed.
            count: number of rows.

        Returns:
            ``count`` images uint8 (ROW_HEIGHT, W, 1), and as many texts.
        """
        rows = [composer.row(i, self.width(i)) for i in range(count)]
        return [image for image, _ in rows], [text for _, text in rows]
