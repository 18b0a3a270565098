"""Numbers whose last digit checks the others."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from crnn_ctc.alphabet import DIGITS, Alphabet
from crnn_ctc.decode.decoder import Decoder, decoder_for
from crnn_ctc.errors import InputError
from crnn_ctc.grammar import open_grammar


def valid(number: str) -> bool:
    """Luhn's rule as it is written down: from the right, every second digit counts double."""
    total = 0
    for k, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + k % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_the_automaton_accepts_what_the_rule_does(length: int) -> None:
    any_length, exact = open_grammar("luhn", DIGITS), open_grammar("luhn:3", DIGITS)
    span = open_grammar("luhn:2-3", DIGITS)
    for number in range(10**length):
        text = f"{number:0{length}}"
        assert any_length.accepts(text) == (length >= 2 and valid(text))
        assert exact.accepts(text) == (length == 3 and valid(text))
        assert span.accepts(text) == (length in (2, 3) and valid(text))


@pytest.mark.parametrize("name", ["luhn", "luhn:16", "luhn:13-19"])
def test_long_numbers(name: str) -> None:
    grammar = open_grammar(name, DIGITS)
    assert grammar.accepts("4539578763621486")
    assert not grammar.accepts("4539578763621468"), "two neighbours changed places"
    assert not grammar.accepts("4539578763621487")


def test_from_every_state_some_number_can_be_completed() -> None:
    for name in ("luhn", "luhn:5", "luhn:2-4"):
        grammar = open_grammar(name, DIGITS)
        good = grammar.accepting.copy()
        sources = np.repeat(np.arange(len(good)), np.diff(grammar.starts))
        for _ in range(len(good)):
            good[sources[good[grammar.targets]]] = True
        assert good.all()


def test_reading_obeys_the_check_digit() -> None:
    """The likeliest number breaks the rule by one digit; the likeliest that keeps it is read."""
    digits = "79927398710"  # one too high in its last place: ...8713 keeps the rule
    probs = np.full((2 * len(digits) + 1, len(DIGITS)), 1e-4)
    probs[:, DIGITS.blank] = 0.9
    for k, digit in enumerate(digits):
        probs[2 * k + 1] = 1e-4
        probs[2 * k + 1, DIGITS.encode(digit)] = 0.9
    probs[-2, DIGITS.encode("3")] = 0.3
    log_probs = np.log(probs / probs.sum(1, keepdims=True))[None].astype(np.float32)
    assert Decoder(DIGITS).texts(log_probs) == [digits]
    grammar = open_grammar("luhn", DIGITS)
    assert Decoder(DIGITS, grammar).texts(log_probs) == ["79927398713"]


def weighed(*texts: tuple[str, float]) -> NDArray[np.float32]:
    """Log-probabilities (1, T, K) of one digit in each second step, by its share of the step."""
    length = len(texts[0][0])
    probs = np.full((2 * length + 1, len(DIGITS)), 1e-4)
    probs[::2, DIGITS.blank] = 1
    for text, share in texts:
        for k, digit in enumerate(text):
            probs[2 * k + 1, DIGITS.encode(digit)] += share
    return np.log(probs / probs.sum(1, keepdims=True))[None].astype(np.float32)


def test_a_rule_of_ones_own_refuses_what_cannot_be() -> None:
    log_probs = weighed(("07", 0.7), ("19", 0.3))
    card = SimpleNamespace(name="m", alphabet=DIGITS, grammar=None, temperature=1.0)
    assert decoder_for(card).texts(log_probs) == ["07"]
    later = decoder_for(card, rule=lambda text: text > "08")
    assert later.texts(log_probs) == ["17"]
    assert later(log_probs)[0].confidence < decoder_for(card)(log_probs)[0].confidence
    prime = decoder_for(card, grammar="digits:2", rule=lambda text: text in {"19", "23"})
    assert prime.texts(log_probs) == ["19"]
    with_others = decoder_for(card, grammar="digits:2", rule=lambda t: t != "07", alternatives=3)
    found = with_others(log_probs)[0]
    assert "07" not in {found.text, *(other.text for other in found.alternatives)}
    assert decoder_for(card, rule=lambda _: False)(log_probs)[0].text == ""


@pytest.mark.parametrize(
    ("name", "alphabet", "match"),
    [
        ("luhn:5-3", DIGITS, "shorter one first"),
        ("luhn:1", DIGITS, "2 or more"),
        ("luhn:x", DIGITS, "is not known"),
        ("luhn", Alphabet.of("01234"), "lacks digits"),
    ],
)
def test_what_no_number_can_be_is_refused(name: str, alphabet: Alphabet, match: str) -> None:
    with pytest.raises(InputError, match=match):
        open_grammar(name, alphabet)
