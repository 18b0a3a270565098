from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import EXAMPLES
from crnn_ctc import InputError, Reader
from crnn_ctc.data.digits import load_digits
from crnn_ctc.data.sequences import protocol
from crnn_ctc.evaluation.metrics import measure
from crnn_ctc.evaluation.read import read_texts
from crnn_ctc.reader import shipped

PICTURES = sorted((EXAMPLES / "digits").iterdir())


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader("digits-tiny")


DIGIT_MODELS = [name for name in shipped() if name.startswith("digits")]


@pytest.mark.parametrize("name", DIGIT_MODELS)
@pytest.mark.parametrize("path", PICTURES, ids=lambda p: p.stem)
def test_shipped_models_read_the_examples(name: str, path: Path) -> None:
    reading = Reader(name)(path)
    assert reading.text == path.name[:5]
    assert reading.confidence > 0.6  # a pen thicker than any that was trained on


def test_digits_tiny_is_shipped() -> None:
    assert "digits-tiny" in shipped()


@pytest.mark.parametrize("name", DIGIT_MODELS)
def test_shipped_models_keep_their_accuracy(emnist: Path, name: str) -> None:
    """On training digits, which say nothing of accuracy, but would show a broken file."""
    images, texts = protocol(load_digits(emnist, "train"), "distorted", 500)
    read = [text for batch in read_texts(Reader(name), images) for text in batch]
    assert measure(read, texts).exact_match > 0.97


def test_a_reading_is_complete(reader: Reader) -> None:
    path = PICTURES[0]
    reading = reader(path)
    assert reading.error is None
    assert reading.ms > 0
    assert "".join(c.text for c in reading.characters) == reading.text
    with Image.open(path) as image:
        width = image.width
    places = [(c.start + c.end) / 2 / width for c in reading.characters]
    for place, expected in zip(places, (0.1, 0.3, 0.5, 0.7, 0.9), strict=True):
        assert abs(place - expected) < 0.1  # in pixels of the picture itself
    assert all(0 < c.confidence <= 1 for c in reading.characters)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 100])
def test_batches_read_as_one_by_one(reader: Reader, batch_size: int) -> None:
    alone = [reader(path) for path in PICTURES]
    together = list(reader.read(PICTURES, batch_size=batch_size))
    assert [r.text for r in together] == [r.text for r in alone]
    np.testing.assert_allclose(
        [r.confidence for r in together], [r.confidence for r in alone], rtol=1e-4
    )


def test_reading_is_a_stream(reader: Reader) -> None:
    asked = []

    def endless() -> Iterator[Path]:
        while True:
            asked.append(1)
            yield PICTURES[0]

    readings = reader.read(endless(), batch_size=4)
    assert not asked
    next(readings)
    assert len(asked) == 4


def test_one_broken_picture_stops_nothing(reader: Reader, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    sources = [PICTURES[0], broken, PICTURES[1], tmp_path / "missing", PICTURES[2]]
    readings = list(reader.read(sources, batch_size=2))
    assert [r.text for r in readings] == [
        PICTURES[0].name[:5], "", PICTURES[1].name[:5], "", PICTURES[2].name[:5],
    ]  # fmt: skip
    assert [r.error is None for r in readings] == [True, False, True, False, True]
    assert str(broken) in str(readings[1].error)
    with pytest.raises(InputError):
        reader(broken)


def test_nothing_to_read(reader: Reader) -> None:
    assert list(reader.read([])) == []
    with pytest.raises(InputError, match="batch size 0"):
        list(reader.read([], batch_size=0))


def test_files_that_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such model.*digits-tiny"):
        Reader("digit-tiny")
    path = tmp_path / "x.onnx"
    for content in (b"", b"not a model", b"\x08\x0a" * 100):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a model") as caught:
            Reader(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_a_model_of_another_project(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", 1, [1])
    out = onnx.helper.make_tensor_value_info("y", 1, [1])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Abs", ["x"], ["y"])], "g", [value], [out]
    )
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "x.onnx"
    )
    with pytest.raises(InputError, match="not a model of crnn-ctc"):
        Reader(tmp_path / "x.onnx")


def test_a_reader_that_gives_more_shares_the_model() -> None:
    plain = Reader("plates-tiny")
    more, fresh = plain.giving(3), Reader("plates-tiny", alternatives=3)
    assert more.runtime is plain.runtime
    picture = EXAMPLES / "plates" / "苏D18RL9_blue.jpg"
    readings = [replace(reader(picture), ms=0.0) for reader in (plain, more, fresh)]
    assert [len(reading.alternatives) for reading in readings] == [0, 3, 3]
    assert readings[1] == readings[2]
