"""From log-probabilities (N, T, K) to text with a confidence."""

from crnn_ctc.decode.ctc import (
    Alternative,
    Decoded,
    Span,
    best_path,
    greedy,
    greedy_texts,
    label_probabilities,
)

__all__ = [
    "Alternative",
    "Decoded",
    "Span",
    "best_path",
    "greedy",
    "greedy_texts",
    "label_probabilities",
]
