"""Training batches of plates: real crops, augmented, among synthetic ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.augment import DRAWS, augment
from crnn_ctc.image import fit_two_rows
from crnn_ctc.seeded import uniforms
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import Draws

_STREAM = 1 << 48
"""Streams of the mixing, far from those of the synthesizer, which begin at 0."""


@dataclass(frozen=True)
class PlateSource:
    """Batches that mix real and synthetic plates; sample i is a function of the seed and i alone.

    Args:
        images: real crops, uint8 (N, H, W, 3), as the model takes them; N may be 0 where
            ``synthetic`` is 1.
        texts: their N labels.
        synthesizer: draws the others, H by W pixels.
        synthetic: share of the samples that are drawn.
        balance: 0 takes each real crop as often as any other, 1 each first character (a plate's
            province) as often as any other; between, a character of n crops counts n^(1 - balance).
        strength: of the augmentation of real crops; see :func:`crnn_ctc.data.augment.augment`.
        seed: of the run.
        perspective: of that augmentation; see there.
        unreadable: share of the samples that show nothing to be read, and whose text is empty: real
            crops and synthetic ones cut the wrong way, and what may stand round plates.
    """

    images: NDArray[np.uint8]
    texts: Sequence[str]
    synthesizer: PlateSynthesizer
    synthetic: float
    balance: float
    strength: float
    seed: int
    perspective: float = 1.0
    unreadable: float = 0.0
    _cumulative: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cv2.setNumThreads(1)  # its threads would fight torch's for these small pictures
        object.__setattr__(self, "_cumulative", cumulative_weights(self.texts, self.balance))

    def batch(
        self, step: int, size: int, part: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], list[str]]:
        """Batch ``step``, or the ``part`` of it that one of several processes trains on.

        Returns:
            images uint8 (n, H, W, 3) and n texts.
        """
        samples = [self.sample(i) for i in range(step * size, (step + 1) * size)[part]]
        return np.stack([image for image, _ in samples]), [text for _, text in samples]

    def sample(self, i: int) -> tuple[NDArray[np.uint8], str]:
        """Sample ``i``: image uint8 (H, W, 3), and its text."""
        u = uniforms(self.seed, _STREAM + i, (2 + DRAWS + 1,))
        draws = Draws(u[:-1])
        readable = u[-1] >= self.unreadable
        if draws.chance(self.synthetic):
            if not readable:
                return self.synthesizer.unreadable(i), ""
            image, text, _ = self.synthesizer.sample(i)
            return image, text
        chosen = int(np.searchsorted(self._cumulative, draws.next(), side="right"))
        image = augment(self.images[chosen], self.strength, draws, self.perspective)
        if not readable:
            height, width = image.shape[:2]
            return fit_two_rows(image, height, width, 3), ""
        return image, self.texts[chosen]


def cumulative_weights(texts: Sequence[str], balance: float) -> NDArray[np.float64]:
    """Cumulative probabilities of choosing each text; see :class:`PlateSource`."""
    counts = Counter(text[:1] for text in texts)
    weights = np.array([counts[text[:1]] ** -balance for text in texts], np.float64)
    cumulative = np.cumsum(weights)
    return cumulative / cumulative[-1] if len(texts) else cumulative
