"""CTC probabilities by brute force, to compare against."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.alphabet import Alphabet


def by_enumeration(log_probs: NDArray[np.float32], alphabet: Alphabet) -> dict[str, float]:
    """P(text) of every text, by summing over every path."""
    steps, classes = log_probs.shape
    total: dict[str, float] = {}
    for path in product(range(classes), repeat=steps):
        text = alphabet.decode(alphabet.collapse(path))
        p = float(np.exp(log_probs[range(steps), path].astype(np.float64).sum()))
        total[text] = total.get(text, 0.0) + p
    return total
