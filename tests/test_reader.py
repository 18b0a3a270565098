from __future__ import annotations

import io
import pickle
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import InputError, MissingExtraError, Reader
from crnn_ctc.data.digits import load_digits
from crnn_ctc.data.sequences import protocol
from crnn_ctc.decode import greedy_texts
from crnn_ctc.evaluation.metrics import text_metrics
from crnn_ctc.model_file.opening import model_path, shipped_models
from helpers.data import EXAMPLES

PICTURES = sorted((EXAMPLES / "digits").iterdir())


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader("digits-tiny")


@pytest.fixture(scope="module")
def plates() -> Reader:
    return Reader()


# digits-rows reads rows as they are written; the others five digits in five squares
DIGIT_MODELS = [
    name for name in shipped_models() if name.startswith("digits") and name != "digits-rows"
]


@pytest.mark.parametrize("name", DIGIT_MODELS)
@pytest.mark.parametrize("path", PICTURES, ids=lambda p: p.stem)
def test_shipped_models_read_the_examples(name: str, path: Path) -> None:
    reading = Reader(name)(path)
    assert reading.text == path.name[:5]
    assert reading.confidence > 0.6  # a pen thicker than any that was trained on


def test_digits_tiny_is_shipped() -> None:
    assert "digits-tiny" in shipped_models()


@pytest.mark.parametrize("name", DIGIT_MODELS)
def test_shipped_models_keep_their_accuracy(emnist: Path, name: str) -> None:
    """On training digits, which say nothing of accuracy, but would show a broken file."""
    images, texts = protocol(load_digits(emnist, "train"), "distorted", 500)
    reader = Reader(name)
    read = greedy_texts(reader.log_probs(images), reader.card.alphabet)
    assert text_metrics(read, texts).exact_match > 0.97


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


def test_a_live_source_is_read_as_it_arrives(reader: Reader) -> None:
    """Each frame comes after the reading of the one before has been seen: none may be held back."""
    seen = threading.Semaphore(0)

    def camera() -> Iterator[Path]:
        for path in PICTURES:
            yield path
            assert seen.acquire(timeout=60)

    texts = []
    for reading in reader.read(camera(), batch_size=32):
        texts.append(reading.text)
        seen.release()
    assert texts == [path.name[:5] for path in PICTURES]


def test_a_live_source_is_not_read_far_ahead(reader: Reader) -> None:
    asked = []

    def endless() -> Iterator[Path]:
        while True:
            asked.append(1)
            yield PICTURES[0]

    readings = reader.read(endless(), batch_size=4)
    assert not asked
    for count in range(1, 10):
        next(readings)
        assert len(asked) <= count + 2 * 4
    readings.close()  # type: ignore[attr-defined]


def test_what_a_live_source_raises_comes_after_what_it_gave(reader: Reader) -> None:
    def camera() -> Iterator[Path]:
        yield from PICTURES[:3]
        raise RuntimeError("unplugged")

    readings = reader.read(camera())
    assert [next(readings).text for _ in range(3)] == [path.name[:5] for path in PICTURES[:3]]
    with pytest.raises(RuntimeError, match="unplugged"):
        next(readings)


def test_a_list_is_read_in_full_batches(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    whole = Reader.log_probs
    monkeypatch.setattr(
        Reader, "log_probs", lambda self, images: sizes.append(len(images)) or whole(self, images)
    )
    for sources in (PICTURES[:5], dict.fromkeys(PICTURES[:5])):
        sizes.clear()
        assert len(list(reader.read(sources, batch_size=2))) == 5
        assert sizes == [2, 2, 1]


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


def test_what_is_no_picture_is_an_error_in_a_stream_and_a_type_error_alone(reader: Reader) -> None:
    wrong = [None, 5, {"a": 1}, io.StringIO("text")]
    readings = list(reader.read([PICTURES[0], *wrong, PICTURES[1]]))  # type: ignore[list-item]
    assert [reading.error is None for reading in readings] == [True, *[False] * 4, True]
    assert readings[-1].text == PICTURES[1].name[:5]
    for one, reading in zip(wrong, readings[1:], strict=False):
        with pytest.raises(TypeError) as caught:
            reader(one)  # type: ignore[arg-type]
        assert str(caught.value) == reading.error
        assert "\n" not in str(caught.value)
    assert "cv2.imread" in str(readings[1].error)


def test_an_error_among_the_sources_is_its_reading(reader: Reader) -> None:
    readings = list(reader.read([InputError("cam 4: no signal"), PICTURES[0]]))
    assert [reading.error for reading in readings] == ["cam 4: no signal", None]
    assert not readings[0].accepted


@pytest.mark.parametrize("one", ["a.jpg", Path("a.jpg"), b"bytes", np.zeros((9, 9, 3), np.uint8)])
def test_one_picture_is_no_list_of_pictures(reader: Reader, one: object) -> None:
    for read in (reader.read, reader.read_track):
        with pytest.raises(TypeError, match=r"one picture.*reader\(picture\)"):
            read(one)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="give a list of pictures"):
        reader.read(None)  # type: ignore[arg-type]


