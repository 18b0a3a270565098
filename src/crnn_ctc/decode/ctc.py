"""From log-probabilities (N, T, K) to text with a confidence: CTC decoding (Graves et al. 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.alphabet import Alphabet


@dataclass(frozen=True, slots=True)
class Span:
    """A decoded character and its run of time steps.

    Attributes:
        class_index: the character's class.
        start: first time step.
        end: one past the last time step.
        confidence: the highest probability of the class in the run.
    """

    class_index: int
    start: int
    end: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another text that the picture may show.

    Attributes:
        text: the characters.
        probability: P(text | picture), as the confidence of the text that was read.
    """

    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded text.

    Attributes:
        text: the characters.
        confidence: P(text | picture), summed over all alignments of the text; 0 for the empty text.
        spans: one for each character.
        alternatives: the next most probable texts, best first, if requested.
    """

    text: str
    confidence: float
    spans: tuple[Span, ...]
    alternatives: tuple[Alternative, ...] = ()


def best_path(log_probs: NDArray[np.float32]) -> NDArray[np.int64]:
    """The most probable class at each time step: (..., T, K) to (..., T)."""
    return np.asarray(log_probs.argmax(axis=-1), np.int64)


def greedy_texts(log_probs: NDArray[np.float32], alphabet: Alphabet) -> list[str]:
    """Best-path texts of a batch (Graves et al. 2006, section 3.2), without spans.

    Args:
        log_probs: float32 (N, T, K).
        alphabet: alphabet of K classes.
    """
    paths = best_path(log_probs)
    return [alphabet.decode(alphabet.collapse(path)) for path in paths.tolist()]


def greedy(log_probs: NDArray[np.float32], alphabet: Alphabet) -> list[Decoded]:
    """Best-path decoding of a batch, with confidences and character spans.

    Args:
        log_probs: float32 (N, T, K).
        alphabet: alphabet of K classes.
    """
    paths = best_path(log_probs)
    peaks = np.exp(log_probs.max(axis=-1))
    spans = [
        _runs(path, peak, alphabet.blank)
        for path, peak in zip(paths.tolist(), peaks.tolist(), strict=True)
    ]
    labels = [[span.class_index for span in row] for row in spans]
    confidences = label_probabilities(log_probs, labels, alphabet.blank)
    return [
        Decoded(alphabet.decode(label), float(confidence) if label else 0.0, tuple(row))
        for label, confidence, row in zip(labels, confidences, spans, strict=True)
    ]


def _runs(path: list[int], peak: list[float], blank: int) -> list[Span]:
    """Runs of one class, except the blank; lists are faster than numpy for so few numbers."""
    runs, end = [], 0
    for index, run in groupby(path):
        start, end = end, end + len(list(run))
        if index != blank:
            runs.append(Span(index, start, end, max(peak[start:end])))
    return runs


def label_probabilities(
    log_probs: NDArray[np.float32], labels: Sequence[Sequence[int]], blank: int
) -> NDArray[np.float64]:
    """P(label | picture) by CTC's forward variables (Graves et al. 2006, equations 5 to 8).

    Probabilities are summed instead of logarithms; values below float64's smallest number, 1e-308,
    become 0.

    Args:
        log_probs: float32 (N, T, K).
        labels: N sequences of class indices, no blanks.
        blank: index of the blank.

    Returns:
        float64 (N,), from 0 to 1.
    """
    if len(labels) <= _FEW:
        pairs = zip(log_probs, labels, strict=True)
        return np.array([_label_probability(rows, label, blank) for rows, label in pairs])
    n, steps, _ = log_probs.shape
    lengths = np.array([len(label) for label in labels], np.int64)
    states = 2 * int(lengths.max(initial=0)) + 1
    extended = np.full((n, states), blank, np.int64)
    for row, label in zip(extended, labels, strict=True):
        row[1 : 2 * len(label) : 2] = label
    # a blank may be skipped only between two different characters
    skips = np.zeros((n, states))
    skips[:, 2:] = (extended[:, 2:] != blank) & (extended[:, 2:] != extended[:, :-2])

    chosen = np.take_along_axis(log_probs, extended[:, None, :], axis=2)
    emitted = np.exp(chosen.astype(np.float64))  # (N, T, states)
    # two zero columns before the first state stand for missing predecessors
    alpha = np.zeros((n, states + 2))
    alpha[:, 2] = 1.0
    current = alpha[:, 2:]
    if steps:
        alpha[:, 3:4] = 1.0
        current *= emitted[:, 0]
    for t in range(1, steps):
        total = current + alpha[:, 1:-1] + skips * alpha[:, :-2]
        np.multiply(total, emitted[:, t], out=current)
    ends = np.take_along_axis(alpha, (2 * lengths + 2)[:, None], axis=1)[:, 0]
    before = np.take_along_axis(alpha, (2 * lengths + 1)[:, None], axis=1)[:, 0]
    return np.asarray(np.minimum(ends + np.where(lengths > 0, before, 0.0), 1.0))


_FEW = 4
"""Number of labels up to which a loop is faster than numpy."""


def _label_probability(log_probs: NDArray[np.float32], label: Sequence[int], blank: int) -> float:
    """As :func:`label_probabilities`, for one label: float32 (T, K)."""
    emitted = np.exp(log_probs[:, [blank, *label]].astype(np.float64)).tolist()
    # a blank may be skipped only between two different characters
    skips = [n > 0 and index != label[n - 1] for n, index in enumerate(label)]
    # gaps[n]: on the blank before character n; initially all probability is at n = 0
    characters, gaps = [0.0] * len(label), [1.0] + [0.0] * len(label)
    for none, *some in emitted:
        before = 0.0
        for n, (here, gap, skip, one) in enumerate(zip(characters, gaps, skips, some)):  # noqa: B905
            characters[n] = (here + gap + before if skip else here + gap) * one
            gaps[n] = (gap + before) * none
            before = here
        gaps[-1] = (gaps[-1] + before) * none
    return min(sum(characters[-1:], gaps[-1]), 1.0)
