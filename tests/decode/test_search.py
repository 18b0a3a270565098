"""The search for the most probable text, against sums over every path there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from crnn_ctc import PLATES, Alphabet, InputError
from crnn_ctc.decode import Decoded, greedy, label_probabilities
from crnn_ctc.decode.align import align
from crnn_ctc.decode.decoder import Decoder, tempered
from crnn_ctc.decode.prefix import LEAST, PrefixSearch
from crnn_ctc.grammar import Grammar, open_grammar
from helpers.ctc import by_enumeration

FIRST = Alphabet("#ab", blank=0)
LAST = Alphabet("abc#", blank=3)
PATTERNS = [
    ".*", "a", "aa", "a*", "(ab)*", "a+b?", "b{2}|ab", "a{2,3}", ".{2}", "(a|b)*b", "[^a]*",
    "(a|b|)a", "aba|bb", ".?",
]  # fmt: skip


@st.composite
def outputs(draw: st.DrawFn, most: int = 5) -> tuple[NDArray[np.float32], Alphabet]:
    """Log-probabilities (N, T, K) and their alphabet; now and then classes of probability 0."""
    alphabet = draw(st.sampled_from([FIRST, LAST]))
    n, steps = draw(st.integers(1, 3)), draw(st.integers(1, most))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sharpness = draw(st.sampled_from([0.3, 2.0, 10.0]))
    logits = random.normal(size=(n, steps, len(alphabet))) * sharpness
    if draw(st.booleans()):
        logits[random.random(logits.shape) < 0.2] = -np.inf
        logits[..., alphabet.blank] = np.maximum(logits[..., alphabet.blank], -5)
    with np.errstate(divide="ignore"):
        log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return log_probs.astype(np.float32), alphabet


def allowed(sums: dict[str, float], grammar: Grammar | None) -> dict[str, float]:
    return {
        text: p for text, p in sums.items() if p > 0 and (grammar is None or grammar.accepts(text))
    }


@settings(deadline=None)
@given(outputs(most=6), st.sampled_from(PATTERNS), st.integers(1, 4))
def test_the_search_finds_the_most_probable_texts(
    given_: tuple[NDArray[np.float32], Alphabet], pattern: str, count: int
) -> None:
    log_probs, alphabet = given_
    grammar = open_grammar(f"re:{pattern}", alphabet)
    for row in log_probs:
        sums = allowed(by_enumeration(row, alphabet), grammar)
        best = sorted(sums.values(), reverse=True)[:count]
        found = PrefixSearch(row, grammar).best(count)
        assert len({one.text for one in found}) == len(found)
        for one in found:
            assert one.probability == pytest.approx(sums[one.text], rel=1e-5)
        if best and best[0] >= LEAST:
            assert [one.probability for one in found] == pytest.approx(best, rel=1e-5)


def test_where_no_text_has_one_per_cent_the_answer_is_a_guess() -> None:
    log_probs = tempered(np.zeros((1, 30, len(PLATES)), np.float32), 1.0)  # all alike
    grammar = open_grammar("plates", PLATES)
    (decoded,) = Decoder(PLATES, grammar)(log_probs)
    assert grammar.accepts(decoded.text)
    assert 0 <= decoded.confidence < LEAST


@settings(deadline=None)
@given(outputs(most=6), st.sampled_from([None, *PATTERNS]), st.integers(0, 3))
def test_the_confidence_is_the_probability_of_the_text_whatever_the_grammar(
    given_: tuple[NDArray[np.float32], Alphabet], pattern: str | None, alternatives: int
) -> None:
    log_probs, alphabet = given_
    grammar = open_grammar(f"re:{pattern}", alphabet) if pattern else None
    decoder = Decoder(alphabet, grammar, search=True, alternatives=alternatives)
    for row, decoded in zip(log_probs, decoder(log_probs), strict=True):
        everything = by_enumeration(row, alphabet)
        sums = allowed(everything, grammar)
        best = sorted(sums.values(), reverse=True)
        if not sums:
            assert (decoded.text, decoded.confidence, decoded.spans) == ("", 0.0, ())
            continue
        if best[0] >= LEAST:
            assert sums[decoded.text] == pytest.approx(best[0], rel=1e-5)
            assert len(decoded.alternatives) == min(alternatives, len(sums) - 1)
        if decoded.text:
            assert decoded.confidence == pytest.approx(everything[decoded.text], rel=1e-5)
        else:
            assert decoded.confidence == 0
        for other in decoded.alternatives:
            assert other.probability == pytest.approx(sums[other.text], rel=1e-5)
        if best[0] >= LEAST:
            others = [other.probability for other in decoded.alternatives]
            assert others == pytest.approx(best[1 : len(others) + 1], rel=1e-5)
        texts = [decoded.text, *(other.text for other in decoded.alternatives)]
        assert len(set(texts)) == len(texts)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 2.0, 4.0]), st.integers(17, 41))
def test_whatever_the_picture_the_text_is_a_plate_or_nothing(
    seed: int, sharpness: float, steps: int
) -> None:
    logits = np.random.default_rng(seed).normal(size=(3, steps, len(PLATES))) * sharpness
    logits[:, :, PLATES.blank] += 6
    logits[0, :, PLATES.blank] = 40  # nothing to be seen
    log_probs = tempered(logits.astype(np.float32), 1.0)
    grammar = open_grammar("plates", PLATES)
    readings = Decoder(PLATES, grammar)(log_probs)
    for decoded in readings:
        assert grammar.accepts(decoded.text)
        assert len(decoded.spans) == len(decoded.text)
        assert 0 <= decoded.confidence <= 1
    # nothing read is not a sure reading of nothing
    assert (readings[0].text, readings[0].confidence) == ("", 0.0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["plates", "any", None]))
def test_pictures_of_a_batch_do_not_touch_each_other(seed: int, name: str | None) -> None:
    log_probs = plate_like(seed, 4, 30)
    grammar = open_grammar(name, PLATES) if name else None
    decoder = Decoder(PLATES, grammar, search=True)
    together = decoder(log_probs)
    for row, decoded in zip(log_probs, together, strict=True):
        alone = decoder(row[None])[0]
        assert alone.text == decoded.text
        assert alone.confidence == pytest.approx(decoded.confidence, rel=1e-9)
        assert alone.spans == decoded.spans


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["plates", None]))
def test_what_is_not_searched_is_what_a_search_would_find(seed: int, name: str | None) -> None:
    log_probs = plate_like(seed, 4, 40)
    grammar = open_grammar(name, PLATES) if name else None
    short = Decoder(PLATES, grammar, search=True)(log_probs)
    full = Decoder(PLATES, grammar, search=True, alternatives=1)(log_probs)
    for quick, thorough in zip(short, full, strict=True):
        if quick.confidence > 0.5:
            assert quick.text == thorough.text
            assert quick.confidence == pytest.approx(thorough.confidence, rel=1e-9)
            assert quick.spans == thorough.spans


def plate_like(seed: int, n: int, steps: int) -> NDArray[np.float32]:
    """Seven peaks of some doubt, and little between."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, steps, len(PLATES)))
    logits[:, :, PLATES.blank] += 8
    for row, text in zip(logits, ["京A12345", "皖AY0D83", "粤Z11港", "浙JBB001"][:n], strict=True):
        for place, c in enumerate(PLATES.encode(text)):
            at = 1 + place * (steps // 8)
            row[at, c] += random.uniform(6, 14)
            row[at, random.integers(1, len(PLATES))] += random.uniform(4, 12)
    return tempered(logits.astype(np.float32), 1.0)


def test_a_grammar_mends_a_letter_read_for_a_digit() -> None:
    spelt = PLATES.encode("京812345")  # the best path; B is the second best where 8 is the best
    logits = np.full((1, 14, len(PLATES)), -9.0, np.float32)
    logits[0, 1::2, PLATES.blank] = 5
    for place, c in enumerate(spelt):
        logits[0, 2 * place, c] = 5
    logits[0, 2, PLATES.encode("B")[0]] = 4
    log_probs = tempered(logits, 1.0)
    assert greedy(log_probs, PLATES)[0].text == "京812345"
    (decoded,) = Decoder(PLATES, open_grammar("plates", PLATES))(log_probs)
    assert decoded.text == "京B12345"
    assert decoded.confidence < 0.3  # the grammar chooses the text and does not make it surer
    assert [span.start for span in decoded.spans] == [0, 2, 4, 6, 8, 10, 12]


def test_a_sum_may_be_more_probable_than_the_best_path() -> None:
    """Graves et al. (2006), figure 2: the best path is all blanks, the best text is not empty."""
    log_probs = np.log(np.array([[[0.6, 0.4, 1e-9], [0.6, 0.4, 1e-9]]], np.float32))
    assert greedy(log_probs, FIRST)[0].text == ""
    (decoded,) = Decoder(FIRST, search=True)(log_probs)
    assert decoded.text == "a"
    assert decoded.confidence == pytest.approx(0.64, rel=1e-5)


def spelling_paths(
    row: NDArray[np.float32], alphabet: Alphabet, text: str
) -> list[tuple[float, tuple[int, ...]]]:
    paths = product(range(len(alphabet)), repeat=len(row))
    return [
        (float(row[range(len(row)), path].astype(np.float64).sum()), path)
        for path in paths
        if alphabet.decode(alphabet.collapse(path)) == text
    ]


@settings(deadline=None)
@given(outputs(), st.text("ab", max_size=4))
def test_alignment_is_the_best_path_that_spells_the_text(
    given_: tuple[NDArray[np.float32], Alphabet], text: str
) -> None:
    log_probs, alphabet = given_
    for row in log_probs:
        spans = align(row, alphabet.encode(text), alphabet.blank)
        best = max((score for score, _ in spelling_paths(row, alphabet, text)), default=-np.inf)
        if not text or best == -np.inf:
            assert spans == ()
            continue
        path = [alphabet.blank] * len(row)
        for span in spans:
            path[span.start : span.end] = [span.class_index] * (span.end - span.start)
        assert alphabet.decode(alphabet.collapse(path)) == text
        got = float(row[range(len(row)), path].astype(np.float64).sum())
        assert got == pytest.approx(best, abs=1e-5)


@settings(deadline=None)
@given(outputs())
def test_the_alignment_of_the_best_paths_text_is_the_best_path(
    given_: tuple[NDArray[np.float32], Alphabet],
) -> None:
    log_probs, alphabet = given_
    for row, decoded in zip(log_probs, greedy(log_probs, alphabet), strict=True):
        assert align(row, alphabet.encode(decoded.text), alphabet.blank) == decoded.spans


@settings(deadline=None)
@given(outputs(), st.sampled_from([0.5, 1.0, 1.7]))
def test_temperature(given_: tuple[NDArray[np.float32], Alphabet], temperature: float) -> None:
    log_probs, alphabet = given_
    changed = tempered(log_probs, temperature)
    np.testing.assert_allclose(np.exp(changed).sum(-1), 1, rtol=1e-5)
    expected = np.exp(log_probs.astype(np.float64)) ** (1 / temperature)
    expected /= expected.sum(-1, keepdims=True)
    np.testing.assert_allclose(np.exp(changed), expected, rtol=1e-4, atol=1e-7)
    # the decoder's confidence is that of the changed probabilities
    for row, decoded in zip(
        changed, Decoder(alphabet, temperature=temperature)(log_probs), strict=True
    ):
        label = [alphabet.encode(decoded.text)]
        own = label_probabilities(row[None], label, alphabet.blank)[0]
        assert decoded.confidence == pytest.approx(own if decoded.text else 0.0, rel=1e-6)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_is_above_0(temperature: float) -> None:
    with pytest.raises(InputError, match="temperature"):
        tempered(np.zeros((1, 1, 3), np.float32), temperature)


def test_no_pictures_no_readings() -> None:
    none = np.zeros((0, 41, len(PLATES)), np.float32)
    assert Decoder(PLATES, open_grammar("plates", PLATES))(none) == []
    assert Decoder(PLATES, search=True)(none) == []


def test_greedy_is_the_decoder_that_does_not_search() -> None:
    log_probs = plate_like(1, 4, 40)
    got: list[Decoded] = Decoder(PLATES)(log_probs)
    assert got == greedy(log_probs, PLATES)
    assert Decoder(PLATES).texts(log_probs) == [decoded.text for decoded in got]
