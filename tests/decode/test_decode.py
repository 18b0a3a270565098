from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from crnn_ctc import DIGITS, Alphabet
from crnn_ctc.decode import greedy, greedy_texts, label_probabilities
from helpers.ctc import by_enumeration

SMALL = Alphabet("ab#", blank=2)


@st.composite
def distributions(draw: st.DrawFn, classes: int = 3, steps: int = 5) -> NDArray[np.float32]:
    """Log-probabilities (N, T, K)."""
    n = draw(st.integers(1, 3))
    t = draw(st.integers(1, steps))
    seed = draw(st.integers(0, 2**32 - 1))
    sharpness = draw(st.sampled_from([0.3, 2.0, 10.0]))
    logits = np.random.default_rng(seed).normal(size=(n, t, classes)) * sharpness
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return log_probs.astype(np.float32)


@settings(deadline=None)
@given(distributions())
def test_probability_is_the_sum_over_all_paths(log_probs: NDArray[np.float32]) -> None:
    for row in log_probs:
        for text, expected in by_enumeration(row, SMALL).items():
            got = label_probabilities(row[None], [SMALL.encode(text)], SMALL.blank)[0]
            assert got == pytest.approx(expected, rel=1e-5, abs=1e-12)


@settings(deadline=None)
@given(distributions(), st.data())
def test_probabilities_of_a_batch_are_each_ones_own(
    log_probs: NDArray[np.float32], data: st.DataObject
) -> None:
    log_probs = np.concatenate([log_probs] * 5)  # few are computed one by one
    labels = [data.draw(st.lists(st.integers(0, 1), max_size=4)) for _ in log_probs]
    together = label_probabilities(log_probs, labels, SMALL.blank)
    alone = [
        label_probabilities(row[None], [label], SMALL.blank)[0]
        for row, label in zip(log_probs, labels, strict=True)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_a_text_that_does_not_fit_has_probability_0() -> None:
    log_probs = np.log(np.full((1, 2, 3), 1 / 3, np.float32))
    assert label_probabilities(log_probs, [[0, 0]], SMALL.blank)[0] == 0  # needs three steps


def test_probability_agrees_with_torchs_ctc_loss() -> None:
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(1)
    logits = torch.from_numpy(random.normal(size=(4, 79, 11)).astype(np.float32))
    log_probs = logits.log_softmax(-1)
    labels = [[1, 2, 3], [4, 4], [5, 6, 6, 7, 8], []]
    loss = torch.nn.functional.ctc_loss(
        log_probs.double().transpose(0, 1),
        torch.tensor([c for label in labels for c in label]),
        torch.full((4,), 79),
        torch.tensor([len(label) for label in labels]),
        blank=10,
        reduction="none",
    )
    got = label_probabilities(log_probs.numpy(), labels, DIGITS.blank)
    np.testing.assert_allclose(np.log(got), -loss.numpy(), rtol=1e-5)


@settings(deadline=None)
@given(distributions(classes=11, steps=20))
def test_greedy_is_the_collapsed_best_path(log_probs: NDArray[np.float32]) -> None:
    texts = []
    for row in log_probs:
        text, before = "", DIGITS.blank
        for step in row:
            best = max(range(len(step)), key=lambda k, step=step: step[k])
            if best not in (before, DIGITS.blank):
                text += DIGITS.symbols[best]
            before = best
        texts.append(text)
    assert greedy_texts(log_probs, DIGITS) == texts
    assert [d.text for d in greedy(log_probs, DIGITS)] == texts


@settings(deadline=None)
@given(distributions(classes=11, steps=20))
def test_spans_are_runs_of_their_character(log_probs: NDArray[np.float32]) -> None:
    for row, decoded in zip(log_probs, greedy(log_probs, DIGITS), strict=True):
        assert 0 <= decoded.confidence <= 1
        assert len(decoded.spans) == len(decoded.text)
        end = 0
        for span, character in zip(decoded.spans, decoded.text, strict=True):
            assert end <= span.start < span.end <= len(row)
            assert DIGITS.symbols[span.class_index] == character
            assert (row[span.start : span.end].argmax(-1) == span.class_index).all()
            peak = np.exp(row[span.start : span.end, span.class_index]).max()
            assert span.confidence == pytest.approx(peak, rel=1e-6)
            end = span.end


def test_nothing_but_blanks_is_an_empty_text() -> None:
    log_probs = np.full((1, 7, 11), np.log(0.01), np.float32)
    log_probs[..., DIGITS.blank] = np.log(0.9)
    decoded = greedy(log_probs, DIGITS)[0]
    assert (decoded.text, decoded.spans) == ("", ())
    assert decoded.confidence == 0  # nothing read is no sure reading
