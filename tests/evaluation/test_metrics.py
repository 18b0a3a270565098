from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_ctc.evaluation.groups import by_group, confusions
from crnn_ctc.evaluation.metrics import text_metrics, wilson


def test_measures_by_hand() -> None:
    metrics = text_metrics(["12345", "12x45", "1245", ""], ["12345", "12345", "12345", "12345"])
    assert metrics.n == 4
    assert metrics.exact_match == 0.25
    assert metrics.cer == (0 + 1 + 1 + 5) / 20
    assert metrics.by_position == [1, 1, 0.5, 1, 1]  # of the two of the right length


def test_wilson_by_hand() -> None:
    # 81 of 263: the example of Newcombe 1998, table I
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert all(wilson(n, n)[1] == 1 for n in range(1, 6000, 7))
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


@given(st.lists(st.tuples(st.text("01", max_size=4), st.text("01", max_size=4)), min_size=1))
def test_measures_are_fractions(pairs: list[tuple[str, str]]) -> None:
    metrics = text_metrics([a for a, _ in pairs], [b for _, b in pairs])
    low, high = metrics.interval95
    assert 0 <= low <= metrics.exact_match <= high <= 1
    assert (metrics.cer == 0) == (metrics.exact_match == 1)


def test_nothing_to_measure() -> None:
    with pytest.raises(ValueError, match="nothing"):
        text_metrics([], [])


def test_groups_and_confusions_by_hand() -> None:
    texts, labels = ["AB1", "A81", "AB", "XAB1"], ["AB1", "AB1", "AB1", "AB1"]
    assert confusions(texts, labels) == [("", "X", 1), ("1", "", 1), ("B", "8", 1)]
    grouped = by_group(["a", "b", "b", ""], texts, labels)
    assert list(grouped) == ["b", "a"]
    assert (grouped["a"].exact_match, grouped["b"].exact_match) == (1, 0)
    assert confusions(["1"] * 5, ["7"] * 5, most=1) == [("7", "1", 5)]
