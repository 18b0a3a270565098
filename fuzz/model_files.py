"""Model files: the graph, its weights and its card."""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path

import numpy as np

from crnn_ctc.model_file.card import Card
from crnn_ctc.model_file.guard import check_model
from crnn_ctc.reader import Reader
from promise import Target, kept

_FILE = Path(tempfile.mkdtemp(), "x.onnx")
_PICTURE = np.full((32, 96, 3), 200, np.uint8)


def check(data: bytes) -> None:
    """A reader that reads; or a refusal. The first byte says which part the others are of."""
    kind, content = data[:1], data[1:]
    with kept():
        if kind == b"c":  # a card alone: it would seldom be hit within the file
            Card.from_json(content.decode("utf-8", "replace"), "x").line()
            return
        check_model(content, "x")
        _FILE.write_bytes(content)
        Reader(_FILE)(_PICTURE)


def _seeds() -> tuple[bytes, ...]:
    name = "plates-nano-int8"
    file = (files("crnn_ctc") / "models" / f"{name}.onnx").read_bytes()
    return (b"m" + file, b"c" + Reader(name).card.to_json().encode())


TARGET = Target(check, _seeds())
