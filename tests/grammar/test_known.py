"""Lists of known texts, of which one is the answer or none."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn_ctc import PLATES, Alphabet, InputError, Reader
from crnn_ctc.decode.decoder import Decoder
from crnn_ctc.grammar import known_texts
from helpers.cli import run_cli
from helpers.ctc import by_enumeration
from helpers.data import EXAMPLES

SMALL = Alphabet("#ab", blank=0)
TEXTS = ["".join(t) for n in range(1, 5) for t in product("ab", repeat=n)]
PICTURES = sorted((EXAMPLES / "plates").iterdir())
BLUE = next(p for p in PICTURES if "blue" in p.name)
GREEN = next(p for p in PICTURES if "green car" in p.name)

lists = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=12)


@settings(deadline=None)
@given(lists)
def test_the_automaton_accepts_the_listed_texts_alone(texts: list[str]) -> None:
    grammar = known_texts(texts, SMALL)
    assert [text for text in ["", *TEXTS] if grammar.accepts(text)] == [
        text for text in TEXTS if text in texts
    ]


@settings(deadline=None)
@given(lists)
def test_the_automaton_is_minimal(texts: list[str]) -> None:
    """No two states have the same future (Myhill and Nerode)."""
    grammar = known_texts(texts, SMALL)

    def future(state: int) -> frozenset[tuple[int, ...]]:
        own = {()} if grammar.accepting[state] else set()
        for c in grammar.following(state).tolist():
            own |= {(c, *rest) for rest in future(grammar.after(state, c))}
        return frozenset(own)

    futures = [future(state) for state in range(len(grammar.accepting))]
    assert len(set(futures)) == len(futures)
    assert all(futures)


@settings(deadline=None)
@given(lists, st.integers(0, 2**32 - 1), st.sampled_from([0.5, 2.0, 5.0]))
def test_the_answer_is_the_most_probable_listed_text_or_none(
    texts: list[str], seed: int, sharpness: float
) -> None:
    logits = np.random.default_rng(seed).normal(size=(1, 5, 3)) * sharpness
    log_probs = (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)
    sums = by_enumeration(log_probs[0], SMALL)
    best = max(sums.get(text, 0.0) for text in texts)
    (decoded,) = Decoder(SMALL, known_texts(texts, SMALL))(log_probs)
    if best < 0.0099:
        assert (decoded.text, decoded.confidence) == ("", 0.0)
    elif best > 0.0101:
        assert decoded.text in texts
        assert sums[decoded.text] == pytest.approx(best, rel=1e-5)
        assert decoded.confidence == pytest.approx(best, rel=1e-5)


def test_a_gate_answers_its_own_plates() -> None:
    free = Reader()(BLUE)
    listed = Reader(known=["皖A12345", free.text])(BLUE)
    assert (listed.text, listed.confidence) == (free.text, free.confidence)
    near = free.text[:-1] + ("1" if free.text[-1] != "1" else "2")
    stranger = Reader(known=["皖A12345", near])(BLUE)
    assert (stranger.text, stranger.confidence, stranger.accepted) == ("", 0.0, False)
    track = Reader(known=["皖A12345", near]).read_track([BLUE, BLUE])
    assert (track.text, track.accepted) == ("", False)


def test_predict_with_a_list(tmp_path: Path) -> None:
    listed = tmp_path / "known.txt"
    listed.write_text("\ufeff皖A12345\n\n苏d·18rl9 \n", encoding="utf-8")
    done = run_cli("predict", BLUE, GREEN, "--known", listed, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert [value["text"] for value in json.loads(done.stdout)] == ["苏D18RL9", ""]
    done = run_cli("predict", BLUE, GREEN, "--known", listed, "--min-confidence", 0.9)
    assert done.returncode == 3


def test_a_hundred_thousand_plates_are_one_automaton() -> None:
    random = np.random.default_rng(0)
    digits = random.choice(list("ABCDEFGH0123456789"), (100_000, 5))
    texts = ["皖A" + "".join(row) for row in digits.tolist()]
    grammar = known_texts(texts, PLATES)
    assert len(grammar.accepting) < 40_000
    assert all(grammar.accepts(text) for text in texts[::1000])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("皖A12345\n\n皖A1?345\n", "known.txt: line 3: the model cannot read '?'"),
        ("\n \n", "known.txt: holds no text"),
        ("", "known.txt: holds no text"),
        (None, "known.txt: No such file"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path: Path, content: str | None, says: str) -> None:
    listed = tmp_path / "known.txt"
    if content is not None:
        listed.write_text(content, encoding="utf-8")
    done = run_cli("predict", BLUE, "--known", listed)
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().strip().splitlines()
    assert says in line


def test_a_list_is_utf8_and_no_grammar_beside_it(tmp_path: Path) -> None:
    listed = tmp_path / "known.txt"
    listed.write_bytes("皖A12345\n".encode("gbk"))
    with pytest.raises(InputError, match="not UTF-8"):
        Reader(known=listed)
    with pytest.raises(InputError, match="one or the other"):
        Reader(known=["皖A12345"], grammar="plates")


def test_ten_million_lines_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = tmp_path / "known.txt"
    with listed.open("wb") as file:
        file.truncate(300_000_000)  # sparse: nothing is written
    with pytest.raises(InputError, match="more than 1,000,000 lines"):
        known_texts(listed, PLATES)
    monkeypatch.setattr("crnn_ctc.grammar.known.MOST_KNOWN", 3)
    with pytest.raises(InputError, match="known texts: more than 3 lines"):
        known_texts(["皖A12345"] * 4, PLATES)
