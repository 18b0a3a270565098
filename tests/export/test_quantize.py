"""export --int8: convolutions in 8 bits, measured before they are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from crnn_ctc import InputError, Reader
from crnn_ctc.cli.main import app
from crnn_ctc.data.digits import enlarge
from helpers.cli import run_cli
from helpers.data import printed_digits

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from crnn_ctc.benchmark.specimens import fitted_specimens  # noqa: E402
from crnn_ctc.export import quantize as quantizing  # noqa: E402
from crnn_ctc.export import to_onnx as exporting  # noqa: E402
from crnn_ctc.export.quantize import quantize  # noqa: E402
from crnn_ctc.model_file.opening import model_path, shipped_models  # noqa: E402
from crnn_ctc.training.from_onnx import load_network  # noqa: E402


def write_digits(folder: Path, first: int, count: int) -> Path:
    folder.mkdir()
    images, labels = printed_digits(first + count)
    for k, (image, label) in enumerate(zip(enlarge(images), labels.tolist(), strict=True)):
        if k >= first:
            Image.fromarray(image).save(folder / f"{label}_{k}.png")
    return folder


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders train and dev."""
    folder = tmp_path_factory.mktemp("digits")
    write_digits(folder / "train", 0, 40)
    write_digits(folder / "dev", 40, 40)
    return folder


