"""Several pictures of one text read together."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.decode.decoder import Decoder
from crnn_ctc.decode.fuse import PRIOR, frame_weights, fuse
from crnn_ctc.decode.track import fuse_track
from crnn_ctc.grammar import open_grammar

ALPHABET = Alphabet("#ab", 0)


def by_enumeration(log_probs: NDArray[np.float32]) -> dict[str, float]:
    """P(text) of every text, by summing over every path of one picture (T, K)."""
    total: dict[str, float] = {}
    for path in product(range(3), repeat=len(log_probs)):
        text = ALPHABET.decode(ALPHABET.collapse(list(path)))
        p = float(np.exp(log_probs[range(len(path)), path].astype(np.float64).sum()))
        total[text] = total.get(text, 0.0) + p
    return total


@st.composite
def tracks(draw: st.DrawFn) -> NDArray[np.float32]:
    """Log-probabilities (F, T, K) of one to four pictures."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 3)), 3)
    sharpness = draw(st.sampled_from([0.3, 2.0, 6.0]))
    logits = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=shape) * sharpness
    return (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(tracks())
def test_fusing_is_the_weighted_product_over_all_texts(log_probs: NDArray[np.float32]) -> None:
    """Against one text after another, where the candidates are all texts that there are."""
    frames = [by_enumeration(rows) for rows in log_probs]
    weights = frame_weights(np.exp(log_probs.astype(np.float64)))
    expected = {}
    for text in frames[0]:
        prior = PRIOR if text else 0.5
        expected[text] = prior
        for frame, weight in zip(frames, weights, strict=True):
            expected[text] *= ((frame[text] + PRIOR) / prior) ** weight
    whole = sum(expected.values())
    decode = Decoder(ALPHABET, search=True, alternatives=60)
    fused, best = fuse_track(decode, decode(log_probs), list(log_probs), alternatives=60)
    others = {a.text: a.probability for a in fused.alternatives}
    found = {fused.text: fused.confidence} | others if fused.text else others
    for text in set(found) - {""}:
        assert found[text] == pytest.approx(expected[text] / whole, rel=2e-3, abs=1e-3)
    assert fused.text == max(expected, key=lambda text: expected[text]) or fused.confidence < 0.5
    assert frames[best][fused.text] == pytest.approx(max(f[fused.text] for f in frames))
    assert len(fused.spans) == len(fused.text)


@settings(deadline=None, max_examples=60)
@given(tracks(), st.randoms())
def test_the_order_of_pictures_is_of_no_consequence(log_probs: NDArray[np.float32], random) -> None:  # type: ignore[no-untyped-def]
    decode = Decoder(ALPHABET, alternatives=8)
    order = list(range(len(log_probs)))
    random.shuffle(order)
    one, _ = fuse_track(decode, decode(log_probs), list(log_probs))
    other, _ = fuse_track(decode, decode(log_probs[order]), list(log_probs[order]))
    assert one.confidence == pytest.approx(other.confidence, rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(tracks())
def test_shares_are_probabilities(log_probs: NDArray[np.float32]) -> None:
    decode = Decoder(ALPHABET, alternatives=1)
    fused, _ = fuse_track(decode, decode(log_probs), list(log_probs), alternatives=9)
    shares = [fused.confidence, *(a.probability for a in fused.alternatives)]
    assert all(0 <= share <= 1 for share in shares)
    assert sum(shares) <= 1 + 1e-6  # float32
    assert not fused.text or shares == sorted(shares, reverse=True)


def shares(*frames: tuple[float, float, float], weights: float = 1.0) -> NDArray[np.float64]:
    """Of two texts and no text, in that order, from their probabilities in each picture."""
    return fuse(np.array(frames), np.array([False, False, True]), np.full(len(frames), weights))


def test_one_picture_says_what_it_says_alone() -> None:
    assert shares((0.7, 0.2, 0.05)) == pytest.approx([0.7, 0.2, 0.05], abs=1e-3)


def test_independent_pictures_that_agree_are_surer_together() -> None:
    together = shares((0.6, 0.3, 0.0), (0.6, 0.3, 0.0), (0.6, 0.3, 0.0))
    assert together[0] == pytest.approx(0.6**3 / (0.6**3 + 0.3**3), abs=1e-2)


def test_copies_that_share_their_weight_say_what_one_says() -> None:
    assert shares(*[(0.6, 0.3, 0.0)] * 5, weights=0.2) == pytest.approx([0.6, 0.3, 0], abs=1e-3)


def test_what_two_find_likely_beats_what_one_finds_likeliest() -> None:
    """Voting for strings has no answer here."""
    assert shares((0.45, 0.55, 0.0), (0.9, 0.02, 0.0))[0] > 0.9


def test_one_picture_of_another_plate_vetoes_nothing() -> None:
    assert shares((0.95, 1e-30, 0.0), (0.95, 1e-30, 0.0), (1e-30, 0.99, 0.0))[0] > 0.99
    torn = shares((0.95, 1e-30, 0.0), (1e-30, 0.95, 0.0))[:2]
    assert torn == pytest.approx([0.5, 0.5], abs=1e-2)


def test_nothing_that_is_possible() -> None:
    assert shares((0.0, 0.0, 1.0)) == pytest.approx([0, 0, 1], abs=1e-3)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_repeated_frames_share_the_weight_of_one(first: int, second: int, seed: int) -> None:
    probs = np.random.default_rng(seed).dirichlet(np.ones(5), (2, 30))
    apart = frame_weights(probs)
    repeated = frame_weights(np.repeat(probs, [first, second], axis=0))
    assert repeated[:first].sum() == pytest.approx(apart[0], abs=1e-6)
    assert repeated[first:].sum() == pytest.approx(apart[1], abs=1e-6)
    assert 1 <= apart.sum() + 1e-9 <= 2 + 2e-9


def test_frames_count_by_how_much_they_differ() -> None:
    base = np.random.default_rng(0).dirichlet(np.ones(5), (1, 40))
    other = np.random.default_rng(1).dirichlet(np.ones(5), (1, 40))
    sums = [
        frame_weights(np.concatenate([base, (1 - share) * base + share * other])).sum()
        for share in (0, 0.1, 0.5, 1.0)
    ]
    assert sums == sorted(sums)
    assert sums[0] == pytest.approx(1)
    assert sums[-1] > 1.5


def test_a_grammar_is_obeyed() -> None:
    grammar = open_grammar("re:ab|ba", ALPHABET)
    decode = Decoder(ALPHABET, grammar, alternatives=4)
    log_probs = np.log(np.full((2, 4, 3), 1 / 3, np.float32))
    fused, _ = fuse_track(decode, decode(log_probs), list(log_probs), alternatives=4)
    assert {fused.text, *(a.text for a in fused.alternatives)} == {"ab", "ba"}
    (alone,) = Decoder(ALPHABET, grammar, alternatives=4)(log_probs[:1])
    assert fused.confidence == alone.confidence < 0.5  # other texts are as likely


def test_where_no_text_fits_there_is_none() -> None:
    decode = Decoder(ALPHABET, open_grammar("re:aaaa", ALPHABET), alternatives=2)
    log_probs = np.log(np.full((2, 3, 3), 1 / 3, np.float32))
    fused, best = fuse_track(decode, decode(log_probs), list(log_probs))
    assert (fused.text, fused.confidence, best) == ("", 0.0, 0)
