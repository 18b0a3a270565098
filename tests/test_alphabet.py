from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_ctc import DIGITS, PLATES, Alphabet, InputError

texts = st.text(DIGITS.characters, max_size=12)
paths = st.lists(st.integers(0, 10), max_size=30)


def test_model_projects_classes() -> None:
    assert (len(DIGITS), DIGITS.blank) == (11, 10)
    assert (len(PLATES), PLATES.blank) == (78, 0)
    assert PLATES.symbols.startswith("#京沪津渝冀")
    assert PLATES.symbols.endswith("XYZ险品")
    assert "I" not in PLATES
    assert "O" not in PLATES


@given(texts)
def test_encode_then_decode(text: str) -> None:
    assert DIGITS.decode(DIGITS.encode(text)) == text


@given(st.text(PLATES.characters, max_size=9))
def test_encode_then_decode_plates(text: str) -> None:
    assert PLATES.decode(PLATES.encode(text)) == text


@given(texts)
def test_no_text_holds_the_blank(text: str) -> None:
    assert DIGITS.blank not in DIGITS.encode(text)


@given(paths)
def test_collapse_is_groupby_without_blanks(path: list[int]) -> None:
    assert DIGITS.collapse(path) == [c for c, _ in groupby(path) if c != DIGITS.blank]


@given(texts, st.data())
def test_any_alignment_of_a_text_collapses_to_it(text: str, data: st.DataObject) -> None:
    path: list[int] = []
    for i, c in enumerate(DIGITS.encode(text)):
        least = 1 if i and text[i] == text[i - 1] else 0
        path += [DIGITS.blank] * data.draw(st.integers(least, 3))
        path += [c] * data.draw(st.integers(1, 3))
    assert DIGITS.decode(DIGITS.collapse(path)) == text
    assert len(path) >= DIGITS.steps_needed(text)


@pytest.mark.parametrize(("text", "steps"), [("", 0), ("1", 1), ("11", 3), ("1221", 5)])
def test_steps_needed(text: str, steps: int) -> None:
    assert DIGITS.steps_needed(text) == steps


def test_a_character_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"'12O45'.*'O' is not in the alphabet"):
        DIGITS.encode("12O45")


def test_the_blanks_placeholder_is_no_character() -> None:
    with pytest.raises(InputError, match="'#'"):
        DIGITS.encode("1#")
    assert "#" not in DIGITS


@pytest.mark.parametrize("indices", [[10], [11], [-1]])
def test_decode_refuses_what_is_no_character(indices: list[int]) -> None:
    with pytest.raises(InputError):
        DIGITS.decode(indices)


@pytest.mark.parametrize(("symbols", "blank"), [("0110#", 4), ("01#", 3), ("01#", -1)])
def test_impossible_alphabets(symbols: str, blank: int) -> None:
    with pytest.raises(InputError):
        Alphabet(symbols, blank)
