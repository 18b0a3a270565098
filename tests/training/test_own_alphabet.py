"""A user's own pictures, alphabet and sources, from a folder to a model file."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import DIGITS, PLATES, Alphabet, InputError, Reader
from crnn_ctc.plates.schemes import normaliser
from helpers.cli import run_cli, sets
from helpers.data import write_lines

pytest.importorskip("torch")

from crnn_ctc.data.completed import with_alphabet
from crnn_ctc.data.plates import PlateSource
from crnn_ctc.data.source import open_training_data
from crnn_ctc.recipe import OwnAlphabet, Recipe, load_recipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SMALL = (
    "input.height=32", "input.width=64", "input.channels=1", "training.images=32",
    "training.batch_size=8", "training.validations=1", "training.precision=float32",
)  # fmt: skip


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A user's folder: three texts to train on, one to choose by."""
    root = tmp_path / "lines"
    write_lines(root / "train", ("bad", "Ébène", "a b"), copies=3)
    write_lines(root / "val", ("dab",))
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("characters", ["ABC", "#", "#\ue000", "01 é"])
def test_the_blank_is_first_and_collides_with_nothing(characters: str) -> None:
    alphabet = Alphabet.of(characters)
    assert (alphabet.characters, alphabet.blank) == (characters, 0)
    assert alphabet.decode(alphabet.encode(characters)) == characters


@pytest.mark.parametrize(
    ("characters", "says"), [("ABA", "'A' occurs twice"), ("", "empty"), ("A\n", "control")]
)
def test_characters_that_are_no_alphabet(characters: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Alphabet.of(characters)


def test_an_alphabet_is_a_name_or_a_table_of_characters() -> None:
    assert load_recipe("text-tiny", ["alphabet=DIGITS"]).characters == DIGITS
    for change in ("alphabet.characters=0123AB", 'alphabet={characters="0123AB"}'):
        recipe = load_recipe("text-tiny", [change])
        assert recipe.characters == Alphabet("#0123AB", 0)
        assert Recipe.model_validate(json.loads(json.dumps(recipe.model_dump()))) == recipe
    number = load_recipe("text-tiny", ["alphabet.characters=97"])
    assert number.characters.characters == "97"
    more = load_recipe("digits-tiny", ["alphabet.characters=9876543210X"])  # takes its name's place
    assert more.characters.characters == "9876543210X"


def test_plates_are_spelt_with_their_alphabet_alone() -> None:
    with pytest.raises(InputError, match=r"set data\.kind to labelled"):
        load_recipe("plates-tiny", ["alphabet.characters=ABC"])


def test_an_alphabet_of_labels_is_not_known_before_they_are_read() -> None:
    with pytest.raises(InputError, match="that of the training labels"):
        _ = load_recipe("text-tiny").characters


def test_labels_are_mended_as_their_alphabet_asks() -> None:
    assert normaliser(PLATES)(" 皖a·12345 ") == "皖A12345"
    for other in (DIGITS, Alphabet.of("ab"), None):
        assert normaliser(other)(" e\u0301 a·b ") == "é a·b"


def test_the_alphabet_is_that_of_the_training_labels(lines: Path) -> None:
    recipe = with_alphabet(load_recipe("text-tiny", [*SMALL]), lines)
    assert recipe.alphabet == OwnAlphabet(characters=" abdenÉè")
    write_lines(lines / "val", ("dq",))  # a model to begin with may know it
    assert with_alphabet(recipe, lines) is recipe
    wider = with_alphabet(load_recipe("text-tiny", [*SMALL]), lines)
    assert wider.alphabet == OwnAlphabet(characters=" abdenqÉè")
    open_training_data(wider, lines)
    named = load_recipe("text-tiny", [*SMALL, "alphabet.characters=xyz"])
    assert with_alphabet(named, lines) is named


def test_labels_that_cannot_be_spelt_are_named_with_the_remedy(lines: Path) -> None:
    recipe = with_alphabet(load_recipe("text-tiny", [*SMALL]), lines)
    write_lines(lines / "val", ("xa",))
    with pytest.raises(InputError, match=r"xa_0\.png: label 'xa': 'x' is not in the alphabet"):
        open_training_data(recipe, lines)
    (lines / "val" / "xa_0.png").unlink()
    write_lines(lines / "val", ("dabbed" * 4,))  # 24 characters, 7 repeats
    narrow = load_recipe("text-tiny", [*SMALL, "input.width=40", "alphabet.characters=abden Éè"])
    with pytest.raises(InputError, match=r"needs 31 time steps .*input\.width=(\d+)") as caught:
        open_training_data(narrow, lines)
    width = str(caught.value).rpartition("=")[2]
    wide = [*SMALL, f"input.width={width}", "alphabet.characters=abden Éè"]
    open_training_data(load_recipe("text-tiny", wide), lines)


def sources(recipe: Recipe, folder: Path) -> PlateSource:
    source = open_training_data(recipe, folder)[0]
    assert isinstance(source, PlateSource)
    return source


def test_several_sources_pooled_or_by_weight(lines: Path) -> None:
    write_lines(lines / "more" / "deeper", ("bab", "dad"))
    own = [*SMALL, "alphabet.characters=abden Éè"]
    alone = sources(load_recipe("text-tiny", own), lines)
    listed = sources(load_recipe("text-tiny", [*own, 'data.train=["train"]']), lines)
    assert [alone.sample(i)[1] for i in range(30)] == [listed.sample(i)[1] for i in range(30)]
    pooled = sources(load_recipe("text-tiny", [*own, 'data.train=["train", "more"]']), lines)
    (pool,) = pooled.pools
    assert sorted(set(pool.texts)) == ["a b", "bab", "bad", "dad", "Ébène"]
    assert len(pool.images) == len(pool.texts) == 11
    weights = 'data.train={"train" = 1, "more" = 3.0}'
    weighted = sources(load_recipe("text-tiny", [*own, weights]), lines)
    drawn = [weighted.sample(i)[1] for i in range(400)]
    assert abs(np.mean([text in {"bab", "dad"} for text in drawn]) - 0.75) < 0.07
    turned = load_recipe("text-tiny", [*own, 'data.train={"more" = 3.0, "train" = 1}'])
    assert [sources(turned, lines).sample(i)[1] for i in range(20)] == drawn[:20]
    both = load_recipe("text-tiny", [*own, 'data.validation=["val", "more"]'])
    assert sorted(open_training_data(both, lines)[1].texts) == ["bab", "dab", "dad"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("3", "data.train: .*string"),
        ("[]", "data.train: .*at least 1"),
        ("{}", "data.train: .*at least 1"),
        ("{a=0}", "data.train.a: .*greater than 0"),
        ('{a="much"}', "data.train.a: .*number"),
        ("[1]", "data.train.0: .*string"),
    ],
)
def test_sources_that_are_none(value: str, says: str) -> None:
    for name in ("text-tiny", "plates-tiny"):
        with pytest.raises(InputError, match=says):
            load_recipe(name, [f"data.train={value}"])


