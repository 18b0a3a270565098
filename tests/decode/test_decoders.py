"""Decoders by name, and one of a user's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from crnn_ctc import InputError, Reader
from crnn_ctc.decode.ctc import Decoded
from crnn_ctc.decode.decoder import DECODERS, Decoder, TextDecoder, decoder_for
from crnn_ctc.grammar import Grammar
from crnn_ctc.model_file.card import Card
from helpers.cli import run_cli
from helpers.data import EXAMPLES

DIGITS = sorted((EXAMPLES / "digits").iterdir())


class Backwards(Decoder):
    """The best path's text, read from its end."""

    def __call__(self, log_probs: NDArray[np.float32]) -> list[Decoded]:
        return [
            Decoded(found.text[::-1], found.confidence, found.spans[::-1])
            for found in super().__call__(log_probs)
        ]


def backwards(card: Card, grammar: Grammar | None, alternatives: int) -> TextDecoder:
    return Backwards(card.alphabet, alternatives=alternatives)


def test_a_decoder_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DECODERS, "backwards", backwards)
    text = DIGITS[0].name[:5]
    assert Reader("digits-tiny")(DIGITS[0]).text == text
    assert Reader("digits-tiny", decode="backwards")(DIGITS[0]).text == text[::-1]
    assert Reader("digits-tiny", decode="greedy").read([DIGITS[0]]).__next__().text == text


def test_an_unknown_decoder_names_the_known_ones() -> None:
    card = Reader("digits-tiny").card
    with pytest.raises(InputError, match="'beam' is not known; give one of: greedy, search, gram"):
        decoder_for(card, "beam")
    done = run_cli("predict", DIGITS[0], "--model", "digits-tiny", "--decode", "beam")
    assert done.returncode == 2
    assert b"is not known; give one of" in done.stderr


@pytest.mark.parametrize("decode", ["greedy", "search"])
def test_a_list_of_known_texts_is_never_ignored(decode: str, tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    known.write_text("12345")
    with pytest.raises(InputError, match="answers any text"):
        Reader("digits-tiny", known=known, decode=decode)
    with pytest.raises(InputError, match="answers any text"):
        Reader("digits-tiny", grammar="digits:5", decode=decode)
    assert Reader("digits-tiny", grammar="none", decode=decode)(DIGITS[0]).text
