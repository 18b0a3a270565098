"""What several pictures of one text say together: a weighted product of their posteriors.

A logarithmic opinion pool (Genest and Zidek 1986, "Combining Probability Distributions: A Critique
and an Annotated Bibliography", section 3.3) of one expert a picture (Hinton 2002). With all weights
1 it is Bayes' rule for pictures that are independent given the text,

    P(text | all) ~ P(text) * product over pictures of P(text | picture) / P(text).

A network is not as honest of pictures that are worse than those it was trained on: what it makes of
blur leans the same way in each. So a picture counts by how sure it is of any text, next to the
surest one, which counts whole. And no one picture, of another plate say, may veto a text.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRIOR = 1e-4
"""P(text) before anything is seen, the same for every text; no text at all has 1/2. It is added to
each probability too, as what a picture of something else would say: so a picture may speak for a
text, and otherwise leaves it as likely as it was. Chosen, as is ``SHARPNESS``, on drawn tracks:
``python bench/tracks.py --choose``."""

SHARPNESS = 1.0
"""Power of how sure a picture is, next to the surest: 0 counts all alike, infinity the surest."""


def fuse(
    probabilities: NDArray[np.float64],
    empty: NDArray[np.bool_],
    rest: NDArray[np.float64],
    text_prior: float = PRIOR,
    sharpness: float = SHARPNESS,
) -> NDArray[np.float64]:
    """P(text | all pictures) of the candidates, a share of what all texts have together.

    The texts that are no candidates are too many to list. What they have together is reckoned as
    if each had an average part of it in each picture: exact for one picture, and little for
    several, where what all of them find likely is among the candidates.

    Args:
        probabilities: P(text | picture), float64 (F, M), of F pictures and M candidates.
        empty: whether a candidate is the empty text, bool (M,), true of one at most.
        rest: P(any text that is no candidate | picture), float64 (F,).
        text_prior: see :data:`PRIOR`.
        sharpness: see :data:`SHARPNESS`.

    Returns:
        float64 (M,), from 0 to 1, together at most 1: what is missing to 1 is the others'.
    """
    sure = probabilities[:, ~empty].max(axis=1, initial=0.0)
    # where no picture shows a text at all they count alike
    weights = (sure / sure.max()) ** sharpness if sure.any() else np.ones(len(sure))
    # the others count as one more candidate, of which only what is seen counts
    prior = np.where(np.append(empty, False), 0.5, text_prior)
    prior[-1] = max(0.5 - prior[:-1][~empty].sum(), text_prior)
    found = np.column_stack([probabilities + text_prior, rest])
    with np.errstate(divide="ignore"):
        evidence = np.log(found / prior)
    # a picture that counts for nothing does so against the impossible too
    evidence = np.where(weights[:, None] > 0, weights[:, None] * evidence, 0.0)
    logs = np.log(prior) + evidence.sum(axis=0)
    shares = np.exp(logs - logs.max())
    return np.asarray(shares[:-1] / shares.sum())