def test_from_a_folder_of_pictures_to_a_model_file(lines: Path, tmp_path: Path) -> None:
    """What the user does: train, go on, evaluate, export, info. One picture is broken."""
    (lines / "train" / "bad_9.jpg").write_bytes(b"\xff\xd8 no more than this")
    run = tmp_path / "run"
    command = ["train", "text-tiny", "--data", lines, "--run", run, *sets(*SMALL)]
    done = run_cli(*command)
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert said.count("bad_9.jpg") == 1
    assert f"left out: 1 of 10 pictures of {lines / 'train'}" in said
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    assert recipe["alphabet"] == {"characters": " abdenÉè"}
    done = run_cli(*command, "--resume")
    assert done.returncode == 0, done.stderr.decode()
    write_lines(lines / "train", ("q",))  # another alphabet: another network
    done = run_cli(*command, "--resume")
    assert done.returncode == 2
    assert "begun with 9 training pictures, there are 10 now" in done.stderr.decode()

    model = tmp_path / "own.onnx"
    done = run_cli("export", run, "--out", model)
    assert done.returncode == 0, done.stderr.decode()
    assert Reader(model).card.alphabet == Alphabet("# abdenÉè", 0)
    assert Reader(model)(next((lines / "val").iterdir())).error is None
    for name in (run, model):
        file = tmp_path / "measures.json"
        done = run_cli("evaluate", name, lines / "val", "--json", file)
        assert done.returncode == 0, done.stderr.decode()
        values = json.loads(file.read_text())
        assert values["n"] == 1
        assert "exact_match_without_province" not in values
    done = run_cli("info", model)
    assert done.returncode == 0, done.stderr.decode()
    assert " abdenÉè and the blank at 0" in done.stdout.decode()


def test_a_set_of_broken_pictures_alone(lines: Path) -> None:
    for path in (lines / "val").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"no labelled picture can be read: .*dab_0\.png"):
        open_training_data(
            load_recipe("text-tiny", [*SMALL, "alphabet.characters=abden Éè"]), lines
        )


def test_first_characters_are_balanced_where_the_recipe_says_so(lines: Path) -> None:
    write_lines(lines / "train", ("bad",), copies=12)  # 12 of 18 begin with b
    own = [*SMALL, "alphabet.characters=abden Éè"]
    for balance, share in ((0.0, 12 / 18), (1.0, 1 / 3)):
        source = sources(load_recipe("text-tiny", [*own, f"data.balance={balance}"]), lines)
        drawn = [source.sample(i)[1] for i in range(400)]
        assert abs(np.mean([text == "bad" for text in drawn]) - share) < 0.08


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_name_that_is_no_text_is_said_and_stops_nothing_else(lines: Path) -> None:
    name = os.fsencode(lines / "train") + b"/\xff12_1.png"
    shutil.copy(next((lines / "train").iterdir()), name)
    with pytest.raises(InputError, match=r"\\xff12_1\.png: the label is not UTF-8; rename"):
        with_alphabet(load_recipe("text-tiny", [*SMALL]), lines)
    done = run_cli("data", "check", lines, "--alphabet", "DIGITS", PYTHONIOENCODING="utf-8")
    assert done.returncode == 2
    assert "not UTF-8; rename the picture" in done.stdout.decode()
    assert "11 pictures" in done.stdout.decode()
    # bytes that are no text are harmless where they are no label
    Path(os.fsdecode(name)).rename(os.fsdecode(name.replace(b"\xff12_1", b"bad_\xff")))
    recipe = load_recipe("text-tiny", [*SMALL, "alphabet.characters=abden Éè"])
    assert len(sources(recipe, lines).pools[0].texts) == 10


def test_a_label_that_is_no_line_is_named(lines: Path) -> None:
    (lines / "train" / "manifest.csv").write_text("file,label\nbad_0.png,a\x07b\n")
    with pytest.raises(InputError, match=r"manifest\.csv:2: label .*control character"):
        with_alphabet(load_recipe("text-tiny", [*SMALL]), lines)


def test_light_ink_is_what_the_recipe_says(lines: Path) -> None:
    own = [*SMALL, "alphabet.characters=abden Éè"]
    dark = open_training_data(load_recipe("text-tiny", own), lines)[1].images
    light = open_training_data(load_recipe("text-tiny", [*own, "data.ink=light"]), lines)[1].images
    assert dark.mean() > 127 > light.mean()
    assert Image.open(next((lines / "val").iterdir())).getpixel((0, 0)) == 255
