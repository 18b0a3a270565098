"""``crnn-ctc export --format float32``: the file for ncnn, TensorRT, MNN and OpenCV's DNN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from crnn_ctc import InputError, Reader
from crnn_ctc.decode.ctc import greedy_texts
from crnn_ctc.image import fit, load
from crnn_ctc.model_file.card import KEY
from helpers.cli import run_cli
from helpers.data import EXAMPLES

onnx = pytest.importorskip("onnx", reason="needs the extra train")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402

from crnn_ctc.export import float32  # noqa: E402

PICTURES = {
    "plates-small": sorted((EXAMPLES / "plates").glob("*.jpg")),
    "plates-nano": sorted((EXAMPLES / "plates").glob("*.jpg")),
    "plates-tiny": sorted((EXAMPLES / "plates").glob("*.jpg")),
    "digits-tiny": sorted((EXAMPLES / "digits").glob("*.png")),
}


def planes(reader: Reader, name: str) -> NDArray[np.float32]:
    """The example pictures as the file takes them: float32 (N, C, H, W), 0 to 255."""
    fitted = np.stack([reader.fit(load(picture)) for picture in PICTURES[name]])
    return fitted.transpose(0, 3, 1, 2).astype(np.float32)


def feeds(reader: Reader, name: str, batch: int) -> dict[str, NDArray[np.float32]]:
    """Every input of the file, of the first example pictures."""
    values = {"images": planes(reader, name)[:batch]}
    if part := reader.card.rectifier:
        views = [fit(load(picture), part.height, part.width, 3) for picture in PICTURES[name]]
        values["views"] = np.stack(views)[:batch].transpose(0, 3, 1, 2).astype(np.float32)
    return values


def as_pixels(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1), np.uint8)


def test_the_file_is_not_for_this_reader(tmp_path: Path) -> None:
    float32.to_float32("digits-nano", tmp_path / "model.onnx", 1)
    with pytest.raises(InputError, match="give the model that it was exported from"):
        Reader(tmp_path / "model.onnx")


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("batch", [1, 3])
def test_outputs_are_the_model_s(name: str, batch: int, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    card, difference = float32.to_float32(name, out, batch)
    assert difference <= 1e-4
    reader = Reader(name)
    assert (card.name, card.alphabet) == ("model", reader.card.alphabet)
    given = feeds(reader, name, batch)
    got = ort.InferenceSession(out).run(None, given)
    expected = reader.log_probs(as_pixels(given["images"]))
    np.testing.assert_allclose(np.exp(got[0]), np.exp(expected), atol=1e-4)
    if reader.card.rectifier:
        found = reader.find_plates(as_pixels(given["views"]))
        for one, other in zip(got[1:], (found.corners, found.rows, found.colours), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("name", PICTURES)
def test_shapes_are_static_and_types_float(name: str, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    card, _ = float32.to_float32(name, out, batch=2)
    model = onnx.load(out)
    values = (*model.graph.input, *model.graph.output)
    assert {v.type.tensor_type.elem_type for v in values} == {TensorProto.FLOAT}
    sizes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
    expected = {
        "images": [2, card.channels, card.height, card.width],
        "log_probs": [2, card.steps, len(card.alphabet)],
    }
    if part := card.rectifier:
        expected["views"] = [2, 3, part.height, part.width]
        expected |= {"corners": [2, 4, 2], "rows": [2], "colours": [2, len(part.colours)]}
    assert sizes == expected
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    used = {node.op_type for node in model.graph.node}
    assert used.isdisjoint({"Cast", "Shape", "Expand"})
    assert card.rectifier or "Slice" not in used  # a rectifier's outputs are parts of one layer's
    stored = json.loads({p.key: p.value for p in model.metadata_props}[KEY])
    assert stored["alphabet"]["symbols"] == card.alphabet.symbols


@pytest.mark.parametrize("name", PICTURES)
def test_opencv_reads_it(name: str, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="needs opencv-python-headless, of the extra train")
    out = tmp_path / "model.onnx"
    float32.to_float32(name, out)
    reader = Reader(name, grammar="none")
    # OpenCV 5's new engine fails on a GRU; its classic one, OpenCV 4's only one, on a rectifier
    has_classic = hasattr(cv2.dnn, "ENGINE_CLASSIC")
    if reader.card.rectifier and not has_classic:
        pytest.skip("a rectifier needs the new engine of OpenCV 5")
    engine = [cv2.dnn.ENGINE_CLASSIC] if has_classic and not reader.card.rectifier else []
    net = cv2.dnn.readNetFromONNX(str(out), *engine)
    given = feeds(reader, name, len(PICTURES[name]))
    for number, picture in enumerate(PICTURES[name]):
        for at, values in given.items():
            net.setInput(values[number : number + 1], at)
        log_probs = np.asarray(net.forward("log_probs")).reshape(1, reader.card.steps, -1)
        expected = reader.log_probs(reader.fit(load(picture))[None])
        np.testing.assert_allclose(np.exp(log_probs), np.exp(expected), atol=1e-3)
        assert greedy_texts(log_probs, reader.card.alphabet) == greedy_texts(
            expected, reader.card.alphabet
        )
        if "views" in given:
            found = reader.find_plates(as_pixels(given["views"][number : number + 1]))
            corners = np.asarray(net.forward("corners")).reshape(1, 4, 2)
            np.testing.assert_allclose(corners, found.corners, atol=1e-3)


def test_a_sampler_and_a_second_output_are_converted() -> None:
    """Models that rectify sample a grid, and what they use has changed between the opsets."""
    flow = np.zeros((1, 4, 6, 2), np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Transpose", ["images"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("Cast", ["planes"], ["pixels"], to=TensorProto.FLOAT),
            helper.make_node("GridSample", ["pixels", "grid"], ["plate"], mode="linear"),
            helper.make_node(
                "ReduceMean", ["pixels", "axes"], ["mean"], keepdims=0, noop_with_empty_axes=0
            ),
        ],
        "rectifier",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 9, 19, 3])],
        [
            helper.make_tensor_value_info("plate", TensorProto.FLOAT, ["N", 3, 4, 6]),
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["N", 3]),
        ],
        [
            onnx.numpy_helper.from_array(flow, "grid"),
            onnx.numpy_helper.from_array(np.array([2, 3]), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    images = np.random.default_rng(0).integers(0, 256, (1, 9, 19, 3), np.uint8)
    expected = ort.InferenceSession(model.SerializeToString()).run(None, {"images": images})
    float32._float_planes(model, batch=1)
    converted = float32._converted(float32._folded(model))
    assert converted.opset_import[0].version == 17
    values = images.transpose(0, 3, 1, 2).astype(np.float32)
    got = ort.InferenceSession(converted.SerializeToString()).run(None, {"images": values})
    assert [v.shape for v in got] == [(1, 3, 4, 6), (1, 3)]
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_a_run_folder_becomes_a_file(small_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    done = run_cli("export", small_run, "--format", "float32", "--out", out)
    assert done.returncode == 0, done.stderr.decode()
    assert b"batch size 1, opset 17" in done.stdout
    assert ort.InferenceSession(out).get_inputs()[0].shape == [1, 1, 32, 32]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plates-nano-int8", "--format", "float32"), "plates-nano-int8: is in 8 bits"),
        (("nosuch", "--format", "float32"), "nosuch: no such model"),
        (("plates-nano", "--format", "float32", "--out", "a.txt"), "a.txt: name the model file"),
        (("plates-nano", "--format", "float32", "--half"), "leave out --half"),
        (("plates-nano", "--format", "float32", "--card", "data=x"), "need a run folder"),
        (("plates-nano", "--batch", "2"), "--batch belongs to --format float32"),
    ],
)
def test_what_cannot_be_exported_is_said(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = run_cli("export", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert not list(tmp_path.iterdir())


def test_a_file_that_differs_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = float32._folded

    def wrong(model: Any) -> Any:
        folded = honest(model)
        weight = max(folded.graph.initializer, key=lambda t: len(t.raw_data))
        weight.raw_data = bytes(len(weight.raw_data))
        return folded

    monkeypatch.setattr(float32, "_folded", wrong)
    with pytest.raises(InputError, match="not written: it differs from plates-nano"):
        float32.to_float32("plates-nano", tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
