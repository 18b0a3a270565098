"""Run folders and recipes that a stranger made to hurt."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest
import torch

from crnn_ctc import InputError
from crnn_ctc.recipe import load_recipe
from crnn_ctc.training.checkpoint import BEST, load_tensors, save_tensors
from crnn_ctc.training.run_folder import Trained


def written(path: Path, header: object, data: bytes = b"", size: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if size is None else size) + text + data)
    return path


def tensor(*shape: int, size: int = 4) -> dict[str, object]:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [0, size]}


FACTS = {"__metadata__": {"crnn_ctc": "{}"}}


@pytest.mark.parametrize(
    ("header", "data", "size"),
    [
        ({}, b"", 1 << 62),  # a header that is larger than the file, and any memory
        (b" " * 9, b"", None),
        (b"[" * 50_000, b"", None),
        ({**FACTS, "w": tensor(1 << 20, 1 << 20)}, b"\0" * 4, None),
        ({**FACTS, "w": tensor(1 << 62, 1 << 62)}, b"\0" * 4, None),
        ({**FACTS, "w": tensor(1 << 38, size=1 << 40)}, b"\0" * 4, None),
        ({**FACTS, "w": {**tensor(1), "dtype": "PICKLE"}}, b"\0" * 4, None),
        ({"w": tensor(1)}, b"\0" * 4, None),  # no facts
        ({"__metadata__": {"crnn_ctc": "[1]"}}, b"", None),
        ({"__metadata__": {"crnn_ctc": "[" * 100_000}}, b"", None),
    ],
)
def test_a_checkpoint_that_lies(
    header: object, data: bytes, size: int | None, tmp_path: Path
) -> None:
    path = written(tmp_path / "x.safetensors", header, data, size)
    with pytest.raises(InputError, match=r"x\.safetensors: not a checkpoint of crnn-ctc") as caught:
        load_tensors(path)
    assert len(str(caught.value)) < 400


def test_a_pickle_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="not a checkpoint"):
        load_tensors(tmp_path / "x.safetensors")


def test_a_run_of_a_stranger(small_run: Path, tmp_path: Path) -> None:
    tensors, facts = load_tensors(small_run / BEST)
    name = next(n for n, t in tensors.items() if t.is_floating_point())

    def trained(tensors: dict[str, torch.Tensor], facts: dict[str, object]) -> Trained:
        save_tensors(tmp_path / BEST, tensors, facts)
        return Trained(tmp_path)

    assert trained(tensors, facts).card.name == "digits-tiny"
    spoilt = tensors[name].clone()
    spoilt.view(-1)[0] = float("nan")
    with pytest.raises(InputError, match="weights are no numbers"):
        trained({**tensors, name: spoilt}, facts)
    for wrong in ({}, {**tensors, name: tensors[name][:1]}, {**tensors, "more": tensors[name]}):
        with pytest.raises(InputError, match="do not belong to its recipe"):
            trained(wrong, facts)
    wide = json.loads(json.dumps(facts))
    wide["recipe"]["input"]["width"] = 10**9
    for other in (wide, {}, {"recipe": 1}, {"recipe": facts["recipe"]}):
        with pytest.raises(InputError, match="do not belong to its recipe"):
            trained(tensors, other)
    for task, says in (("find", "a locator's run; export it"), ("rectify", "a rectifier's run")):
        with pytest.raises(InputError, match=says):
            trained(tensors, {"recipe": {"task": task}})
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = " + "[" * 100_000, "lists go too deep"),
        ("name = 'x'\n[input]\nheight = 9000\nwidth = 9000\nchannels = 1", "less than or equal"),
    ],
)
def test_a_recipe_that_is_too_much(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(InputError, match=r"x\.toml: ") as caught:
        load_recipe(tmp_path / "x.toml")
    if "input" not in text:
        assert says in str(caught.value)
    with pytest.raises(InputError, match=r"input\.width"):
        load_recipe("plates-tiny", ["input.width=1000000000"])