def test_an_array_of_pictures_is_several(reader: Reader) -> None:
    with Image.open(PICTURES[0]) as image:
        frame = np.asarray(image.convert("RGB"))
    texts = [reading.text for reading in reader.read(np.stack([frame, frame]))]
    assert texts == [PICTURES[0].name[:5]] * 2


def test_channel_order(plates: Reader) -> None:
    """A plate in OpenCV's order is read as its file is, by every way of saying so."""
    path = EXAMPLES / "plates" / "苏D18RL9_blue.jpg"
    with Image.open(path) as image:
        frame = np.asarray(image.convert("RGB"))[..., ::-1]
    expected = plates(path)
    said = Reader(channel_order="bgr")
    readings = [
        said(frame),
        plates(frame, channel_order="bgr"),
        *said.read([frame, path]),
        *plates.read([frame], channel_order="bgr"),
        said.read_track([frame]),
        said(np.ascontiguousarray(frame[..., ::-1]), channel_order="rgb"),
    ]
    assert [reading.text for reading in readings] == [expected.text] * 7
    for reading in (*readings[:5], readings[6]):
        assert reading.confidence == pytest.approx(expected.confidence, rel=1e-4)
    assert plates(frame).confidence != pytest.approx(expected.confidence, rel=1e-4)
    with pytest.raises(InputError, match="channel order 'BGR': give rgb or bgr"):
        Reader(channel_order="BGR")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="channel order"):
        plates(frame, channel_order="grb")  # type: ignore[arg-type]


def test_larger_pictures_than_a_reader_takes() -> None:
    small = Reader("digits-tiny", max_pixels=100)
    with pytest.raises(InputError, match=r"over the limit of 0\.0001 megapixels"):
        small(PICTURES[0])


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


def test_too_many_alternatives_are_an_error() -> None:
    with pytest.raises(InputError, match="0 to 50 alternatives"):
        Reader("digits-nano", alternatives=51)


def test_a_reader_that_gives_more_shares_the_model() -> None:
    plain = Reader("plates-tiny")
    more, fresh = plain.with_alternatives(3), Reader("plates-tiny", alternatives=3)
    assert more.runtime is plain.runtime
    picture = EXAMPLES / "plates" / "苏D18RL9_blue.jpg"
    readings = [replace(reader(picture), ms=0.0) for reader in (plain, more, fresh)]
    assert [len(reading.alternatives) for reading in readings] == [0, 3, 3]
    assert readings[1] == readings[2]


def test_a_pickled_reader_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_path = tmp_path / "model.onnx"
    with model_path("digits-tiny") as shipped_file:
        shutil.copy(shipped_file, with_path)
    monkeypatch.chdir(tmp_path)
    made = Reader("model.onnx", grammar="digits:5", min_confidence=0.5).with_alternatives(2)
    monkeypatch.chdir("/")
    other = pickle.loads(pickle.dumps(made))
    assert replace(other(PICTURES[0]), ms=0.0) == replace(made(PICTURES[0]), ms=0.0)
    assert other.min_confidence == 0.5
    # a pool passes a reader on with every task: its model is opened once a process
    assert pickle.loads(pickle.dumps(made)).runtime is other.runtime
    with_path.unlink()
    with pytest.raises(InputError, match="no such model"):
        pickle.loads(pickle.dumps(made))


def test_a_reader_by_a_short_name_can_be_pickled() -> None:
    made = Reader("plates")
    assert pickle.loads(pickle.dumps(made)).card == made.card


def test_a_reader_in_other_processes(reader: Reader) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        readings = list(pool.map(reader, PICTURES))
    assert [reading.text for reading in readings] == [path.name[:5] for path in PICTURES]


def test_errors_come_back_from_other_processes() -> None:
    for error in (InputError("a: b"), MissingExtraError("x", "serve", "fastapi")):
        back = pickle.loads(pickle.dumps(error))
        assert type(back) is type(error)
        assert str(back) == str(error)
