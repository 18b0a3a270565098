from __future__ import annotations

import csv
import re
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn_ctc import DIGITS, PLATES, Alphabet, InputError
from crnn_ctc.alphabet import PLATES_CN
from crnn_ctc.grammar import open_grammar
from crnn_ctc.grammar.pattern import MOST_STATES, compile_pattern
from crnn_ctc.plates.scheme import plate_label
from crnn_ctc.synthesis.text import (
    KIND_WEIGHTS,
    NEWER,
    PROVINCES,
    TEXT_DRAWS,
    Draws,
    Kind,
    draw_text,
)
from helpers.data import shared_data

SMALL = Alphabet("#ab", blank=0)
TEXTS = ["".join(t) for n in range(6) for t in product("ab", repeat=n)]
PLATE = open_grammar("plates", PLATES)


def patterns() -> st.SearchStrategy[str]:
    """Patterns that mean the same to Python's own regular expressions."""

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        sign = st.sampled_from(["?", "*", "+", "{2}", "{1,}", "{0,2}", "{1,3}", "{0}"])
        return st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
            st.tuples(inner, sign).map(lambda two: f"({two[0]}){two[1]}"),
        )

    return st.recursive(
        st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[a-b]", "", "\\a"]), larger
    )


@settings(deadline=None)
@given(patterns())
def test_a_pattern_means_what_it_means_to_python(pattern: str) -> None:
    expected = [t for t in TEXTS if re.fullmatch(pattern.replace("\\a", "a"), t)]
    try:
        grammar = open_grammar(f"re:({pattern})", SMALL)  # an empty one is refused
    except InputError:
        assert not expected  # it allows no text
    else:
        assert [t for t in TEXTS if grammar.accepts(t)] == expected


@settings(deadline=None)
@given(patterns(), patterns())
def test_and_means_both(one: str, other: str) -> None:
    expected = [
        t for t in TEXTS if all(re.fullmatch(p.replace("\\a", "a"), t) for p in (one, other))
    ]
    try:
        grammar = open_grammar(f"re:({one})&({other})", SMALL)
    except InputError:
        assert not expected
    else:
        assert [t for t in TEXTS if grammar.accepts(t)] == expected


@settings(deadline=None)
@given(patterns())
def test_an_automaton_has_no_dead_ends_and_no_state_twice(pattern: str) -> None:
    try:
        automaton = compile_pattern(pattern, SMALL)
    except InputError:
        return
    table, accepting = automaton.table, automaton.accepting
    assert (table[:, SMALL.blank] == -1).all()
    # states of an automaton of S differ, if they do, by a word shorter than S
    words = [w for n in range(min(len(table), 8)) for w in product((1, 2), repeat=n)]

    def future(state: int) -> tuple[bool, ...]:
        ends = []
        for word in words:
            at = state
            for c in word:
                at = int(table[at, c]) if at >= 0 else -1
            ends.append(at >= 0 and bool(accepting[at]))
        return tuple(ends)

    futures = [future(state) for state in range(len(table))]
    if len(table) <= 8:
        assert all(any(f) for f in futures)
        assert len(set(futures)) == len(futures)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(a", "missing"),
        ("a)", "closes nothing"),
        ("[a", "missing"),
        ("*a", "repeats nothing"),
        ("a{2,1}", "the first is the lower"),
        ("a{x}", "{m,n}"),
        ("a{999}", "up to 255"),
        ("a{1", "{m,n}"),
        ("[b-a]", "the first is the lower"),
        ("^a$", "the whole text"),
        ("c", "not in the alphabet"),
        ("a&b", "no text at all"),
        ("[^a-b]", "'[^a-b]' has no character of the alphabet"),
        ("[c-d]*", "'[c-d]' has no character of the alphabet"),
        ("a\\", "missing"),
        ("\\d{5}", "write [0-9]"),
        ("(" * 5000, "too long"),
        ("(a|b)*a(a|b){20}", f"more than {MOST_STATES} states"),
    ],
)
def test_what_is_no_pattern_is_said_in_one_line(pattern: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)) as error:
        open_grammar(f"re:{pattern}", SMALL)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 160


