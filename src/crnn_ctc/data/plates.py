"""Training batches of plates: augmented real crops and synthetic plates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.augment import DRAWS, augment
from crnn_ctc.image import fit_two_rows
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import Draws

_STREAM = 1 << 48
"""First random stream of the mixing; those of the synthesizer begin at 0."""


@dataclass(frozen=True)
class Pool:
    """Crops to sample from.

    Attributes:
        images: model inputs, uint8 (N, H, W, C).
        texts: N labels.
        weight: sampling weight of the pool.
    """

    images: NDArray[np.uint8]
    texts: Sequence[str]
    weight: float = 1.0


@dataclass(frozen=True)
class PlateSource:
    """Batches that mix real and synthetic plates; sample i depends only on the seed and i.

    Args:
        pools: real crops; a pool is sampled by its weight, then a crop in it. May be empty if
            ``synthetic`` is 1.
        synthesizer: generates synthetic plates of H x W pixels; None without any.
        synthetic: share of synthetic plates.
        balance: 0 samples real crops uniformly, 1 samples first characters (provinces) uniformly;
            in general a character with n crops has the weight n^(1 - balance).
        strength: strength of augmentation; see :func:`crnn_ctc.data.augment.augment`.
        seed: random seed of the run.
        perspective: strength of the corner shifts of the augmentation.
        unreadable: share of samples without readable text, whose text is empty: plates in the wrong
            layout and backgrounds.
    """

    pools: Sequence[Pool]
    synthesizer: PlateSynthesizer | None
    synthetic: float
    balance: float
    strength: float
    seed: int
    perspective: float = 1.0
    unreadable: float = 0.0
    _pools: NDArray[np.float64] = field(init=False, repr=False, compare=False)
    _crops: list[NDArray[np.float64]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cv2.setNumThreads(1)  # its threads would compete with torch's
        crops = [cumulative_weights(pool.texts, self.balance) for pool in self.pools]
        object.__setattr__(self, "_crops", crops)
        object.__setattr__(self, "_pools", _cumulative([pool.weight for pool in self.pools]))

    @property
    def pictures(self) -> int:
        """Number of real crops."""
        return sum(len(pool.texts) for pool in self.pools)

    def batch(
        self, step: int, size: int, part: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], list[str]]:
        """Batch ``step``, or the ``part`` of it for one of several processes.

        Returns:
            images uint8 (n, H, W, C) and n texts.
        """
        samples = [self.sample(i) for i in range(step * size, (step + 1) * size)[part]]
        return np.stack([image for image, _ in samples]), [text for _, text in samples]

    def sample(self, i: int) -> tuple[NDArray[np.uint8], str]:
        """Draw sample ``i``: image uint8 (H, W, C), and its text."""
        u = uniforms(self.seed, _STREAM + i, (2 + DRAWS + 2,))
        draws, readable = Draws(u[:-2]), u[-2] >= self.unreadable
        if draws.chance(self.synthetic):
            assert self.synthesizer is not None
            if not readable:
                return self.synthesizer.unreadable(i), ""
            image, text, _ = self.synthesizer.sample(i)
            return image, text
        place = _choose(self._pools, u[-1])
        pool, chosen = self.pools[place], _choose(self._crops[place], draws.next())
        image = augment(pool.images[chosen], self.strength, draws, self.perspective)
        if not readable:
            height, width = image.shape[:2]
            return fit_two_rows(image, height, width, 3), ""
        return image, pool.texts[chosen]


def cumulative_weights(texts: Sequence[str], balance: float) -> NDArray[np.float64]:
    """Cumulative probabilities of choosing each text; see :class:`PlateSource`."""
    counts = Counter(text[:1] for text in texts)
    return _cumulative([counts[text[:1]] ** -balance for text in texts])


def _cumulative(weights: Sequence[float]) -> NDArray[np.float64]:
    cumulative = np.cumsum(np.array(weights, np.float64))
    return cumulative / cumulative[-1] if len(weights) else cumulative


def _choose(cumulative: NDArray[np.float64], u: float) -> int:
    return int(np.searchsorted(cumulative, u, side="right"))
