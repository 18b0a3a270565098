"""crnn-ctc calibrate: another temperature in a model file, nothing else changed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import printed_digits, run_cli
from crnn_ctc import InputError, Reader
from crnn_ctc.data.digits import enlarge, hold_out, load_digits
from crnn_ctc.data.sequences import protocol
from crnn_ctc.export.calibration import fit_temperature, held_out_rows, temperature

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
    assert temperature(after, pictures) == after.card.temperature
    again = run_cli("calibrate", out, pictures, "--out", out, "--grammar", "digits:1-5")
    assert again.returncode == 0, again.stderr
    assert Reader(out).card == dataclasses.replace(after.card, grammar="digits:1-5")


def test_the_shipped_digits_are_calibrated(emnist: Path) -> None:
    """The card's temperature is the best one on what training held out, to within the search."""
    reader = Reader("digits-tiny")
    images, texts = held_out_rows(reader.card, emnist)
    images, texts = images[:1000], texts[:1000]
    found = fit_temperature([(reader.log_probs(images), texts)], reader.card.alphabet)
    assert reader.card.temperature == pytest.approx(found, rel=0.15)
    assert reader.card.temperature > 1


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


def test_plates_cannot_be_calibrated_by_digits(small_emnist: Path) -> None:
    with pytest.raises(InputError, match="calibrate it with labelled pictures"):
        temperature(Reader("plates-tiny"), small_emnist)
