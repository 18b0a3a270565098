"""Losses of readers: CTC, and auxiliary losses on alignments."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crnn_ctc.alphabet import Alphabet


def ctc_loss(log_probs: Tensor, texts: list[str], alphabet: Alphabet) -> Tensor:
    """CTC loss (Graves et al. 2006, equation 12) divided by the text's length, in float32.

    A text that is too long for T has loss 0 instead of infinity.

    Args:
        log_probs: float32 (N, T, K).
        texts: N labels.
        alphabet: alphabet of K classes.
    """
    labels = [alphabet.encode(text) for text in texts]
    n, steps, _ = log_probs.shape
    return nn.functional.ctc_loss(
        log_probs.float().transpose(0, 1),
        torch.tensor([c for label in labels for c in label], dtype=torch.long),
        input_lengths=torch.full((n,), steps, dtype=torch.long),
        target_lengths=torch.tensor([len(label) for label in labels], dtype=torch.long),
        blank=alphabet.blank,
        zero_infinity=True,
    )


def flat_start_loss(log_probs: Tensor, texts: list[str], alphabet: Alphabet) -> Tensor:
    """Cross-entropy against texts spread evenly over the time steps.

    CTC alone begins with a plateau in which the network outputs blanks everywhere. Speech
    recognisers start from an equal alignment with the same number of frames for each symbol ("flat
    start": Young et al., The HTK Book, 3.2; equal alignment in Kaldi). Printed text is so evenly
    spaced that this is nearly right.

    Args:
        log_probs: float32 (N, T, K).
        texts: N labels.
        alphabet: alphabet of K classes.

    Returns:
        The mean over steps; the steps of a character weigh as much as the blanks beside it.
    """
    n, steps, classes = log_probs.shape
    spread = [spread_evenly(alphabet.encode(text), steps, alphabet.blank) for text in texts]
    targets = torch.from_numpy(np.stack(spread)).to(log_probs.device)
    return nn.functional.nll_loss(log_probs.float().reshape(n * steps, classes), targets.flatten())


def distillation_loss(log_probs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy against a teacher's probabilities; pictures with targets 0 are ignored.

    Args:
        log_probs: float32 (N, T, K).
        targets: float32 (N, T, K), see :class:`crnn_ctc.training.distillation.Teacher`.

    Returns:
        The mean over steps, as :func:`flat_start_loss`.
    """
    return -(targets * log_probs.float()).sum(-1).mean()


def align_loss(
    log_probs: Tensor, texts: list[str], places: list[tuple[float, ...]], alphabet: Alphabet
) -> Tensor:
    """Cross-entropy of each character at the time step of its centre.

    CTC does not fix the time step of a character. This loss places its peak above the character, so
    that spans correspond to places in the picture.

    Args:
        log_probs: float32 (N, T, K).
        texts: N labels.
        places: N times the centre of each character, as a share of the width.
        alphabet: alphabet of K classes.

    Returns:
        The mean over all characters, float32 ().
    """
    steps = log_probs.shape[1]
    found = [
        (row, min(max(int(place * steps), 0), steps - 1), label)
        for row, (text, centres) in enumerate(zip(texts, places, strict=True))
        for label, place in zip(alphabet.encode(text), centres, strict=True)
    ]
    if not found:
        return log_probs.sum() * 0
    row, step, label = torch.tensor(found, device=log_probs.device).T
    return -log_probs.float()[row, step, label].mean()


def spread_evenly(classes: list[int], steps: int, blank: int) -> NDArray[np.int64]:
    """A class for each of T steps, int64 (T,): each character in the middle half of its equal part.

    Characters of a text that is too long for T are left out.
    """
    targets = np.full(steps, blank, np.int64)
    if classes:
        places = (np.arange(steps) + 0.5) / steps * len(classes)
        inside = np.abs(places % 1 - 0.5) <= 0.25
        targets[inside] = np.array(classes, np.int64)[places[inside].astype(int)]
    return targets