def test_convolutions_are_in_8_bits_and_nothing_else(
    small_model: Path, digits: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small8.onnx"
    card = quantize(small_model, out, digits / "train", digits / "dev")
    nodes = {output: node for node in onnx.load(out).graph.node for output in node.output}
    kinds = [node.op_type for node in nodes.values()]
    assert kinds.count("Conv") == 6
    for node in nodes.values():
        if node.op_type == "Conv":
            assert [nodes[name].op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2
        if node.op_type in {"GRU", "MatMul"}:
            assert all(nodes[n].op_type != "DequantizeLinear" for n in node.input if n in nodes)
    whole, int8 = Reader(small_model), Reader(out)
    assert int8.card == card
    assert (card.name, card.alphabet) == ("small8", whole.card.alphabet)
    measured = card.metrics["int8"]
    assert measured["weights"] == "7 bits a channel, static QDQ"
    assert measured["calibrated_on"] == "train, 40 pictures"
    assert measured["checked_on"] == "dev, 40 pictures"
    assert measured["exact_match_int8"] >= measured["exact_match_float"] - 0.003
    images = fitted_specimens(32, card)
    assert np.abs(np.exp(whole.log_probs(images)) - np.exp(int8.log_probs(images))).mean() < 0.01
    with pytest.raises(InputError, match="in 8 bits already"):
        quantize(out, tmp_path / "again.onnx", digits / "train", digits / "dev")
    # what it is fine-tuned from: the weights as they were rounded
    network, _ = load_network(str(out))
    kernel = load_network(str(small_model))[0].cnn[0].weight
    assert (network.cnn[0].weight - kernel).abs().max() < kernel.abs().max() / 100


@pytest.mark.parametrize("name", [n for n in shipped_models() if n.endswith("-int8")])
def test_shipped_8_bit_weights_cannot_saturate_on_any_processor(name: str) -> None:
    with model_path(name) as file:
        graph = onnx.load(file).graph
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = [
        tensors[node.input[0]]
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in tensors
    ]
    eight_bits = [weight for weight in weights if weight.dtype == np.int8]
    assert eight_bits
    # pairs of unsigned by signed products are added in 16 bits where there is no VNNI
    assert all(2 * 255 * np.abs(w.astype(int)).max() < 2**15 for w in eight_bits)


def test_a_model_that_saturates_is_not_written(
    small_model: Path, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantizing, "saturation", lambda file, images: 0.2)
    with pytest.raises(InputError, match="products saturate"):
        quantize(small_model, tmp_path / "bad.onnx", digits / "train", digits / "dev")
    assert not list(tmp_path.iterdir())


def test_a_model_that_loses_too_much_is_not_written(
    small_model: Path, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantizing, "_accuracy", lambda reader, samples: accuracies.pop())
    accuracies = [0.9972, 1.0]
    quantize(small_model, tmp_path / "good.onnx", digits / "train", digits / "dev")
    accuracies = [0.9969, 1.0]
    with pytest.raises(InputError, match=r"in 8 bits it reads 99.69 % of dev, 0.31 points less"):
        quantize(small_model, tmp_path / "bad.onnx", digits / "train", digits / "dev")
    assert [path.name for path in tmp_path.iterdir()] == ["good.onnx"]


@pytest.mark.slow
def test_from_a_run_and_from_a_file_of_float16(
    small_run: Path, digits: Path, tmp_path: Path
) -> None:
    data = ("--calibrate-on", digits / "train", "--check", digits / "dev")
    done = run_cli(
        "export", small_run, "--int8", *data, "--card", "data=printed", cwd=tmp_path
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert b"in 8 bits" in done.stdout
    assert not done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["small-int8.onnx"]
    card = Reader(tmp_path / "small-int8.onnx").card
    assert (card.name, card.data) == ("small-int8", "printed")
    assert b"in 8 bits" in run_cli("info", tmp_path / "small-int8.onnx").stdout
    half = tmp_path / "half.onnx"
    exporting.export(small_run, half, half=True)
    done = run_cli("export", half, "--int8", *data, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "half-int8.onnx").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--int8"], "give training pictures as --calibrate-on"),
        (["--int8", "--calibrate-on", "train"], "and others as --check"),
        (["--calibrate-on", "train"], "belong to --int8"),
        (["--int8", "--calibrate-on", "train", "--check", "train"], "the same pictures"),
        (["--int8", "--calibrate-on", "test.csv", "--check", "dev"], "of a test split"),
        (["--int8", "--calibrate-on", "train", "--check", "test.csv"], "of a test split"),
        (["--int8", "--calibrate-on", "none.csv", "--check", "dev"], "none.csv: lists no pictures"),
        (["--int8", "--calibrate-on", "nothing", "--check", "dev"], "nothing: no such file"),
        (["--int8", "--calibrate-on", "train", "--check", "broken"], "not a picture"),
        (["--int8", "--calibrate-on", "train", "--check", "dev", "--half"], "one or the other"),
        (["--int8", "--calibrate-on", "train", "--check", "dev", "--out", "x.pt"], "NAME.onnx"),
        (["--int8", "--calibrate-on", "train", "--check", "dev", "--card", "data=x"], "run folder"),
    ],
)
def test_what_cannot_be_put_in_8_bits(
    digits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    for name in ("train", "dev"):
        (tmp_path / name).symlink_to(digits / name)
    (tmp_path / "test.csv").write_text("file,label\ntrain/0_0.png,0\n")
    (tmp_path / "none.csv").write_text("file,label\n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "1_1.png").write_text("no picture")
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["export", "digits-tiny", *arguments])
    assert isinstance(done.exception, InputError)  # one line and exit code 2: see test_cli.py
    assert says in str(done.exception)
    assert sorted(tmp_path.iterdir()) == before


def test_no_such_model(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model"):
        quantize("nothing", tmp_path / "x.onnx", digits / "train", digits / "dev")


def test_a_matrix_of_low_rank_is_stored_as_factors() -> None:
    random = np.random.default_rng(0)
    low = random.normal(size=(80, 8)) @ random.normal(size=(8, 200))
    matrices = {"low": low, "full": random.normal(size=(80, 200)), "few": low[:14]}
    nodes = [
        onnx.helper.make_node("Gemm", ["views", name], [f"{name}_out"], transB=1)
        for name in matrices
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [onnx.helper.make_tensor_value_info("views", onnx.TensorProto.FLOAT, [1, 200])],
        [
            onnx.helper.make_tensor_value_info(f"{name}_out", onnx.TensorProto.FLOAT, None)
            for name in matrices
        ],
        [
            onnx.numpy_helper.from_array(matrix.astype(np.float32), name)
            for name, matrix in matrices.items()
        ],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)])
    products = quantizing.store_as_factors(model, nodes)
    assert [product.output[0] for product in products] == ["low"]
    quantizing.store_as_bytes(model, [*nodes, *products])
    stored = sum(tensor.ByteSize() for tensor in model.graph.initializer)
    assert stored < 8 * (80 + 200) + 80 * 200 + 14 * 200 + 2_000  # a byte each, and scales
    view = random.normal(size=(1, 200)).astype(np.float32)
    found = onnx.reference.ReferenceEvaluator(model).run(None, {"views": view})
    for out, matrix in zip(found, matrices.values(), strict=True):
        wanted = view @ matrix.T
        assert np.linalg.norm(out - wanted) < 0.25 * np.linalg.norm(wanted)
