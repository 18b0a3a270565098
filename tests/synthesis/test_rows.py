"""Composed rows of digits: a function of seed and number, of every width, with their texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crnn_ctc.data.digits import enlarge
from crnn_ctc.errors import InputError
from crnn_ctc.image import batches_by_width, free_width
from crnn_ctc.recipe import load_recipe
from helpers.data import printed_digits, write_emnist

pytest.importorskip("cv2", reason="synthesis comes with the extra [train]")

from crnn_ctc.data.rows import RowSource
from crnn_ctc.data.source import Validation, open_training_data
from crnn_ctc.synthesis.pens import DIGIT_FORMS, MARK_FORMS, POINTS
from crnn_ctc.synthesis.rows import RowComposer
from crnn_ctc.synthesis.shapes import Shapes


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    images, labels = printed_digits(200)
    return Shapes(enlarge(images), labels)


def test_a_row_depends_on_seed_and_number_alone(shapes: Shapes) -> None:
    forward = [RowComposer(3, shapes).row(i, 144) for i in range(20)]
    images, labels = printed_digits(200)
    other = RowComposer(3, Shapes(enlarge(images), labels))
    for i in reversed(range(20)):
        image, text = other.row(i, 144)
        np.testing.assert_array_equal(image, forward[i][0])
        assert text == forward[i][1]
    assert RowComposer(4, shapes).row(0, 144)[1] != forward[0][1]


@pytest.mark.parametrize("width", [48, 160, 448])
def test_rows_of_every_width_hold_one_to_ten_digits(shapes: Shapes, width: int) -> None:
    composer = RowComposer(1, shapes, no_text=0.0)
    texts = []
    for i in range(60):
        image, text = composer.row(i, width)
        assert (image.shape, image.dtype) == ((48, width, 1), np.uint8)
        assert np.ptp(image) >= 20, "nothing can be seen"
        texts.append(text)
    assert all(1 <= len(text) <= 10 and text.isdigit() for text in texts)
    assert any(text[0] == "0" for text in texts) or width == 48, "leading zeros occur"
    assert max(map(len, texts)) == (10 if width == 448 else pytest.approx(max(map(len, texts))))


def test_long_rows_come_in_wide_pictures(shapes: Shapes) -> None:
    composer = RowComposer(1, shapes, no_text=0.0)
    mean = [np.mean([len(composer.row(i, w)[1]) for i in range(60)]) for w in (64, 160, 320)]
    assert mean[0] < mean[1] < mean[2]


def test_rows_without_text_have_marks_at_most(shapes: Shapes) -> None:
    composer = RowComposer(1, shapes, no_text=1.0)
    assert {composer.row(i, 160)[1] for i in range(30)} == {""}


@pytest.mark.parametrize("pens", [0.0, 1.0])
def test_either_source_of_digits_will_do(shapes: Shapes, pens: float) -> None:
    composer = RowComposer(2, shapes, pens=pens)
    assert all(composer.row(i, 144)[0].std() > 0 for i in range(20))


def test_digits_are_drawn_where_the_text_says(shapes: Shapes) -> None:
    """The ink of a row, without paper and camera: as many blots at most as there are strokes."""
    composer = RowComposer(5, shapes)
    empty = composer._write("", 160, _draws(), _no_jitter())
    one = composer._write("1", 160, _draws(), _no_jitter())
    three = composer._write("111", 160, _draws(), _no_jitter())
    assert empty.max() == 0
    assert 0 < (one > 128).sum() < (three > 128).sum()


def _draws():  # type: ignore[no-untyped-def]
    from crnn_ctc.rng import uniforms
    from crnn_ctc.synthesis.text import Draws

    return Draws(uniforms(1, 1, (860,)))


def _no_jitter() -> np.ndarray:  # type: ignore[type-arg]
    return np.zeros((30, POINTS, 2), np.float32)


@pytest.mark.parametrize("character", [*DIGIT_FORMS, *MARK_FORMS])
def test_forms_stay_near_their_control_points(character: str) -> None:
    forms = DIGIT_FORMS.get(character) or MARK_FORMS[character]
    for form in forms:
        strokes = form.strokes(np.zeros((POINTS, 2), np.float32))
        points = np.concatenate(strokes)
        assert np.isfinite(points).all()
        # the spline goes through its first and its last control point
        np.testing.assert_allclose(strokes[0][0], form.control[0], atol=1e-5)
        np.testing.assert_allclose(strokes[-1][-1], form.control[-1], atol=1e-5)
        low, high = form.control.min(0) - 0.15, form.control.max(0) + 0.15
        assert (points >= low).all()
        assert (points <= high).all()


def test_a_digit_that_nobody_wrote_is_named() -> None:
    images, labels = printed_digits(50)
    some = labels != 4
    with pytest.raises(InputError, match="no usable 4"):
        Shapes(enlarge(images[some]), labels[some]).pick(4, 0.5)


def test_blank_pictures_are_passed_over() -> None:
    images, labels = printed_digits(50)
    images[labels == 3] = 0
    images[np.flatnonzero(labels == 3)[-1]] = printed_digits(50)[0][labels == 3][0]
    shape = Shapes(enlarge(images), labels).pick(3, 0.0)
    assert shape.field.max() > 128


def test_parts_of_a_batch_are_its_parts_and_a_batch_has_one_width(shapes: Shapes) -> None:
    source = RowSource(RowComposer(1, shapes), 448)
    images, texts = source.batch(5, 6)
    assert images.shape == (6, 48, source.width(5), 1)
    rest, rest_texts = source.batch(5, 6, slice(4, 6))
    np.testing.assert_array_equal(rest, images[4:])
    assert rest_texts == texts[4:]
    widths = {source.width(step) for step in range(200)}
    assert len(widths) > 10
    assert all(width % 16 == 0 and 48 <= width <= 448 for width in widths)
    assert max(RowSource(source.composer, 128).width(step) for step in range(200)) == 128


def test_rows_are_shown_several_times_each_time_moved(shapes: Shapes) -> None:
    source = RowSource(RowComposer(1, shapes), 448, uses=2)
    first, again, later = (source.batch(step, 4) for step in (1, 33, 65))
    assert first[1] == again[1] != later[1]
    assert first[0].shape == again[0].shape
    assert (first[0] != again[0]).any()
    fresh = RowSource(source.composer, 448, uses=2).batch(33, 4, slice(2, 4))
    np.testing.assert_array_equal(fresh[0], again[0][2:])
    assert fresh[1] == again[1][2:]


def test_pictures_of_one_width_go_together() -> None:
    widths = [32, 64, 32, 32, 64, 96]
    batches = list(batches_by_width(widths, 2))
    assert sorted(place for batch in batches for place in batch) == list(range(6))
    assert all(len(batch) <= 2 and len({widths[p] for p in batch}) == 1 for batch in batches)


@pytest.mark.parametrize(
    ("size", "width"),
    [((48, 144), 144), ((53, 153), 144), ((100, 20), 48), ((10, 900), 448), ((24, 100), 192)],
)
def test_a_row_keeps_its_proportions(size: tuple[int, int], width: int) -> None:
    assert free_width(np.zeros((*size, 3), np.uint8), 48, 448, 16) == width


def test_a_recipe_opens_training_and_validation_of_several_widths(tmp_path: Path) -> None:
    write_emnist(tmp_path / "emnist", train=400)
    recipe = load_recipe("digits-rows", ["data.validation_drawn=30", 'data.validation="real"'])
    real = tmp_path / "real"
    real.mkdir()
    from PIL import Image

    Image.fromarray(np.full((40, 200), 200, np.uint8)).save(real / "007_1.png")
    source, validation = open_training_data(recipe, tmp_path)
    images, texts = source.batch(0, 4)
    assert images.shape[:2] == (4, 48)
    assert len(texts) == 4
    assert len(validation.texts) == 31
    assert validation.texts[-1] == "007", "leading zeros stay"
    found = [text for images, batch in validation.batches(8) for text in batch]
    assert sorted(found) == sorted(validation.texts)


def test_validation_pictures_and_texts_stay_together() -> None:
    images = [np.full((2, w, 1), w, np.uint8) for w in (3, 4, 3, 5)]
    validation = Validation(images, ["3", "4", "3", "5"])
    for batch, texts in validation.batches(10):
        assert {str(int(image[0, 0, 0])) for image in batch} == set(texts)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("input.height=32", "rows are 48 pixels high"),
        ("input.width=450", "multiple of 16"),
        ('alphabet={characters="12"}', "all ten"),
        ("data.validation_drawn=0", "name validation, or draw rows"),
        ("data.validation=[]", "data.validation"),
    ],
)
def test_recipes_that_cannot_be_are_refused(change: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        load_recipe("digits-rows", [change])
