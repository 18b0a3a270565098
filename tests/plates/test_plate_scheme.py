"""Plate schemes: what the package knows of a country's plates."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from crnn_ctc import DIGITS, PLATES, InputError, Reader
from crnn_ctc.alphabet import Alphabet
from crnn_ctc.data.lint import Linter
from crnn_ctc.grammar import open_grammar
from crnn_ctc.model_file.card import Card
from crnn_ctc.plates import SCHEMES, scheme_of
from crnn_ctc.plates.schemes import normaliser

CHINA, SPAIN = SCHEMES["cn"], SCHEMES["es"]
SPANISH = Alphabet.of(SPAIN.characters)


def test_which_scheme_a_model_has() -> None:
    assert scheme_of(PLATES) is CHINA
    assert scheme_of(Alphabet(PLATES.symbols + "O应急", blank=0)) is CHINA
    for other in (DIGITS, Alphabet(PLATES.symbols[:-1], blank=0), SPANISH, None):
        assert scheme_of(other) is None
    # lower case would be lost where labels are normalised
    assert scheme_of(Alphabet(PLATES.symbols + "abc", blank=0)) is None
    assert scheme_of(SPANISH, "es") is SPAIN


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda scheme: scheme.name)
def test_a_scheme_agrees_with_itself(scheme: object) -> None:
    assert scheme in (CHINA, SPAIN)
    examples = {"cn": ["皖AY0D83", "沪AD12345", "京A0006警"], "es": ["1234BCD", "0000ZZZ"]}
    alphabet = {"cn": PLATES, "es": SPANISH}[scheme.name]
    grammar = open_grammar(f"plates:{scheme.name}", alphabet)
    assert grammar.accepts("")
    for text in examples[scheme.name]:
        assert scheme.spelt_by(alphabet)
        assert grammar.accepts(text)
        assert scheme.suspicion(text) is None
        assert scheme.normalise(scheme.display(text)) == text
        assert scheme.normalise(f" {scheme.display(text).lower()} ") == text
        assert not grammar.accepts(text[:-2])
        assert "characters, plates have" in scheme.suspicion(text[:-2])


def test_regions_and_look_alikes() -> None:
    assert CHINA.region("皖AY0D83") == "皖"
    assert CHINA.region("使014578") == CHINA.region("") == "other"
    assert CHINA.suspicion("危险品") is CHINA.suspicion("WJ07X0230") is None
    assert CHINA.suspicion("WJ07X023") is None  # eight characters, as 2012's have
    assert CHINA.suspicion("皖A12345678") == "10 characters, plates have 7 or 8"
    assert CHINA.mistaken({"I", "O", "x"}) == "plates have no I and O: 1 and 0?"
    assert SPAIN.mistaken({"Q"}) == "plates have no Q: 0?"
    assert SPAIN.mistaken({"é"}) == ""
    assert len(CHINA.regions) == 31


def test_labels_and_texts_of_another_country() -> None:
    assert normaliser(SPANISH, "es")(" 1234 bcd ") == "1234BCD"
    assert normaliser(SPANISH)(" 1234 bcd ") == "1234 bcd"
    assert SPAIN.display("1234BCD") == "1234 BCD"
    with pytest.raises(InputError, match="is not known"):
        open_grammar("plates:xx", SPANISH)


def test_a_card_names_its_scheme() -> None:
    card = Reader("plates-tiny").card
    assert "plates" not in json.loads(card.to_json())  # 0.1 reads it
    spanish = dataclasses.replace(card, alphabet=SPANISH, plates="es", grammar="plates:es")
    assert Card.from_json(spanish.to_json(), "x") == spanish
    unknown = re.sub('"plates": "es"', '"plates": "xx"', spanish.to_json())
    with pytest.raises(InputError, match="plate scheme 'xx'"):
        Card.from_json(unknown, "x")


def test_lint_knows_the_scheme_of_the_alphabet(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,label\nx.jpg,皖AIO12345\n", encoding="utf-8")
    found = [str(each) for part in Linter(PLATES).check(tmp_path / "a.csv") for each in part]
    assert any("'I' 'O' not in the alphabet; plates have no I and O: 1 and 0?" in f for f in found)


def test_a_recipe_names_a_scheme() -> None:
    pytest.importorskip("pydantic")
    from crnn_ctc.recipe import load_recipe

    assert load_recipe("text-tiny", ["plates=es"]).plates == "es"
    with pytest.raises(InputError, match="no such plate scheme as xx; give one of: cn, es"):
        load_recipe("text-tiny", ["plates=xx"])
