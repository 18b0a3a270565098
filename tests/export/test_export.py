from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import InputError, Reader
from crnn_ctc.data.digits import enlarge
from crnn_ctc.model_file.card import KEY, Card
from helpers.cli import run_cli
from helpers.data import printed_digits

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from crnn_ctc.benchmark.specimens import fitted_specimens  # noqa: E402
from crnn_ctc.export import to_onnx as exporting  # noqa: E402
from crnn_ctc.net.network import scale_pixels  # noqa: E402
from crnn_ctc.training.run_folder import Trained  # noqa: E402


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_the_file_computes_what_torch_does(small_run: Path, small_model: Path, n: int) -> None:
    reader, network = Reader(small_model), Trained(small_run).network
    images = fitted_specimens(n, reader.card)
    with torch.inference_mode():
        expected = network(scale_pixels(torch.from_numpy(images))).numpy()
    got = reader.log_probs(images)
    assert got.dtype == np.float32
    np.testing.assert_allclose(np.exp(got), np.exp(expected), atol=1e-4)
    np.testing.assert_array_equal(got.argmax(-1), expected.argmax(-1))


def test_one_file_says_all(small_model: Path) -> None:
    model = onnx.load(small_model)
    assert [i.name for i in model.graph.input] == ["images"]
    assert [o.name for o in model.graph.output] == ["log_probs"]
    size = model.graph.input[0].type.tensor_type
    assert size.elem_type == onnx.TensorProto.UINT8
    assert size.shape.dim[0].dim_param  # a free batch
    assert [d.dim_value for d in size.shape.dim][1:] == [32, 32, 1]
    assert not any(i.external_data for i in model.graph.initializer)
    card = json.loads({p.key: p.value for p in model.metadata_props}[KEY])
    assert card["alphabet"] == {"symbols": "0123456789#", "blank": 10}
    assert card["recipe"]["training"]["images"] == 1600
    assert card["metrics"]["step"] > 0
    assert card["licence"] == "Apache-2.0"
    assert card["name"] == "small"


def test_no_path_of_the_exporting_machine_is_in_the_file(small_model: Path) -> None:
    content = small_model.read_bytes()
    assert b"site-packages" not in content
    assert b".py" not in content
    assert str(Path.home()).encode() not in content


def test_half_is_half_the_size_and_reads_the_same(
    small_run: Path, small_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "half.onnx"
    card, difference = exporting.export(small_run, out, {"data": "printed"}, half=True)
    assert difference <= 1e-4
    assert card.data == "printed"
    assert out.stat().st_size < 0.6 * small_model.stat().st_size
    images = fitted_specimens(32, card)
    whole, half = Reader(small_model).log_probs(images), Reader(out).log_probs(images)
    assert np.abs(np.exp(whole) - np.exp(half)).max() < 0.05
    assert (whole.argmax(-1) == half.argmax(-1)).mean() > 0.99


def test_a_graph_that_differs_is_not_written(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = exporting.to_onnx

    def wrong(*parts: Any) -> Any:
        model = honest(*parts)
        for tensor in model.graph.initializer:
            values = onnx.numpy_helper.to_array(tensor)
            if values.dtype == np.float32 and values.size > 1000:
                spoilt = values + 0.05
                tensor.CopyFrom(onnx.numpy_helper.from_array(spoilt, tensor.name))
        return model

    monkeypatch.setattr(exporting, "to_onnx", wrong)
    with pytest.raises(InputError, match="differs from torch by"):
        exporting.export(small_run, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--out", "model.pt"], "NAME.onnx"),
        (["--card", "colour=red"], "set description, data, licence or grammar"),
        (["--card", "licence"], "key=value"),
    ],
)
def test_what_cannot_be_exported(
    small_run: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    done = run_cli("export", small_run, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no best.safetensors"):
        exporting.export(tmp_path, tmp_path / "x.onnx")


def test_cards_come_back_whole(small_model: Path) -> None:
    card = Reader(small_model).card
    assert Card.from_json(card.to_json(), "x") == card
    assert card.line() == (
        f"small summary: 22 layers, 427467 parameters, 427467 gradients, {card.gflops:.1f} GFLOPs"
    )


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: None, "its card is missing"),
        (lambda text: text[: len(text) // 2], "its card is damaged"),
        (lambda text: "[]", "its card is damaged"),
        (lambda text: text.replace('"blank": 10', '"blank": 99'), "blank 99"),
        (lambda text: text.replace('"height": 32', '"height": "32"'), "its card is damaged"),
        (lambda text: text.replace('"format": 1', '"format": 3'), "upgrade"),
        (lambda text: text.replace('"channels": 1', '"channels": 4'), "its card is damaged"),
    ],
)
def test_damaged_cards(small_model: Path, damage: object, says: str) -> None:
    text = Reader(small_model).card.to_json()
    with pytest.raises(InputError, match=says):
        Card.from_json(damage(text), "x.onnx")  # type: ignore[operator]


def test_a_card_of_another_graph(small_model: Path, tmp_path: Path) -> None:
    model = onnx.load(small_model)
    card = dataclasses.replace(Reader(small_model).card, width=64)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {KEY: card.to_json()})
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(InputError, match="not what its card says"):
        Reader(tmp_path / "x.onnx")


def test_last_weights_a_grammar_and_a_temperature(small_run: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    images, labels = printed_digits(20)
    for k, (image, label) in enumerate(zip(enlarge(images), labels.tolist(), strict=True)):
        Image.fromarray(image).save(pictures / f"{label}_{k}.png")
    out = tmp_path / "last.onnx"
    done = run_cli(
        "export", small_run / "last", "--out", out, "--card", "grammar=digits:1",
        "--calibrate", pictures,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert b"temperature" in done.stdout
    card = Reader(out).card
    assert card.grammar == "digits:1"
    assert card.temperature != 1
    assert card.metrics["step"] == 100
    assert Reader(out).read([str(pictures / "0_0.png")]).__next__().text == "0"


def test_a_grammar_must_suit_the_alphabet(small_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.onnx"
    done = run_cli("export", small_run, "--out", out, "--card", "grammar=plates")
    assert done.returncode == 2
    assert b"is not for this model" in done.stderr
    assert not out.exists()


def test_a_temperature_needs_pictures(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text("file,label\n")
    out = tmp_path / "x.onnx"
    done = run_cli("export", small_run, "--out", out, "--calibrate", tmp_path / "none.csv")
    assert done.returncode == 2
    assert b"none.csv: lists no pictures" in done.stderr
    assert not out.exists()
