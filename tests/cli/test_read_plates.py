"""Reading plates as a user does: the default model, the dot, odd pictures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import InputError, Reader
from crnn_ctc.alphabet import PLATES, Alphabet
from crnn_ctc.cli.inputs import expand
from crnn_ctc.cli.predict import OutputFormat, predict, read_all
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.evaluation.metrics import text_metrics
from crnn_ctc.image import MAX_PIXELS
from crnn_ctc.plates.scheme import plate_label
from crnn_ctc.plates.text import with_dot
from crnn_ctc.reader import Reading
from helpers.cli import run_cli
from helpers.data import EXAMPLES, shared_data

PICTURES = sorted((EXAMPLES / "plates").iterdir())
TEXTS = [path.stem.partition("_")[0] for path in PICTURES]
SHOWN = [with_dot(text) for text in TEXTS]
YELLOW = EXAMPLES / "plates" / "鲁D89239_yellow.jpg"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def test_plates_small_is_the_default(reader: Reader) -> None:
    assert reader.card.name == "plates-small"


@pytest.mark.parametrize("path", PICTURES, ids=lambda p: p.stem)
def test_the_examples_are_read(reader: Reader, path: Path) -> None:
    reading = reader(path)
    assert reading.text == path.stem.partition("_")[0]  # bare
    # one is smeared just where its province stands, and one is under mud
    least = {"沪DGX2994": 0.5, "豫L689RT": 0.8}.get(reading.text, 0.9)
    assert reading.confidence > least


@pytest.mark.parametrize("name", ["plates-nano", "plates-nano-int8"])
def test_the_smaller_models_read_them_too(name: str) -> None:
    small = Reader(name)
    assert small.card.name == name
    readings = list(small.read(PICTURES))
    assert [reading.text for reading in readings] == TEXTS
    assert min(reading.confidence for reading in readings) > 0.5


def test_the_examples_are_of_many_kinds() -> None:
    assert len({text[0] for text in TEXTS}) >= 6  # provinces
    assert {len(text) for text in TEXTS} == {7, 8}
    assert any(" " in path.name and ord(path.stem[-1]) < 128 for path in PICTURES)
    assert {path.suffix for path in PICTURES} == {".jpg", ".png"}


@pytest.mark.parametrize("name", ["plates-tiny", "plates-nano", "plates-nano-int8"])
def test_the_models_keep_their_accuracy(name: str) -> None:
    """On training crops, which say nothing of accuracy, but would show a broken file."""
    reader = Reader(name)
    samples = list(read_labelled(shared_data("plates") / "train.csv", normalise=plate_label))[::16]
    texts = [reading.text for reading in reader.read([sample.path for sample in samples])]
    assert len(texts) > 250
    assert text_metrics(texts, [sample.text for sample in samples]).exact_match > 0.97


def test_table_and_text_have_the_dot() -> None:
    done = run_cli("predict", EXAMPLES / "plates")
    assert done.returncode == 0, done.stderr
    rows = done.stdout.decode().splitlines()[1:]
    assert [row.split()[0] for row in rows] == SHOWN
    assert "read with plates-small" in done.stderr.decode()
    done = run_cli("predict", EXAMPLES / "plates", "--format", "text")
    assert done.stdout.decode().splitlines() == SHOWN


@pytest.mark.parametrize(
    ("alphabet", "shown"),
    [(PLATES, "皖A·Y0D83"), (Alphabet(PLATES.symbols[:-1], blank=0), "皖AY0D83")],
)
def test_only_models_of_plates_show_a_dot(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    alphabet: Alphabet,
    shown: str,
) -> None:
    """A text of a plate's shape stays as it is where the alphabet is not that of plates."""
    stub = SimpleNamespace(
        card=SimpleNamespace(name="own", alphabet=alphabet, plates=None),
        min_confidence=0.0,
        read=lambda sources, batch_size: (Reading("皖AY0D83", 1.0, accepted=True) for _ in sources),
    )
    monkeypatch.setattr("crnn_ctc.reader.Reader", lambda *_, **__: stub)
    predict([str(YELLOW)], output=OutputFormat.TEXT)
    assert capsys.readouterr().out == f"{shown}\n"


def test_json_and_csv_keep_the_text_bare() -> None:
    done = run_cli("predict", *PICTURES, "--format", "json")
    values = json.loads(done.stdout)
    done = run_cli("predict", *PICTURES, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    for items in (values, rows):
        assert [item["text"] for item in items] == TEXTS
        assert [item["display"] for item in items] == SHOWN


def test_annotated_plates_are_saved_where_a_user_says(tmp_path: Path) -> None:
    folder = tmp_path / "车牌 图片"
    done = run_cli("predict", YELLOW, "--save", folder)
    assert done.returncode == 0, done.stderr
    with Image.open(folder / f"{YELLOW.stem}.png") as sheet:
        assert (sheet.height, sheet.width) == (64 + 34 + 213, 640)


def test_pictures_that_are_kept_are_decoded_once(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    sources = [str(YELLOW), str(tmp_path / "broken.png"), *map(str, PICTURES[:3])]
    plain = list(read_all(reader, expand(sources), 2))
    opened = []
    monkeypatch.setattr(
        Image, "open", lambda *a, _open=Image.open, **k: opened.append(1) or _open(*a, **k)
    )
    kept = list(read_all(reader, expand(sources), 2, keep=True))
    assert len(opened) == len(sources)
    assert [named.name for named, _, _ in kept] == sources
    for (_, one, no_picture), (_, other, picture) in zip(plain, kept, strict=True):
        assert (one.text, one.error) == (other.text, other.error)
        assert other.ms > 0
        assert no_picture is None
        assert (picture is None) == (other.error is not None)
    assert kept[0][2] is not None
    assert kept[0][2].shape == (96, 288, 3)


def grey_16_bits(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


def see_through(picture: Image.Image) -> Image.Image:
    picture = picture.convert("RGBA")
    picture.putalpha(250)
    return picture


ODD: dict[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "grey": ("png", lambda p: p.convert("L")),
    "grey 16 bits": ("png", grey_16_bits),
    "palette": ("png", lambda p: p.quantize(64)),
    "RGBA": ("png", see_through),
    "CMYK": ("jpg", lambda p: p.convert("CMYK")),
    "large": ("jpg", lambda p: p.resize((4032, 1344), Image.Resampling.BICUBIC)),
    "small": ("png", lambda p: p.resize((96, 32), Image.Resampling.BICUBIC)),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_pictures_are_read(reader: Reader, tmp_path: Path, kind: str) -> None:
    suffix, change = ODD[kind]
    path = tmp_path / f"{kind}.{suffix}"
    with Image.open(YELLOW) as picture:
        change(picture).save(path)
    assert reader(path).text == "鲁D89239"


@pytest.mark.parametrize(
    ("orientation", "back"),
    [
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
    ],
)
def test_exif_turns_and_mirrors(
    reader: Reader, tmp_path: Path, orientation: int, back: Image.Transpose
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    with Image.open(YELLOW) as picture:
        picture.transpose(back).save(path, exif=exif)
    assert reader(path).text == "鲁D89239"


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ((1, 1), "hold no text"),
        ((3, 300), "hold no text"),
        ((MAX_PIXELS // 1000 + 1, 1000), "limit"),
    ],
)
def test_pictures_that_cannot_be_plates_say_so(
    reader: Reader, tmp_path: Path, size: tuple[int, int], says: str
) -> None:
    path = tmp_path / "odd.png"
    Image.new("1", size).save(path)
    with pytest.raises(InputError, match=says) as caught:
        reader(path)
    assert str(path) in str(caught.value)
