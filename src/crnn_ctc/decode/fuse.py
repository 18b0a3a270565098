"""Fusion of several pictures of one text: a weighted product of their posteriors.

A logarithmic opinion pool (Genest and Zidek 1986, "Combining Probability Distributions: A Critique
and an Annotated Bibliography", section 3.3) of one expert for each picture (Hinton 2002). With all
weights 1 it is Bayes' rule for pictures that are independent given the text,

    P(text | all) ~ P(text) * product over pictures of P(text | picture) / P(text).

Frames of a camera are not independent: the network makes the same error in similar frames. The
weights are those of Leinster (2013), "The magnitude of metric spaces": w solves Z w = 1, where
Z[i, j] = exp(-d[i, j] / SCALE) and d is the distance between the log-probabilities of two frames.
The sum of w is the effective number of frames: 1 for identical frames, F for frames that have
nothing in common. The copies of a frame share its weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

PRIOR = 1e-4
"""Prior P(text), equal for all texts; the empty text has 1/2. It is also added to each probability,
as the likelihood under a picture of something else, so that no single picture can veto a text."""

SCALE = 5.0
"""Distance at which the correlation of two frames has fallen to 1/e. Fitted to synthetic tracks of
seed 7001: ``python bench/tracks.py --choose``."""


def frame_weights(frames: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Weights of the pictures of a track, float64 (F,).

    The distance of two frames is the total variation between their class probabilities, summed over
    the time steps: about the number of characters that they show differently.

    Args:
        frames: class probabilities of F pictures, each float64 (T, K). Pictures whose T differs
            have nothing in common.
    """
    f = len(frames)
    similar = np.eye(f)
    for i, j in combinations(range(f), 2):
        if frames[i].shape == frames[j].shape:
            distance = 0.5 * np.abs(frames[i] - frames[j]).sum()
            similar[i, j] = similar[j, i] = np.exp(-distance / SCALE)
    # least squares, as identical frames make the matrix singular
    weights = np.linalg.lstsq(similar, np.ones(f), rcond=1e-6)[0]
    return np.asarray(np.maximum(weights, 0.0))


def fuse(
    probabilities: NDArray[np.float64],
    empty: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """P(text | all pictures) of the candidates.

    All other texts are treated as one more candidate with the remaining probability. This is exact
    for one picture, and a good approximation for several if all likely texts are candidates.

    Args:
        probabilities: P(text | picture), float64 (F, M), of F pictures and M candidates.
        empty: whether a candidate is the empty text, bool (M,), true of one at most.
        weights: float64 (F,), see :func:`frame_weights`.

    Returns:
        float64 (M,), from 0 to 1; the rest to 1 is the probability of all other texts.
    """
    rest = np.maximum(1 - probabilities.sum(axis=1), 0.0)
    prior = np.where(np.append(empty, False), 0.5, PRIOR)
    prior[-1] = max(0.5 - prior[:-1][~empty].sum(), PRIOR)
    found = np.column_stack([probabilities + PRIOR, rest])
    with np.errstate(divide="ignore"):
        evidence = np.log(found / prior)
    # pictures with weight 0 are ignored, even where their probability is 0
    counts = weights > 0
    logs = np.log(prior) + (weights[counts, None] * evidence[counts]).sum(axis=0)
    shares = np.exp(logs - logs.max())
    return np.asarray(shares[:-1] / shares.sum())
