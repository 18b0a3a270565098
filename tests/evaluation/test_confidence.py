"""Calibration, risk against coverage, rejection and temperature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.decode import greedy_texts
from crnn_ctc.decode.decoder import tempered
from crnn_ctc.evaluation.confidence import (
    area_under_risk_coverage,
    at_threshold,
    auroc,
    expected_calibration_error,
    reliability,
    risk_coverage,
    threshold_for_coverage,
    threshold_for_risk,
)
from crnn_ctc.export.calibration import fit_temperature

READINGS = st.lists(
    st.tuples(st.integers(0, 20).map(lambda k: k / 20), st.booleans()), min_size=1, max_size=40
)


def test_a_calibrated_confidence_has_no_error() -> None:
    confidences = [0.5] * 10 + [0.9] * 10
    right = [1] * 5 + [0] * 5 + [1] * 9 + [0]
    assert expected_calibration_error(confidences, right) == pytest.approx(0)


def test_an_overconfident_one_has_what_it_claims_too_much() -> None:
    # ten readings at 1.0 of which 7 are right: 0.3 too sure; ten at 0.1, none right: 0.1
    error = expected_calibration_error([1.0] * 10 + [0.1] * 10, [1] * 7 + [0] * 13)
    assert error == pytest.approx((0.3 + 0.1) / 2)
    rows = reliability([1.0] * 10 + [0.1] * 10, [1] * 7 + [0] * 13)
    assert [(row.n, row.accuracy) for row in rows] == [(10, 0.0), (10, 0.7)]


def test_risk_falls_as_less_is_answered() -> None:
    coverage, risk = risk_coverage([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0])
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(risk, [0, 0, 1 / 3, 1 / 2])


@given(READINGS, st.randoms())
@settings(max_examples=60, deadline=None)
def test_risk_ignores_the_order_of_readings(readings: list[tuple[float, bool]], random) -> None:  # type: ignore[no-untyped-def]
    before = risk_coverage(*zip(*readings, strict=True))[1]
    random.shuffle(readings)
    np.testing.assert_allclose(risk_coverage(*zip(*readings, strict=True))[1], before)
    assert before[-1] == pytest.approx(1 - np.mean([good for _, good in readings]))


@given(READINGS, st.integers(1, 20).map(lambda k: k / 20))
@settings(max_examples=60, deadline=None)
def test_a_threshold_answers_what_was_asked(
    readings: list[tuple[float, bool]], wanted: float
) -> None:
    confidences, right = zip(*readings, strict=True)
    threshold = threshold_for_coverage(confidences, wanted)
    point = at_threshold(confidences, right, threshold)
    assert point.coverage >= wanted - 1e-9
    higher = [c for c in confidences if c > threshold]
    assert len(higher) / len(confidences) < wanted


def test_area_under_the_curve_by_hand() -> None:
    assert area_under_risk_coverage([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0]) == pytest.approx(5 / 24)
    assert area_under_risk_coverage([0.9, 0.1], [1, 1]) == 0


@given(READINGS, st.sampled_from([0.0, 0.1, 0.3, 1.0]))
@settings(max_examples=60, deadline=None)
def test_the_best_threshold_for_a_risk(readings: list[tuple[float, bool]], most: float) -> None:
    confidences, right = zip(*readings, strict=True)
    points = [at_threshold(confidences, right, c) for c in set(confidences)]
    allowed = [point for point in points if point.wrong <= most * point.answered]
    best = min((point.threshold for point in allowed), default=None)
    assert threshold_for_risk(confidences, right, most) == best


def test_nothing_answered_has_no_risk() -> None:
    assert at_threshold([0.5], [0], 0.9).risk == 0


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=20),
    st.lists(st.integers(0, 6), min_size=1, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_auroc_counts_pairs(accepted: list[int], rejected: list[int]) -> None:
    wins = sum((a > r) + (a == r) / 2 for a in accepted for r in rejected)
    assert auroc(accepted, rejected) == pytest.approx(wins / len(accepted) / len(rejected))


@pytest.mark.parametrize("true", [0.6, 1.0, 2.5])
def test_the_temperature_that_made_a_model_too_sure_is_found(true: float) -> None:
    """Texts drawn by a model's own probabilities, of which it then claims another sharpness."""
    alphabet = Alphabet("#ab", 0)
    random = np.random.default_rng(0)
    honest = np.log(random.dirichlet(np.ones(3), (20_000, 4))).astype(np.float32)
    paths = (honest + random.gumbel(size=honest.shape)).argmax(axis=-1)
    texts = [alphabet.decode(alphabet.collapse(path)) for path in paths.tolist()]
    claimed = tempered(honest, 1 / true)  # sharper than it should be by that temperature
    read = greedy_texts(claimed, alphabet)
    right = [one == text for one, text in zip(read, texts, strict=True)]
    fitted = fit_temperature(list(claimed), read, right, alphabet)
    assert fitted.value == pytest.approx(true, rel=0.12)


def test_wrong_answers_make_a_model_less_sure() -> None:
    """As those to pictures without any text are."""
    alphabet = Alphabet("#ab", 0)
    random = np.random.default_rng(0)
    log_probs = list(np.log(random.dirichlet(np.ones(3), (500, 4))).astype(np.float32))
    texts = greedy_texts(np.stack(log_probs), alphabet)
    right, wrong = [True] * 500, [False] * 500
    good = fit_temperature(log_probs, texts, right, alphabet).value
    assert good < fit_temperature(log_probs * 2, texts * 2, right + wrong, alphabet).value
    # no answer costs nothing
    assert good == fit_temperature(log_probs * 2, texts + [""] * 500, right + wrong, alphabet).value


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="one confidence"):
        reliability([], [])
    with pytest.raises(ValueError, match="one confidence"):
        reliability([0.5], [1, 0])
    with pytest.raises(ValueError, match="nothing to fit"):
        fit_temperature([], [], [], Alphabet("#ab", 0))
