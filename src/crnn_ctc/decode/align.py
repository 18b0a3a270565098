"""Forced CTC alignment of a known text to time steps (Viterbi 1967)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.decode.ctc import Span


def align(log_probs: NDArray[np.float32], label: Sequence[int], blank: int) -> tuple[Span, ...]:
    """Find the most probable path that spells ``label``, as one span per character.

    For the text of greedy decoding, this is the best path itself.

    Args:
        log_probs: float32 (T, K).
        label: S class indices, no blanks.
        blank: index of the blank.

    Returns:
        S spans in order; empty if no path of T steps spells the label.
    """
    steps = len(log_probs)
    states = np.full(2 * len(label) + 1, blank, np.int64)
    states[1::2] = label
    # as in label_probabilities: a blank may be skipped only between two different characters
    skips = np.full(len(states), -np.inf)
    skips[2:][(states[2:] != blank) & (states[2:] != states[:-2])] = 0.0
    emitted = log_probs[:, states].astype(np.float64)
    if not label or not steps:
        return ()
    score = np.full(len(states), -np.inf)
    score[:2] = emitted[0, :2]
    back = np.zeros((steps, len(states)), np.int64)
    ways = np.full((3, len(states)), -np.inf)
    for t in range(1, steps):
        ways[0] = score
        ways[1, 1:] = score[:-1]
        ways[2, 2:] = score[:-2] + skips[2:]
        back[t] = ways.argmax(axis=0)
        score = ways.max(axis=0) + emitted[t]
    state = len(states) - (1 if score[-1] >= score[-2] else 2)
    if score[state] == -np.inf:
        return ()
    path = np.empty(steps, np.int64)
    for t in range(steps - 1, -1, -1):
        path[t] = state
        state -= int(back[t, state])
    spans = []
    for place, c in enumerate(label):
        there = np.flatnonzero(path == 2 * place + 1)
        start, end = int(there[0]), int(there[-1]) + 1
        peak = float(np.exp(log_probs[start:end, c].max()))
        spans.append(Span(int(c), start, end, peak))
    return tuple(spans)
