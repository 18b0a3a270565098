"""A model of rows of any width, from training to readings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

pytest.importorskip("torch", reason="training comes with the extra [train]")
pytest.importorskip("cv2", reason="synthesis comes with the extra [train]")

from dataclasses import replace

from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.errors import InputError
from crnn_ctc.export.to_onnx import export
from crnn_ctc.model_file.card import KEY, Card
from crnn_ctc.plates.schemes import normaliser
from crnn_ctc.reader import Reader
from crnn_ctc.recipe import load_recipe
from crnn_ctc.training.reader import train_reader
from crnn_ctc.training.run_folder import Trained
from helpers.cli import run_cli
from helpers.data import EXAMPLES, shared_data, write_emnist

SHORT = (
    "training.images=32",
    "training.batch_size=8",
    "training.precision=float32",
    "training.validations=1",
    "data.validation_drawn=12",
)


def row(width: int, height: int = 40, text: str = "407") -> Image.Image:
    picture = Image.new("L", (width, height), 200)
    font = ImageFont.load_default(height * 0.7)
    ImageDraw.Draw(picture).text((width / 2, height / 2), text, 30, font, "mm")
    return picture


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    write_emnist(folder / "emnist", train=300)
    recipe = load_recipe("digits-rows", list(SHORT))
    train_reader(recipe, folder, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def model(run: Path) -> Path:
    path = run.parent / "digits-rows.onnx"
    _, difference = export(run, path)
    assert difference <= 1e-4
    return path


def test_the_card_says_that_the_width_is_free(model: Path) -> None:
    card = Reader(model).card
    assert (card.width, card.width_step, card.steps) == (448, 16, 112)
    assert card.fit(np.zeros((50, 500, 3), np.uint8)).shape == (48, 448, 1)
    assert card.fit(np.zeros((50, 100, 3), np.uint8)).shape == (48, 96, 1)


def test_pictures_of_many_widths_are_read_alone_as_together(model: Path) -> None:
    reader = Reader(model)
    pictures = [np.asarray(row(width).convert("RGB")) for width in (30, 90, 300, 90, 700)]
    together = list(reader.read(pictures, batch_size=8))
    for picture, reading in zip(pictures, together, strict=True):
        alone = reader(picture)
        assert alone.text == reading.text
        assert alone.confidence == pytest.approx(reading.confidence, abs=1e-4)


def test_characters_stand_where_they_are_in_the_picture(model: Path) -> None:
    reader = Reader(model)
    narrow = reader.log_probs(reader.fit(np.full((48, 96, 3), 90, np.uint8))[None])
    wide = reader.log_probs(reader.fit(np.full((48, 192, 3), 90, np.uint8))[None])
    assert (narrow.shape[1], wide.shape[1]) == (24, 48)
    for width in (96, 200):
        for character in reader(np.asarray(row(width, 48).convert("RGB"))).characters:
            assert 0 <= character.start < character.end <= width


def test_the_graph_computes_what_torch_does_at_every_width(run: Path, model: Path) -> None:
    trained, reader = Trained(run), Reader(model)
    random = np.random.default_rng(0)
    for width in (48, 160, 448):
        images = random.integers(0, 256, (3, 48, width, 1), np.uint8)
        np.testing.assert_allclose(
            np.exp(trained.log_probs(images)), np.exp(reader.log_probs(images)), atol=1e-4
        )


def test_contrast_and_exposure_change_nothing(model: Path) -> None:
    reader = Reader(model)
    image = reader.fit(np.asarray(row(160).convert("RGB")))[None]
    dim = (image.astype(np.float32) * 0.5 + 20).astype(np.uint8)
    np.testing.assert_allclose(
        np.exp(reader.log_probs(image)), np.exp(reader.log_probs(dim)), atol=0.05
    )


def test_training_goes_on_from_the_model_file(run: Path, model: Path) -> None:
    recipe = load_recipe(run / "recipe.toml", ["training.images=8"])
    train_reader(recipe, run.parent, run.parent / "on", start=str(model))
    assert (run.parent / "on" / "best.safetensors").exists()


@pytest.mark.parametrize(
    "change",
    [{"width_step": 15}, {"width_step": -16}, {"width_step": 896}, {"width_step": "16"}],
)
def test_a_card_with_an_impossible_width_step_is_refused(
    model: Path, change: dict[str, object]
) -> None:
    card = replace(Reader(model).card, **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="damaged"):
        Card.from_json(card.to_json(), "m.onnx")


def test_the_command_line_reads_evaluates_and_describes_rows(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k, width in enumerate((60, 200, 400)):
        row(width).save(folder / f"00{k}_1.png")
    (folder / "broken.png").write_bytes(b"no picture")
    done = run_cli("predict", "--model", model, "--format", "json", folder)
    assert done.returncode == 2, "one picture is broken"
    readings = json.loads(done.stdout)
    assert len(readings) == 4
    assert b"broken.png: not a picture" in done.stderr

    (folder / "broken.png").unlink()
    report = tmp_path / "result.json"
    done = run_cli("evaluate", model, folder, "--json", report)
    assert done.returncode == 0, done.stderr
    assert json.loads(report.read_text())["n"] == 3

    digits = write_emnist(tmp_path / "emnist", test=40)
    done = run_cli("evaluate", model, digits)
    assert done.returncode == 0, done.stderr
    assert b"5000 rows" in done.stdout

    done = run_cli("info", model)
    assert b"W (a multiple of 16, 48 to 448)x48 pixels, grey" in done.stdout
    assert b"(N, W / 4, 11)" in done.stdout


def test_a_run_is_calibrated_with_rows_of_many_widths(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    for k, width in enumerate((60, 60, 200)):
        row(width).save(folder / f"407_{k}.png")
    done = run_cli("calibrate", model, folder, "--out", tmp_path / "warm.onnx")
    assert done.returncode == 0, done.stderr
    assert KEY.encode() in (tmp_path / "warm.onnx").read_bytes()


def test_no_8_bit_model_of_free_width_is_made(model: Path, tmp_path: Path) -> None:
    done = run_cli(
        "export", model, "--int8", "--out", tmp_path / "q.onnx",
        "--calibrate-on", tmp_path / "a", "--check", tmp_path / "b",
    )  # fmt: skip
    assert done.returncode == 2
    assert b"rows of any width" in done.stderr


def test_the_shipped_model_reads_the_example_rows() -> None:
    reader = Reader("digits")
    assert (reader.card.name, reader.card.width_step) == ("digits-rows", 16)
    folder = EXAMPLES / "rows"
    read = {path.stem: reader(path) for path in folder.glob("*.png")}
    empty = read.pop("no text")
    assert (empty.text, empty.confidence, empty.accepted) == ("", 0.0, False)
    right = [name for name, reading in read.items() if reading.text == name]
    assert len(right) >= len(read) - 1


def test_the_shipped_model_reads_real_rows() -> None:
    data = shared_data("orand_car")
    reader = Reader("digits")
    samples = list(read_labelled(data / "dev.csv", normalise=normaliser(reader.card.alphabet)))
    readings = reader.read([sample.path for sample in samples])
    right = sum(r.text == s.text for r, s in zip(readings, samples, strict=True))
    assert right / len(samples) >= 0.78


def test_dashes_and_empty_paper_have_no_text() -> None:
    reader = Reader("digits", min_confidence=0.1)
    paper = np.full((50, 200, 3), 190, np.uint8)
    dashes = paper.copy()
    dashes[24:27, 30:80] = dashes[24:27, 110:170] = 40
    for picture in (paper, dashes):
        reading = reader(picture)
        assert (reading.text, reading.accepted) == ("", False)


def test_a_length_and_a_rule_refuse_other_numbers() -> None:
    path = EXAMPLES / "rows" / "27564.png"
    assert len(Reader("digits", grammar="digits:6")(path).text) in (0, 6)
    assert Reader("digits", grammar="luhn")(path).text != "27564"
    assert Reader("digits", rule=lambda text: text != "27564")(path).text != "27564"
