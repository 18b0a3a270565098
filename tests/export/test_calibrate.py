"""crnn-ctc calibrate: another temperature in a model file, nothing else changed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import Alphabet, InputError, Reader
from crnn_ctc.data.digits import enlarge, hold_out, load_digits
from crnn_ctc.data.sequences import protocol
from crnn_ctc.decode.decoder import decoder_for
from crnn_ctc.evaluation.collection import pictures_without_text
from crnn_ctc.evaluation.confidence import expected_calibration_error
from crnn_ctc.export.calibration import (
    fit_temperature,
    held_out_rows,
    temperature,
)
from helpers.cli import run_cli
from helpers.data import EXAMPLES, printed_digits

onnx = pytest.importorskip("onnx")


def labelled(folder: Path, count: int = 12) -> Path:
    """Single printed digits, DIGIT_n.png."""
    folder.mkdir()
    images, labels = printed_digits(count)
    for k, (image, label) in enumerate(zip(enlarge(images), labels.tolist(), strict=True)):
        Image.fromarray(image).save(folder / f"{label}_{k}.png")
    return folder


def test_digits_are_those_that_training_held_out(small_emnist: Path) -> None:
    reader = Reader("digits-tiny")
    images, texts = held_out_rows(reader.card, small_emnist)
    _, held = hold_out(load_digits(small_emnist, "train"), 0.03)
    expected, labels = protocol(held, "distorted")
    assert np.array_equal(images, expected)
    assert texts == labels


def test_only_the_temperature_changes(tmp_path: Path) -> None:
    out, pictures = tmp_path / "own.onnx", labelled(tmp_path / "pictures")
    done = run_cli("calibrate", "digits-tiny", pictures, "--out", out)
    assert done.returncode == 0, done.stderr
    before, after = Reader("digits-tiny"), Reader(out)
    assert after.card.temperature != before.card.temperature
    assert dataclasses.replace(after.card, temperature=before.card.temperature) == before.card
    assert f"temperature {after.card.temperature} by pictures" in done.stdout.decode()
    images = np.random.default_rng(0).integers(0, 255, (3, 32, 160, 1), np.uint8)
    np.testing.assert_array_equal(after.log_probs(images), before.log_probs(images))
    # what is found does not depend on what the card said before
    assert temperature(after, pictures).value == after.card.temperature
    again = run_cli("calibrate", out, pictures, "--out", out, "--grammar", "digits:1-5")
    assert again.returncode == 0, again.stderr
    assert Reader(out).card == dataclasses.replace(after.card, grammar="digits:1-5")


def test_half_of_the_negatives_are_fitted_to_and_the_others_measured(tmp_path: Path) -> None:
    pictures, negatives = labelled(tmp_path / "pictures"), tmp_path / "negatives"
    negatives.mkdir()
    random = np.random.default_rng(0)
    for k in range(12):
        noise = random.integers(0, 255, (32, 96, 3), np.uint8)
        Image.fromarray(noise).save(negatives / f"{k}.png")
    halves = [
        {picture.name for picture in pictures_without_text(negatives, half)}
        for half in ("fit", "report")
    ]
    assert halves[0] | halves[1] == {f"{k}.png" for k in range(12)}
    assert not halves[0] & halves[1]
    out, json_file = tmp_path / "own.onnx", tmp_path / "own.json"
    done = run_cli(
        "calibrate", "digits-tiny", pictures, "--negatives", negatives, "--report", pictures,
        "--json", json_file, "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = json.loads(json_file.read_text(encoding="utf-8"))
    assert values["temperature"] == Reader(out).card.temperature
    assert values["fitted_to"] == "pictures and half of negatives"
    assert (values["reported_on"], values["n"]) == ("pictures", 12)
    assert values["negatives"]["n"] == len(halves[1])
    assert 0 <= values["negatives"]["highest"] <= 1
    assert sum(row["n"] for row in values["confidence"]["reliability"]) == 12


def test_the_shipped_digits_are_calibrated(emnist: Path) -> None:
    """On what training held out, confidences agree with how often the texts are right."""
    reader = Reader("digits-tiny")
    images, texts = held_out_rows(reader.card, emnist)
    images, texts = images[:1000], texts[:1000]
    decoded = decoder_for(reader.card)(reader.log_probs(images))
    right = [one.text == text for one, text in zip(decoded, texts, strict=True)]
    assert expected_calibration_error([one.confidence for one in decoded], right) < 0.02


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["digits-tiny", "{pictures}", "--out", "model.pt"], "NAME.onnx"),
        (["nothing", "{pictures}", "--out", "x.onnx"], "no such model"),
        (["digits-tiny", "missing", "--out", "x.onnx"], "missing"),
        (["digits-tiny", "{pictures}", "--out", "x.onnx", "--grammar", "plates"], "not for this"),
        (["digits-tiny", "{empty}", "--out", "x.onnx"], "empty"),
    ],
)
def test_what_cannot_be_calibrated(tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "empty").mkdir()
    places = {"pictures": labelled(tmp_path / "pictures", 2), "empty": tmp_path / "empty"}
    filled = [argument.format(**places) for argument in arguments]
    done = run_cli("calibrate", *filled, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert not (tmp_path / "x.onnx").exists()


def test_few_pictures_that_are_all_right_do_not_make_a_model_overconfident(tmp_path: Path) -> None:
    reader = Reader("digits-tiny")
    pictures = [p for p in (EXAMPLES / "digits").iterdir() if reader(p).text]
    folder = tmp_path / "right"
    folder.mkdir()
    for n, path in enumerate(pictures):
        text = reader(path).text
        (folder / f"{text}_{n}{path.suffix}").write_bytes(path.read_bytes())
    done = run_cli("calibrate", "digits-tiny", folder, "--out", tmp_path / "own.onnx")
    assert done.returncode == 0, done.stderr
    said = done.stderr.decode()
    assert f"all {len(pictures)} answers are right" in said
    assert f"{len(pictures)} pictures are few" in said
    fitted = temperature(reader, folder)
    low, high = fitted.interval95
    assert low <= fitted.value <= high
    assert fitted.value > 0.5  # the bound of the search is 0.25


def test_many_answers_outweigh_the_prior() -> None:
    alphabet = Alphabet("#a", 0)
    # confidence 0.9 in one step, right 6 times of 10
    step = np.log(np.array([[0.1, 0.9]], np.float32))
    right = [n % 10 < 6 for n in range(1000)]
    fitted = fit_temperature([step] * 1000, ["a"] * 1000, right, alphabet)
    confidence = 1 / (1 + 9 ** (-1 / fitted.value))
    assert confidence == pytest.approx(0.6, abs=0.08)  # the search ends at temperature 4
    assert (fitted.answers, fitted.wrong, fitted.warnings) == (1000, 400, [])
    few = fit_temperature([step] * 20, ["a"] * 20, right[:20], alphabet)
    assert few.value < fitted.value
    assert few.interval95[1] - few.interval95[0] > fitted.interval95[1] - fitted.interval95[0]


def test_plates_cannot_be_calibrated_by_digits(small_emnist: Path) -> None:
    with pytest.raises(InputError, match="calibrate it with labelled pictures"):
        temperature(Reader("plates-tiny"), small_emnist)
