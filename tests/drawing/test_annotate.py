"""Annotated pictures: what is drawn, and that Chinese is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageChops

from crnn_ctc import Reader
from crnn_ctc.alphabet import PLATES
from crnn_ctc.drawing.annotate import annotate
from crnn_ctc.drawing.typeface import HAN_FACES, HELD, typeface
from crnn_ctc.image import load
from crnn_ctc.reader import Character, Reading
from helpers.data import EXAMPLES

HEAD, LETTERS = 64, 34  # pixels above the picture: for the text, and for its characters
LINE = (0x2F, 0x80, 0xED)
GREY = np.full((96, 288, 3), 128, np.uint8)


def reading(text: str, width: float = 288, confidence: float = 0.99) -> Reading:
    """Its characters beside each other, from edge to edge."""
    cell = width / max(1, len(text))
    characters = [
        Character(c, confidence, i * cell + 1, (i + 1) * cell - 1) for i, c in enumerate(text)
    ]
    return Reading(text, confidence, tuple(characters))


def head(sheet: Image.Image) -> NDArray[np.uint8]:
    """Where the text stands, without its confidence."""
    return np.asarray(sheet)[:HEAD, :440]


def strip(sheet: Image.Image) -> NDArray[np.uint8]:
    """Where the characters stand."""
    return np.asarray(sheet)[HEAD : HEAD + LETTERS]


def lines(sheet: Image.Image) -> int:
    """How many lines part the characters."""
    columns = np.flatnonzero((np.asarray(sheet) == LINE).all(-1).mean(0) > 0.5)
    return len(np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)) if len(columns) else 0


def letters(sheet: Image.Image) -> list[float]:
    """Middles of what is written above the picture."""
    dark = (strip(sheet) < 160).any(-1).any(0)
    columns = np.flatnonzero(dark)
    groups = np.split(columns, np.flatnonzero(np.diff(columns) > 8) + 1)
    return [float(group.mean()) for group in groups]


def test_digits_stand_over_their_places() -> None:
    path = EXAMPLES / "digits" / "16180 photo.jpg"
    image = load(path)
    sheet = annotate(image, Reader("digits-tiny")(path))
    assert sheet.width == 640
    assert sheet.height > 640 * image.shape[0] / image.shape[1]
    assert lines(sheet) == 4
    nothing = annotate(image, Reading("", 0.0))
    assert not np.array_equal(head(sheet), head(nothing))
    assert lines(nothing) == 0


@pytest.mark.parametrize("name", HAN_FACES)
def test_the_bundled_typefaces_hold_every_character(name: str) -> None:
    assert set(PLATES.characters) <= HELD
    font = typeface(name, 40)
    missing = bytes(font.getmask("\ue000"))
    drawn = {c: bytes(font.getmask(c)) for c in HELD}
    assert missing not in drawn.values()
    assert len(set(drawn.values())) == len(HELD)


def test_chinese_is_drawn() -> None:
    one, other = (annotate(GREY, reading(text)) for text in ("皖AY0D83", "京AY0D83"))
    for part in (head, strip):  # where a typeface lacks both, both are the same box
        assert not np.array_equal(part(one), part(other))
    # from the second character on they are the same
    assert np.array_equal(strip(one)[:, 92:], strip(other)[:, 92:])


def test_the_title_has_the_dot_that_it_is_given() -> None:
    bare, dotted = (
        annotate(GREY, reading("皖AY0D83")),
        annotate(GREY, reading("皖AY0D83"), "皖A·Y0D83"),
    )
    assert not np.array_equal(head(bare), head(dotted))
    assert np.array_equal(strip(bare), strip(dotted))


def test_characters_whose_places_are_not_known_are_spread_evenly() -> None:
    text = "皖AY0D83"
    drifted = [Character(c, 0.99, i, i + 0.5) for i, c in enumerate(text)]
    even = [(k + 0.5) * 640 / 7 for k in range(7)]
    for sheet in (
        annotate(GREY, Reading(text, 0.99, tuple(drifted))),  # too near each other to be read
        annotate(GREY, reading(text), places=False),
    ):
        assert lines(sheet) == 0
        assert letters(sheet) == pytest.approx(even, abs=4)
    assert lines(annotate(GREY, reading(text))) == 6


def test_nothing_is_cut() -> None:
    ends = (Character("皖", 0.9, 0, 1), Character("A", 0.9, 287, 288))
    white = np.full((96, 288, 3), 255, np.uint8)
    for one in (
        Reading("皖A", 0.9, ends),
        Reading("皖" * 40, 1.0),
        Reading("W" * 60, 1.0, reading("W" * 60).characters),
    ):
        picture = annotate(white, one)
        assert picture.size == (640, HEAD + LETTERS + 213)
        rim = np.asarray(picture)[:, [0, -1]][: HEAD + LETTERS]
        assert rim.min() > 250
    many = annotate(white, reading("皖" * 40, 288))
    assert lines(many) == 0
    assert (strip(many) > 250).all(-1).all(0).sum() >= 39  # they do not run into each other
    # a long text becomes smaller, and ends before its confidence begins
    with_text = annotate(white, Reading("皖" * 40, 1.0))
    without = annotate(white, Reading("皖", 1.0))
    difference = ImageChops.difference(with_text, without).convert("L").getbbox()
    assert difference is not None
    assert difference[2] < 640 - 12 - 80


def test_words_that_the_bundled_typeface_lacks_are_drawn_all_the_same() -> None:
    one, other = (annotate(GREY, reading(text)) for text in ("皖ab", "皖cd"))
    assert not np.array_equal(head(one), head(other))


@pytest.mark.parametrize("shape", [(5_000, 4, 3), (4, 5_000, 3), (4, 4, 3), (48, 168, 3)])
def test_any_shape_makes_a_sheet_of_bounded_size(shape: tuple[int, int, int]) -> None:
    sheet = annotate(np.zeros(shape, np.uint8), reading("皖AY0D83", shape[1]))
    assert sheet.width == 640
    assert HEAD + LETTERS < sheet.height <= 1280 + HEAD + LETTERS
