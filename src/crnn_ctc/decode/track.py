"""Joint reading of several pictures of the same text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.decode.ctc import Alternative, Decoded
from crnn_ctc.decode.decoder import TextDecoder
from crnn_ctc.decode.fuse import frame_weights, fuse

CANDIDATES = 8
"""Number of alternatives of each picture that are candidates."""

MOST = 64
"""Maximum number of candidates; for long tracks, the most probable ones over all pictures."""


def fuse_track(
    decode: TextDecoder,
    decoded: Sequence[Decoded],
    log_probs: Sequence[NDArray[np.float32]],
    alternatives: int = 0,
) -> tuple[Decoded, int]:
    """Read F pictures of one text jointly.

    The best texts of each picture are candidates; :func:`crnn_ctc.decode.fuse.fuse` combines their
    exact probabilities in all pictures. Identical pictures give the result of one.

    Args:
        decode: decoder that decoded the pictures, with alternatives.
        decoded: its results for F pictures, 1 or more.
        log_probs: its inputs, F times float32 (T, K).
        alternatives: number of other texts to return.

    Returns:
        The text, with its spans in the picture that shows it best, and the index of that picture.
    """
    texts = _candidates(decoded)
    if not any(texts):
        return Decoded("", 0.0, ()), 0
    if all(np.array_equal(rows, log_probs[0]) for rows in log_probs):
        # search as for one picture: a search for more texts would also find less probable ones
        return decode.with_alternatives(alternatives)(log_probs[0][None])[0], 0
    found = np.stack([decode.probabilities(rows, texts) for rows in log_probs])
    weights = frame_weights([np.exp(rows.astype(np.float64)) for rows in log_probs])
    shares = fuse(found, np.array([not text for text in texts]), weights)
    order = np.argsort(-shares, kind="stable").tolist()
    best = int(found[:, order[0]].argmax())
    text = texts[order[0]]
    spans = decoded[best].spans
    if text != decoded[best].text:
        spans = decode.spans(log_probs[best], text)
    others = tuple(Alternative(texts[m], float(shares[m])) for m in order[1 : alternatives + 1])
    return Decoded(text, float(shares[order[0]]) if text else 0.0, spans, others), best


def _candidates(decoded: Sequence[Decoded]) -> list[str]:
    """List the candidate texts, the empty one first."""
    total: dict[str, float] = {}
    for one in decoded:
        own = [(one.text, one.confidence), *((a.text, a.probability) for a in one.alternatives)]
        for text, share in own:
            total[text] = total.get(text, 0.0) + share
    # unreadable pictures may be most of a track: the empty text is always a candidate
    return ["", *sorted((text for text in total if text), key=lambda text: -total[text])[:MOST]]