@pytest.mark.parametrize(
    "name", ["digit", "", "digits:", "digits:-5", "plates ", "digits:7-5", "re:"]
)
def test_an_unknown_grammar_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match="grammar"):
        open_grammar(name, DIGITS)


def test_a_grammar_of_other_characters_is_an_error() -> None:
    with pytest.raises(InputError, match="not for this model"):
        open_grammar("plates", DIGITS)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("digits:9-3", "the smaller number first"),
        ("digits:0", "1 or more digits"),
    ],
)
def test_a_grammar_without_texts_is_an_error(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_grammar(name, DIGITS)


def test_grammars_of_digits() -> None:
    five = open_grammar("digits:5", DIGITS)
    some = open_grammar("digits", DIGITS)
    range_ = open_grammar("digits:4-6", DIGITS)
    anything = open_grammar("any", DIGITS)
    for text in ["", "0", "00123", "1234", "123456", "1234567", "12a45", "１２３４５"]:
        known = all(c in "0123456789" for c in text)
        assert five.accepts(text) == (known and len(text) == 5)
        assert some.accepts(text) == (known and len(text) > 0)
        assert range_.accepts(text) == (known and 4 <= len(text) <= 6)
        assert anything.accepts(text) == known
    assert not open_grammar("digits", PLATES).accepts("京A12345")


@pytest.mark.parametrize(
    "text",
    [
        "京A12345", "皖AY0D83", "浙JBB001", "粤BA1B2C", "沪DA1234", "沪AF1234", "浙AD12345",
        "京AFA1234", "粤B12345D", "苏E12345F", "京A1234警", "鄂AX001警", "皖AK123学", "鲁QSK91挂",
        "沪A0023领", "粤ZA123港", "粤Z1234澳", "使014578", "014578使", "民航A1234", "危险品",
    ],
)  # fmt: skip
def test_plates_that_there_are(text: str) -> None:
    assert PLATE.accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "京", "A12345", "京A1234", "京A123456", "京112345", "京AI2345", "京AABCD1", "京京12345",
        "京A1234L1", "京AL12345", "京AD1234D", "粤A1234港", "粤ZABC1港", "使14578", "使0145789",
        "使014578使", "民航12345", "危险", "京A12345警", "京A123警", "京A1学34", "沪AA023领",
        "京A1234o", "京A 1234",
    ],
)  # fmt: skip
def test_plates_that_there_are_not(text: str) -> None:
    assert not PLATE.accepts(text)


def test_the_automaton_of_plates_is_small() -> None:
    assert len(PLATE.accepting) < 100


@pytest.mark.parametrize("kind", list(KIND_WEIGHTS))
def test_every_plate_that_is_drawn_can_be_read(kind: Kind) -> None:
    random = np.random.default_rng(1)
    every = open_grammar("plates", PLATES_CN)
    for number in range(400):
        draws = Draws(random.random(TEXT_DRAWS))
        text = draw_text(draws, kind, PROVINCES[number % len(PROVINCES)]).text
        assert every.accepts(text), text
        if all(c in PLATES for c in text) and kind not in NEWER:
            assert PLATE.accepts(text), text


@pytest.mark.parametrize("split", ["train", "dev"])
def test_every_real_label_is_a_plate(split: str) -> None:
    with (shared_data("plates") / f"{split}.csv").open(encoding="utf-8") as file:
        labels = [plate_label(row["label"]) for row in csv.DictReader(file)]
    assert [label for label in labels if not PLATE.accepts(label)] == []


def test_a_picture_need_not_show_a_plate() -> None:
    assert PLATE.accepts("")


def test_a_pattern_that_would_take_hours() -> None:
    with pytest.raises(InputError, match="too long; make it simpler"):
        open_grammar("re:((.?.?){255}){255}", DIGITS)
