"""Model files that a stranger made to hurt are refused before they cost memory or open others."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from crnn_ctc import InputError, Reader
from crnn_ctc.model_file.card import KEY, MOST_CLASSES, Card
from crnn_ctc.model_file.guard import MOST_BYTES, MOST_CARD, check_model, read_model
from crnn_ctc.model_file.opening import shipped_models
from crnn_ctc.model_file.runtime import open_session
from helpers.cli import run_cli

MODELS = files("crnn_ctc") / "models"
GOOD = (MODELS / "digits-nano.onnx").read_bytes()


def changed(change: Callable[[onnx.ModelProto], object]) -> bytes:
    model = onnx.load_from_string(GOOD)
    change(model)
    return model.SerializeToString()


def refused(content: bytes, path: Path, *words: str) -> str:
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        Reader(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "crnn-ctc export" in message  # the remedy
    assert "\n" not in message
    for word in words:
        assert word in message, message
    return message


def add_node(operator: str, domain: str = "", **settings: Any) -> Callable[..., None]:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node.append(helper.make_node(operator, [], ["y"], domain=domain, **settings))
        if domain:
            model.opset_import.append(helper.make_opsetid(domain, 1))

    return change


def outside(location: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return change


def huge(*shape: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].ClearField("dims")
        model.graph.initializer[0].dims.extend(shape)

    return change


def add_tensor(tensor: TensorProto) -> Callable[[onnx.ModelProto], object]:
    return lambda model: model.graph.initializer.append(tensor)


def metadata(*entries: tuple[str, str]) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        for key, value in entries:
            model.metadata_props.add(key=key, value=value)

    return change


EMPTY = helper.make_graph([], "inner", [], [])

HOSTILE: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "external data": (outside("weights.bin"), "weights in other files"),
    "external data above": (outside("../../secret"), "weights in other files"),
    "external data anywhere": (outside("/etc/passwd"), "weights in other files"),
    "another library's operator": (add_node("Relu", "com.evil"), "operators of com.evil"),
    "an operator that we never write": (add_node("NonZero"), "the operator NonZero"),
    "a bomb of zeros": (add_node("ConstantOfShape"), "the operator ConstantOfShape"),
    "a loop": (add_node("Loop", body=EMPTY), "the operator Loop"),
    "a branch": (add_node("Relu", then_branch=EMPTY), "graphs within its graph"),
    "branches": (add_node("Relu", branches=[EMPTY]), "graphs within its graph"),
    "a huge stride": (add_node("Conv", pads=[1 << 40, 0]), "a setting of 1099511627776"),
    "a huge tensor": (huge(1 << 20, 1 << 20), "states 1048576x1048576 weights"),
    "a tensor beyond 64 bits": (huge(1 << 62, 1 << 62), "which it does not hold"),
    "a tensor of 99 dimensions": (huge(*[1] * 99), "which it does not hold"),
    "less than it holds": (huge(1), "which it does not hold"),
    "a negative size": (huge(-1), "which it does not hold"),
    "a shape to expand to": (
        add_tensor(helper.make_tensor("s", TensorProto.INT64, [2], [60_000, 60_000])),
        "a tensor of 60000x60000",
    ),
    "the same in bytes": (
        add_tensor(onnx.numpy_helper.from_array(np.array([1 << 20, 1 << 20]), "s")),
        "a tensor of 1048576x1048576",
    ),
    "text": (
        add_tensor(helper.make_tensor("t", TensorProto.STRING, [1], [b"x"])),
        "text as weights",
    ),
    "sparse weights": (
        lambda model: model.graph.sparse_initializer.add().dims.append(1 << 40),
        "sparse weights",
    ),
    "functions": (lambda model: model.functions.add(name="Relu"), "functions of its own"),
    "training": (lambda model: model.training_info.add(), "steps of training"),
    "a long card": (metadata(("x", "y" * (MOST_CARD + 1))), "metadata of over 1 MB"),
    "a long key": (metadata(("y" * (MOST_CARD + 1), "x")), "metadata of over 1 MB"),
    "many cards": (metadata(*[(f"x{i}", "") for i in range(99)]), "more metadata than a card"),
    "two cards": (metadata((KEY, "{}")), "more metadata than a card"),
    "a million nodes": (
        lambda model: model.graph.node.extend([helper.make_node("Relu", ["x"], ["y"])] * 30_000),
        "too many parts",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_graph_that_none_of_ours_is(name: str, tmp_path: Path) -> None:
    change, says = HOSTILE[name]
    refused(changed(change), tmp_path / "x.onnx", "not a model of crnn-ctc", says)


def test_another_format_in_onnx_clothes(tmp_path: Path) -> None:
    """ONNX Runtime goes by bytes 4 to 7; here they stand in the name of a producer."""
    content = b"\x08\x0a\x12\x08ORTM" + b"\0" * 4 + GOOD
    check_model(content, "x")  # it is ONNX, and as such it is read
    assert open_session(content, 1).get_outputs()[0].name == "log_probs"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x3a",  # a graph of no length
        b"\x3a\xff\xff\xff\xff\x0f",  # longer than the file
        b"\x08" + b"\xff" * 20,  # an integer without an end
        b"\x3b\x3c",  # a group, which ONNX has not
        b"\x08\x0a\x3a\x00\x3a\x00",  # two graphs, which would be joined
        GOOD[: len(GOOD) // 2],
        GOOD.replace(b'{"format"', b'{"form\xfe"'),  # a card that is no UTF-8
        GOOD.replace(b"log_probs", b"log_\xfeobs"),  # nor is the name of what comes out
    ],
)
def test_a_broken_file(content: bytes, tmp_path: Path) -> None:
    refused(content, tmp_path / "x.onnx", "not a model of crnn-ctc")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    tracemalloc.start()
    with pytest.raises(InputError, match="over 300 MB"):
        read_model(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_models_pass(name: str) -> None:
    check_model((MODELS / f"{name}.onnx").read_bytes(), name)


def deep(text: str) -> str:
    return text.replace('"recipe": {', '"recipe": {"x": ' + "[" * 100_000 + "]" * 100_000 + ", ")


CARDS: dict[str, tuple[dict[str, Any], str]] = {
    "no temperature": ({"temperature": float("nan")}, "temperature: nan"),
    "endless temperature": ({"temperature": float("inf")}, "temperature: inf"),
    "frozen": ({"temperature": 0}, "temperature: 0"),
    "temperature in words": ({"temperature": "1"}, "temperature: not a number"),
    "a wide input": ({"width": 10**9}, "input size: 1000000000"),
    "a wide input that is true": ({"width": True}, "input size: not a number"),
    "many steps": ({"steps": 10**9}, "time steps"),
    "many characters": (
        {"alphabet": {"symbols": "".join(map(chr, range(0x10000, 0x20001 + 1))), "blank": 0}},
        f"not from 2 to {MOST_CLASSES}",
    ),
    "control characters": (
        {"alphabet": {"symbols": "#\x1b[2J", "blank": 0}},
        "alphabet with control characters",
    ),
    "half a character": ({"alphabet": {"symbols": "#\ud800", "blank": 0}}, "alphabet with"),
    "a character twice": ({"alphabet": {"symbols": "aa", "blank": 0}}, "damaged"),
    "a terminal's commands": ({"description": "\x1b]0;owned\x07"}, "control characters"),
    "a name that is none": ({"name": ["x"]}, "control characters"),
    "colours": ({"channels": 1 << 40}, "colours"),
    "numbers": ({"parameters": 10**400}, "numbers"),
    "a recipe that is none": ({"recipe": []}, "recipe"),
    "metrics that are none": ({"metrics": 1}, "metrics"),
    "an unknown field": ({"__class__": {}}, "damaged"),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_that_none_of_ours_is(name: str) -> None:
    values = json.loads(Reader("digits-nano").card.to_json())
    change, says = CARDS[name]
    text = json.dumps(values | change)
    assert Card.from_json(json.dumps(values), "x").name == "digits-nano"
    with pytest.raises(InputError, match=r"^x: its card is damaged .*crnn-ctc export") as caught:
        Card.from_json(text, "x")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_deep_card() -> None:
    text = Reader("digits-nano").card.to_json()
    assert deep(text) != text
    with pytest.raises(InputError, match="its card is damaged"):
        Card.from_json(deep(text), "x")


def with_card(change: dict[str, Any]) -> bytes:
    values = json.loads(Reader("digits-nano").card.to_json()) | change

    def put(model: onnx.ModelProto) -> None:
        del model.metadata_props[:]
        model.metadata_props.add(key=KEY, value=json.dumps(values))

    return changed(put)


def test_a_card_of_another_graph(tmp_path: Path) -> None:
    refused(with_card({"steps": 39}), tmp_path / "x.onnx", "its graph is not what its card says")


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    def spoil(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.raw_data = b"\xff" * len(tensor.raw_data)

    (tmp_path / "x.onnx").write_bytes(changed(spoil))
    with pytest.raises(InputError, match="computes no log-probabilities"):
        Reader(tmp_path / "x.onnx")(np.zeros((32, 160, 3), np.uint8))


def test_metrics_of_a_stranger_in_info(tmp_path: Path) -> None:
    for metrics in ({"validation": 1}, {"int8": [1]}, {"validation": {"exact_match": "x"}}):
        (tmp_path / "x.onnx").write_bytes(with_card({"metrics": metrics}))
        done = run_cli("info", tmp_path / "x.onnx")
        assert done.returncode == 2, metrics
        assert b"its card is damaged (metrics)" in done.stderr
        assert b"Traceback" not in done.stderr


def test_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(changed(outside("/etc/passwd")))
    done = run_cli("predict", "--model", tmp_path / "x.onnx", tmp_path)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.decode().splitlines() == [
        f"error: {tmp_path / 'x.onnx'}: not a model of crnn-ctc: it keeps weights in other files; "
        "give a file that crnn-ctc export wrote"
    ]


def test_a_graph_that_fails_when_it_is_computed(tmp_path: Path) -> None:
    def two_pictures(model: onnx.ModelProto) -> None:
        shapes = [node.input[1] for node in model.graph.node if node.op_type == "Reshape"]
        for tensor in model.graph.initializer:
            if tensor.name in shapes:
                shape = onnx.numpy_helper.to_array(tensor).copy()
                shape[0] = 2  # of a batch of one
                tensor.CopyFrom(onnx.numpy_helper.from_array(shape, tensor.name))

    path = tmp_path / "x.onnx"
    path.write_bytes(changed(two_pictures))
    reader = Reader(path)
    with pytest.raises(InputError, match=r"x\.onnx: .*crnn-ctc export"):
        reader(np.zeros((32, 160, 3), np.uint8))
