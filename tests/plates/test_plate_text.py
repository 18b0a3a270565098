"""The dot of a plate: where it stands, and that it goes away again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_ctc.alphabet import PLATES
from crnn_ctc.plates.scheme import plate_label
from crnn_ctc.plates.text import DOT, with_dot


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("皖AY0D83", "皖A·Y0D83"),
        ("沪AD12345", "沪A·D12345"),
        ("京A0006警", "京A·0006警"),
        ("粤Z1234港", "粤Z·1234港"),
        ("川A0123挂", "川A·0123挂"),
        ("沪A0023领", "沪A·0023领"),
        ("使014578", "使014·578"),
        ("014578使", "014·578使"),
        ("民航N9978", "民航·N9978"),
        ("危险品", "危险品"),
        ("粤O12345", "粤O·12345"),
        ("京X0001应急", "京X·0001应急"),
        ("WJ京12345", "WJ京12345"),
    ],
)
def test_where_the_dot_stands(text: str, shown: str) -> None:
    assert with_dot(text) == shown
    assert plate_label(shown) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "皖", "皖A", "皖AY0D8", "皖AY0D83123", "AY0D83", "AAY0D83", "1234567", "皖1Y0D83",
        "学AY0D83", "使01457", "使0145789", "使使01457", "民航9978", "皖A·Y0D83",
    ],
)  # fmt: skip
def test_other_texts_stay(text: str) -> None:
    assert with_dot(text) == text


@given(st.text(PLATES.characters, max_size=10))
def test_the_dot_adds_nothing_else(text: str) -> None:
    shown = with_dot(text)
    assert shown.replace(DOT, "") == text
    assert plate_label(shown) == text


def test_kinds_without_a_dot() -> None:
    pytest.importorskip("cv2", reason="synthesis comes with the extra [train]")
    from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

    source = PlateSynthesizer(11)
    for plate in map(source.text, range(1_000)):
        shown = with_dot(plate.text)
        none = {"hazard", "army", "armed_police", "armed_police_old", "farm"}
        assert shown.count(DOT) == (plate.kind not in none)
        assert plate_label(shown) == plate.text
