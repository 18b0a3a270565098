"""How readers and commands choose their way of decoding."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import InputError, Reader
from crnn_ctc.decode.decoder import decoder_for
from helpers.cli import run_cli
from helpers.data import EXAMPLES

PICTURE = EXAMPLES / "digits" / "31415.png"
PREDICT = ("predict", "--model", "digits-tiny")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader("digits-tiny")


def test_the_cards_grammar_is_the_default(reader: Reader) -> None:
    card = replace(reader.card, grammar="digits:5")
    by_default = decoder_for(card)
    assert by_default.grammar is not None
    assert by_default.grammar.name == "digits:5"
    assert by_default.method == "grammar digits:5"
    assert decoder_for(card, grammar="none").method == "greedy"
    assert decoder_for(card, grammar="digits:4").method == "grammar digits:4"
    assert decoder_for(card, "greedy").method == "greedy"
    assert decoder_for(card, "search").method == "search"
    assert decoder_for(replace(card, grammar=None)).method == "greedy"


@pytest.mark.parametrize("grammar", [None, "none"])
def test_a_grammar_must_be_there_to_be_obeyed(reader: Reader, grammar: str | None) -> None:
    with pytest.raises(InputError, match="digits-tiny: its card names no grammar"):
        decoder_for(replace(reader.card, grammar=None), "grammar", grammar)


@pytest.mark.parametrize("method", ["greedy", "search", "grammar"])
def test_the_cards_temperature_changes_the_confidence(reader: Reader, method: str) -> None:
    log_probs = reader.log_probs(reader.fit(np.asarray(Image.open(PICTURE).convert("RGB")))[None])
    cool = decoder_for(reader.card, method, "digits:5")(log_probs)[0]
    warm = decoder_for(replace(reader.card, temperature=2.0), method, "digits:5")(log_probs)[0]
    assert cool.text == warm.text == "31415"
    assert 0 < warm.confidence < cool.confidence


def test_a_reader_obeys_its_grammar(reader: Reader) -> None:
    free = reader(PICTURE)
    assert (free.text, free.alternatives) == ("31415", ())
    right = Reader("digits-tiny", grammar="digits:5")(PICTURE)
    assert right.text == "31415"
    assert right.confidence == free.confidence
    assert right.characters == free.characters
    wrong = Reader("digits-tiny", grammar="digits:4")(PICTURE)
    assert len(wrong.text) == len(wrong.characters) == 4
    assert wrong.confidence < 0.1  # no four digits explain this picture
    assert [c.text for c in wrong.characters] == list(wrong.text)
    starts = [c.start for c in wrong.characters]
    assert starts == sorted(starts)


def test_alternatives_are_other_texts_and_less_probable() -> None:
    for grammar in ("none", "digits:5"):
        reading = Reader("digits-tiny", grammar=grammar, alternatives=3)(PICTURE)
        assert reading.text == "31415"
        assert len(reading.alternatives) == 3
        probabilities = [reading.confidence, *(a.probability for a in reading.alternatives)]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) <= 1 + 1e-9
        assert len({reading.text, *(a.text for a in reading.alternatives)}) == 4
        if grammar != "none":
            assert all(len(a.text) == 5 for a in reading.alternatives)


def test_an_unknown_grammar_is_refused() -> None:
    with pytest.raises(InputError, match="numberplates"):
        Reader("digits-tiny", grammar="numberplates")


def test_predict_with_a_grammar_and_alternatives() -> None:
    done = run_cli(
        *PREDICT, PICTURE, "missing.png", "--format", "json", "--grammar", "re:[0-9]{4}",
        "--alternatives", 2,
    )  # fmt: skip
    assert done.returncode == 2  # for the missing picture alone
    good, bad = json.loads(done.stdout)
    assert len(good["text"]) == 4
    assert len(good["alternatives"]) == 2
    for other in good["alternatives"]:
        assert set(other) == {"text", "display", "probability"}
        assert len(other["text"]) == 4
        assert 0 <= other["probability"] <= good["confidence"]
    assert bad["alternatives"] == []
    plain = json.loads(run_cli(*PREDICT, PICTURE, "--format", "json").stdout)[0]
    assert plain["alternatives"] == []


def test_predict_says_what_is_wrong_with_a_grammar() -> None:
    done = run_cli(*PREDICT, PICTURE, "--grammar", "re:[0-9")
    assert done.returncode == 2
    assert done.stdout == b""
    lines = done.stderr.decode().strip().splitlines()
    assert len(lines) == 1
    assert "pattern" in lines[0]


def test_evaluate_decodes_as_it_is_told(tmp_path: Path) -> None:
    for path in (EXAMPLES / "digits").glob("*.png"):
        (tmp_path / f"{path.name[:5]}_0.png").write_bytes(path.read_bytes())
    out = tmp_path / "out.json"
    expected = {
        (): ("greedy", 1.0),
        ("--decode", "greedy", "--grammar", "digits:4"): ("greedy", 1.0),
        ("--decode", "search"): ("search", 1.0),
        ("--grammar", "digits:5"): ("grammar digits:5", 1.0),
        ("--decode", "grammar", "--grammar", "digits:4"): ("grammar digits:4", 0.0),
    }
    for arguments, (method, exact) in expected.items():
        done = run_cli("evaluate", "digits-tiny", tmp_path, "--json", out, *arguments)
        assert done.returncode == 0, done.stderr
        assert f"decoded by        {method}\n" in done.stdout.decode()
        values = json.loads(out.read_text(encoding="utf-8"))
        assert (values["decode"], values["exact_match"]) == (method, exact)
    done = run_cli("evaluate", "digits-tiny", tmp_path, "--decode", "grammar")
    assert done.returncode == 2
    assert b"--grammar" in done.stderr
