from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crnn_ctc import InputError
from helpers.data import ROOT

pytest.importorskip("pydantic")

from crnn_ctc.cli.main import app
from crnn_ctc.model_file.card import Card
from crnn_ctc.recipe import load_recipe, shipped_recipes
from crnn_ctc.recipe.keys import keys


@pytest.mark.parametrize("name", ["digits", "plates"])
@pytest.mark.parametrize("size", ["", "-tiny"])
@pytest.mark.parametrize("rnn", ["", "-lstm"])
def test_shipped_recipes(name: str, size: str, rnn: str) -> None:
    name += size + rnn
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.network.rnn == ("lstm" if "lstm" in name else "gru")
    assert recipe.network.architecture == ("CRNN_Tiny" if "tiny" in name else "CRNN")


def test_every_shipped_recipe_loads() -> None:
    assert len(shipped_recipes()) >= 4
    for name in shipped_recipes():
        load_recipe(name)


def test_set_changes_a_value() -> None:
    recipe = load_recipe("digits-tiny", ["training.images=1000", "network.rnn=lstm", "seed=9"])
    assert (recipe.training.images, recipe.network.rnn, recipe.seed) == (1000, "lstm", 9)


def test_a_recipe_may_name_a_grammar() -> None:
    assert load_recipe("digits-tiny").grammar is None
    assert load_recipe("digits-tiny", ["grammar=digits:5"]).grammar == "digits:5"
    assert load_recipe("digits-tiny", ["grammar='re:[0-4]{5}'"]).grammar == "re:[0-4]{5}"
    for name, says in {"plates": "not for this model", "re:[0-": "missing"}.items():
        with pytest.raises(InputError, match=says):
            load_recipe("digits-tiny", [f"grammar='{name}'"])


def test_the_grammar_travels_in_the_card() -> None:
    pytest.importorskip("torch")
    from crnn_ctc.net.build import build
    from crnn_ctc.training.run_folder import make_card

    recipe = load_recipe("digits-tiny", ["grammar=digits:5"])
    card = make_card(recipe, build(recipe), {"step": 0, "validation": {}})
    assert Card.from_json(card.to_json(), "it").grammar == "digits:5"


def test_cycles() -> None:
    size = ["training.batch_size=10", "training.images=1000"]
    plan = load_recipe("digits-tiny", [*size, "training.restarts=[300, 500]"]).training
    assert plan.cycles == (0, 30, 50, 100)
    assert load_recipe("digits-tiny", [*size, "training.restarts=[300, 1000]"]).training.cycles == (
        0,
        30,
        100,
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("training.imagse=1000", "training.imagse: unknown key .did you mean training.images"),
        ("training.lr=0.1", "training.lr: unknown key; list all keys with: .*recipe-keys.md"),
        ("data.balance=0.5", "data.balance: unknown key; list"),
        ("colour=3", "colour: unknown key"),
        ("training.images=many", "training.images: .*integer"),
        ('training.images="1000"', "training.images: .*integer"),
        ("training.images=0", "training.images: .*greater than 0"),
        ("training.images=1.5", "training.images: .*integer"),
        ("training.warmup=1.0", "training.warmup: .*less than 1"),
        ("training.learning_rate=-1.0", "training.learning_rate: .*greater than 0"),
        ("network.architecture=VGG", "network.architecture: .*CRNN"),
        ("network.dropout=1.0", "network.dropout: .*less than 1"),
        ("alphabet=GREEK", "alphabet: .*'DIGITS', 'PLATES', 'PLATES_CN' or 'LABELS'"),
        ("alphabet=LABELS", "digits need an alphabet that holds all ten"),
        ("alphabet.characters=ABC", "digits need an alphabet that holds all ten"),
        ("alphabet.characters=ABA", "alphabet.characters: .*'A' occurs twice"),
        ('alphabet.characters="e\\u0301\\u00e9"', "'é' occurs twice"),
        ('alphabet.characters="A\\t"', "control character"),
        ('alphabet.characters=""', "alphabet.characters: .*empty"),
        ("alphabet.chars=ABC", "alphabet"),
        ("name=../x", "name: "),
        ("data.per_sequence=6", "need input.width = 192"),
        ("input.channels=3", "grey"),
        ("training.restarts=[100]", "restarts must rise"),
        ("training.restarts=[500000, 400000]", "restarts must rise"),
        ("training", "key=value"),
        ("name.first=x", "a value, not a section"),
    ],
)
def test_bad_changes_are_named(change: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        load_recipe("digits-tiny", [change])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name = ", "not TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b"name = 'x'\n", "is missing"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        load_recipe(path)
    assert str(path) in str(caught.value)


def test_every_key_is_described() -> None:
    assert [key.name for key in keys() if not key.meaning.endswith(".")] == []
    named = {key.name: key for key in keys("plates")}
    assert named["training.learning_rate"].range == "> 0, ≤ 1"
    assert named["data.cut"].range == "mixed, corners, box"
    assert named["input.height"].default == ""
    assert "data.per_sequence" not in named


def test_the_page_of_keys_is_up_to_date() -> None:
    docs = ROOT / "docs"
    page = runpy.run_path(str(docs / "recipe_keys.py"))["page"]
    lines = "\n".join(page()) + "\n"
    assert (docs / "recipe-keys.md").read_text(encoding="utf-8") == lines, (
        "python docs/recipe_keys.py > docs/recipe-keys.md"
    )


def test_keys_are_listed_with_their_values() -> None:
    shown = CliRunner().invoke(app, ["info", "digits-tiny", "--keys"]).stdout
    assert "training.learning_rate = 0.003  (number, > 0, ≤ 1; must be set)\n" in shown
    assert "alphabet.characters" not in shown
    assert "data.per_sequence = 5 " in shown
    assert "data.cut" not in shown


def test_a_missing_recipe_names_the_shipped_ones() -> None:
    with pytest.raises(InputError, match="digits-tiny"):
        load_recipe("digit-tiny")
