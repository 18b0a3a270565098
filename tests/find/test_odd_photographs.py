"""Photographs that nobody expects, and large ones: a plain answer, and nothing lost."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.find.photo import PlateFinder
from crnn_ctc.image import open_picture
from crnn_ctc.jpeg import LEAST_REDUCED, divisor_of, full_size
from helpers.streets import PLATES, street

BLUE, YELLOW = PLATES["blue"][0], PLATES["yellow"][0]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader("plates-nano")


def jpeg(picture: Image.Image, orientation: int = 1) -> bytes:
    content, exif = io.BytesIO(), Image.Exif()
    exif[274] = orientation
    picture.save(content, "JPEG", quality=90, exif=exif)
    return content.getvalue()


def plate_box(corners: object) -> list[float]:
    points = np.array(corners)
    return [*points.min(0).tolist(), *points.max(0).tolist()]


def test_two_hundred_plates_are_two_hundred_rows(reader: Reader) -> None:
    places = [("blue", (60 + 230 * k, 60 + 110 * n), 140) for n in range(20) for k in range(10)]
    photo = Image.new("RGB", (2400, 2300), (120, 120, 120))
    with Image.open(PLATES["blue"][1]) as image:
        plate = image.convert("RGB").resize((140, 45), Image.Resampling.BILINEAR)
    for _, place, _ in places:
        photo.paste(plate, place)
    readings = reader.find(photo)
    assert sum(one.text == BLUE for one in readings) >= 190
    assert len(readings) <= 200
    lefts = [plate_box(one.corners)[0] for one in readings]
    assert np.abs(np.diff(lefts)).max() < 260


@pytest.mark.parametrize("left", [-80, 820])
def test_half_a_plate_at_the_edge_is_a_plain_answer(reader: Reader, left: int) -> None:
    photo = street(("blue", (left, 330), 160))
    reading = reader(photo)
    assert reading.error is None
    assert reading.plates is not None
    assert all(one.confidence < 0.5 for one in reading.plates)


def test_a_mirror_image_is_not_read_with_confidence(reader: Reader) -> None:
    photo = street(("blue", (150, 330), 160), ("yellow", (560, 380), 180))
    mirrored = reader(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert mirrored.plates is not None
    assert all(one.confidence < 0.5 for one in mirrored.plates)


def test_a_panorama_is_searched_whole(reader: Reader) -> None:
    photo = street(("blue", (300, 200), 260), ("yellow", (19_300, 220), 280), size=(20_000, 400))
    for source in (photo, jpeg(photo)):
        assert [one.text for one in reader.find(source)] == [BLUE, YELLOW]


@cache
def large(wide: int) -> Image.Image:
    return street(("yellow", (2400, 1800), wide), size=(4000, 2600))


def test_a_large_jpeg_is_decoded_at_a_fraction_and_whole_on_demand(tmp_path: Path) -> None:
    content = jpeg(large(600))
    reduced = open_picture(content, reduce=True)
    assert divisor_of(reduced) == 2
    assert reduced.size == (2000, 1300)
    assert full_size(reduced).size == (4000, 2600)
    assert reduced.width * reduced.height >= LEAST_REDUCED
    for small in (open_picture(content), open_picture(jpeg(street()), reduce=True)):
        assert divisor_of(small) == 1
        assert full_size(small) is small
    file = tmp_path / "large.png"
    large(600).save(file, compress_level=1)
    assert divisor_of(open_picture(file, reduce=True)) == 1


@pytest.mark.parametrize("wide", [900, 120])
def test_places_are_pixels_of_the_whole_photograph(reader: Reader, wide: int) -> None:
    photo = large(wide)
    (reduced,), (whole,) = reader.find(jpeg(photo)), reader.find(photo)
    assert reduced.text == whole.text == YELLOW
    assert plate_box(reduced.corners) == pytest.approx(plate_box(whole.corners), abs=0.05 * wide)
    for one, other in zip(reduced.characters, whole.characters, strict=True):
        assert one.start == pytest.approx(other.start, abs=0.06 * wide)


def test_a_large_photograph_that_is_turned_by_its_exif(reader: Reader) -> None:
    photo = large(600)
    lying = photo.transpose(Image.Transpose.ROTATE_90)
    (reading,) = reader.find(jpeg(lying, orientation=6))
    assert reading.text == YELLOW
    assert plate_box(reading.corners) == pytest.approx([2400, 1800, 3000, 1991], abs=30)


def test_only_small_plates_need_the_whole_photograph() -> None:
    finder = PlateFinder("always")
    for wide, divisor in ((600, 2), (120, 1)):
        photo = finder(open_picture(jpeg(large(wide)), reduce=True))
        assert photo is not None
        assert divisor_of(photo.picture) == divisor
        (plate,) = photo.plates
        assert np.ptp(plate.corners[:, 0]) * divisor == pytest.approx(wide, rel=0.2)


def test_a_large_crop_is_read_whole(reader: Reader) -> None:
    with Image.open(PLATES["blue"][1]) as image:
        crop = image.convert("RGB").resize((6400, 2040), Image.Resampling.BICUBIC)
    reading = reader(jpeg(crop))
    assert (reading.text, reading.plates) == (BLUE, None)
    assert reading.characters[-1].end > 5000
