"""One reading of several pictures of the same text, from what decoding found in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.decode.ctc import Alternative, Decoded
from crnn_ctc.decode.decoder import Decoder
from crnn_ctc.decode.fuse import PRIOR, SHARPNESS, fuse

CANDIDATES = 8
"""Next best texts that each picture adds to its best one."""

MOST = 64
"""Candidates that are weighed: of a long track, those that are most probable over its pictures."""


def fuse_track(
    decode: Decoder,
    decoded: Sequence[Decoded],
    log_probs: Sequence[NDArray[np.float32]],
    alternatives: int = 0,
    text_prior: float = PRIOR,
    sharpness: float = SHARPNESS,
) -> tuple[Decoded, int]:
    """What F pictures of one text say together.

    Each picture's best texts are candidates; each candidate's exact probability in every picture
    is known; :func:`crnn_ctc.decode.fuse.fuse` weighs them.

    Args:
        decode: has decoded the pictures, with alternatives.
        decoded: what it found, of F pictures, 1 or more.
        log_probs: what it was given, F times float32 (T, K).
        alternatives: how many other texts to give.
        text_prior: see :data:`crnn_ctc.decode.fuse.PRIOR`.
        sharpness: see :data:`crnn_ctc.decode.fuse.SHARPNESS`.

    Returns:
        The text, with its place and mass in the picture that shows it best; and which that is.
    """
    texts = _candidates(decode, decoded)
    if not texts:
        return Decoded("", 0.0, (), mass=max(one.mass for one in decoded)), 0
    found = np.stack([decode.probabilities(rows, texts) for rows in log_probs])
    rest = np.maximum([one.mass for one in decoded] - found.sum(axis=1), 0.0)
    shares = fuse(found, np.array([not text for text in texts]), rest, text_prior, sharpness)
    order = np.argsort(-shares, kind="stable").tolist()
    best = int(found[:, order[0]].argmax())
    text = texts[order[0]]
    spans = decoded[best].spans
    if text != decoded[best].text:
        spans = decode.spans(log_probs[best], text)
    others = tuple(Alternative(texts[m], float(shares[m])) for m in order[1 : alternatives + 1])
    return Decoded(text, float(shares[order[0]]), spans, others, decoded[best].mass), best


def _candidates(decode: Decoder, decoded: Sequence[Decoded]) -> list[str]:
    """The texts to weigh."""
    total: dict[str, float] = {}
    for one in decoded:
        own = [(one.text, one.confidence), *((a.text, a.probability) for a in one.alternatives)]
        for text, share in own:
            total[text] = total.get(text, 0.0) + share * one.mass
    # pictures in which nothing can be read may be most of a track: no text is weighed always
    empty = [""] if decode.grammar is None or decode.grammar.accepts("") else []
    return empty + sorted((text for text in total if text), key=lambda text: -total[text])[:MOST]
