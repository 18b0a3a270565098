"""Whole photographs: decoding of maps, the search, the choice between crop and photograph."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.locating import LocatingCount, corner_error
from crnn_ctc.find.cutout import cut_out
from crnn_ctc.find.decoding import MOST, LocatedPlate, box_iou, decode
from crnn_ctc.find.locator import Locator, coarse_factor, search
from crnn_ctc.find.photo import Photograph, is_crop
from crnn_ctc.rectify import project
from helpers.cli import run_cli
from helpers.data import ROOT
from helpers.streets import PLATES, quad, street


def maps(*plates: NDArray[np.float32], height: int, width: int) -> tuple[NDArray[np.float32], ...]:
    """The maps of a perfect locator."""
    h, w = height // 8, width // 8
    heat = np.zeros((h, w), np.float32)
    corners = np.zeros((8, h, w), np.float32)
    ys, xs = np.mgrid[:h, :w] + 0.5
    for plate in plates:
        x, y = plate.mean(0) / 8
        spot = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 2)
        spot[int(y), int(x)] = 1
        near = spot > heat
        for j, (cx, cy) in enumerate(plate / 8):
            corners[2 * j][near] = (cx - xs)[near]
            corners[2 * j + 1][near] = (cy - ys)[near]
        heat = np.maximum(heat, spot).astype(np.float32)
    return heat, corners


def test_maps_are_decoded_to_the_corners_that_made_them() -> None:
    wanted = [quad(40, 40, 120, 70), quad(180, 90, 244, 110)]
    found = decode(*maps(*wanted, height=160, width=288), threshold=0.5)
    assert len(found) == 2
    for one in found:
        assert min(np.abs(one.corners - plate).max() for plate in wanted) < 0.01


def test_a_plate_is_found_once_and_no_more_than_fit() -> None:
    twice = [quad(40, 40, 120, 70), quad(48, 40, 128, 70)]
    assert len(decode(*maps(*twice, height=160, width=288), threshold=0.3)) == 1
    many = [quad(x, y, x + 24, y + 8) for y in range(16, 1000, 24) for x in range(16, 1000, 48)]
    assert len(decode(*maps(*many, height=1024, width=1024), threshold=0.3)) == MOST
    assert decode(*maps(height=64, width=64), threshold=0.3) == []


def test_a_search_gives_pixels_of_the_photograph() -> None:
    plate = quad(1500, 900, 1740, 980)

    def perfect(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Finds what is white."""
        out = []
        for image in images:
            white = np.argwhere(image.min(2) > 200)
            plates = []
            if len(white):
                (top, left), (bottom, right) = white.min(0), white.max(0) + 1
                plates = [quad(left, top, right, bottom)]
            out.append(maps(*plates, height=image.shape[0], width=image.shape[1]))
        return np.stack([o[0] for o in out]), np.stack([o[1] for o in out])

    image = np.full((2000, 3000, 3), 60, np.uint8)
    image[900:980, 1500:1740] = 255
    (found,) = search(perfect, image)
    assert np.abs(found.corners - plate).max() < 4


@pytest.mark.parametrize("size", [(720, 1160), (3000, 4000), (2000, 20_000), (64, 64)])
def test_the_first_search_is_bounded(size: tuple[int, int]) -> None:
    height, width = size
    factor = coarse_factor(height, width)
    assert factor <= 1
    assert height * width * factor**2 <= 960_000


def test_a_cutout_knows_where_it_comes_from() -> None:
    photo = Image.new("RGB", (400, 300), "grey")
    corners = np.array([(100, 120), (250, 90), (262, 140), (108, 172)], np.float32)
    for way in cut_out(Photograph(photo), LocatedPlate(corners, 0.9), Reader().card):
        inside = project(np.linalg.inv(way.to_photo), corners.astype(np.float64))
        assert inside.min() >= 0
        assert (inside.max(0) <= way.picture.size).all()
        assert np.abs(project(way.to_photo, inside) - corners).max() < 1e-6


def test_corners_outside_the_photograph_are_no_error() -> None:
    photo = Image.new("RGB", (60, 50), "grey")
    for corners in (quad(-30, -10, 20, 10), quad(40, 40, 200, 90), quad(500, 500, 600, 540)):
        for way in cut_out(Photograph(photo), LocatedPlate(corners, 0.5), Reader().card):
            assert min(way.picture.size) > 0


@pytest.mark.parametrize(
    ("height", "width", "found", "crop"),
    [
        (48, 168, [], True),
        (100, 4000, [], True),
        (200, 250, [LocatedPlate(quad(10, 60, 240, 140), 0.9)], True),
        (1160, 720, [LocatedPlate(quad(250, 530, 393, 586), 0.9)], False),
        (1160, 720, [], False),
    ],
)
def test_crops_and_photographs_are_told_apart(
    height: int, width: int, found: list[LocatedPlate], crop: bool
) -> None:
    assert is_crop(width, height, found) is crop


def test_plates_are_read_from_left_to_right() -> None:
    photo = street(("yellow", (560, 380), 180), ("blue", (150, 330), 160))
    reading = Reader()(photo)
    assert reading.plates is not None
    assert [plate.text for plate in reading.plates] == [PLATES["blue"][0], PLATES["yellow"][0]]
    assert reading.text in {plate.text for plate in reading.plates}
    for plate, box in zip(
        reading.plates, (quad(150, 330, 310, 381), quad(560, 380, 740, 437)), strict=True
    ):
        assert box_iou(np.array(plate.corners, np.float32), box) > 0.7
    assert [p.text for p in Reader().find(photo)] == [p.text for p in reading.plates]


def test_what_reads_below_the_floor_is_no_plate(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = street(("blue", (150, 330), 160))
    reader = Reader("plates-nano")
    (plate,) = reader.find(photo)
    monkeypatch.setattr("crnn_ctc.reader.FLOOR", plate.confidence + 1e-6)
    assert reader.find(photo) == []
    reading = reader(photo)
    assert (reading.text, reading.plates, reading.confidence) == ("", (), 0)


def test_a_photograph_without_plates_has_none() -> None:
    reading = Reader()(street())
    assert (reading.text, reading.plates, reading.error) == ("", (), None)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_photograph_that_lies_on_its_side_is_turned(angle: int) -> None:
    photo = street(("blue", (350, 330), 160))
    (upright,) = Reader().find(photo)
    turn = {
        90: Image.Transpose.ROTATE_90,
        180: Image.Transpose.ROTATE_180,
        270: Image.Transpose.ROTATE_270,
    }[angle]
    turned = photo.transpose(turn)
    (plate,) = Reader().find(turned)
    assert plate.text == upright.text == PLATES["blue"][0]
    # the first corner is where the text begins, in pixels of the turned photograph
    centre, theta = np.array(photo.size) / 2, np.radians(angle)
    back = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    corners = (np.array(plate.corners) - np.array(turned.size) / 2) @ back.T + centre
    assert np.abs(corners - np.array(upright.corners)).max() < 6
    for character, same in zip(plate.characters, upright.characters, strict=True):
        middle = np.array(character.corners).mean(0) - np.array(turned.size) / 2
        assert np.abs(middle @ back.T + centre - np.array(same.corners).mean(0)).max() < 6


def test_a_frame_of_a_video_is_not_turned() -> None:
    photo = street(("blue", (350, 330), 160)).transpose(Image.Transpose.ROTATE_90)
    assert Reader().find(photo, turned=False) == []


def test_crops_are_read_as_before() -> None:
    for text, path in PLATES.values():
        auto, never = Reader()(path), Reader(find="never")(path)
        assert auto.plates is None
        assert (auto.text, auto.confidence) == (never.text, never.confidence)
        assert auto.text == text


def test_photographs_and_crops_keep_their_order() -> None:
    photo = street(("blue", (300, 300), 160))
    sources: list[Image.Image | Path | bytes] = [
        PLATES["yellow"][1],
        b"no picture",
        photo,
        PLATES["blue"][1],
    ]
    readings = list(Reader().read(sources, batch_size=3))
    assert [r.text for r in readings] == ["鲁D89239", "", "苏D18RL9", "苏D18RL9"]
    assert [r.plates is not None for r in readings] == [False, False, True, False]
    assert readings[1].error


def test_digits_are_never_searched() -> None:
    assert Reader("digits-tiny")(street()).plates is None
    with pytest.raises(InputError, match="reads no plates"):
        Reader("digits-tiny", find="always")
    with pytest.raises(InputError, match="reads no plates"):
        Reader("digits-tiny").find(street())


def test_a_locator_is_no_reader_and_a_reader_no_locator() -> None:
    with pytest.raises(InputError, match="reads text and finds no plates"):
        Locator(ROOT / "src/crnn_ctc/models/plates-nano.onnx")
    with pytest.raises(InputError, match="finds plates and reads no text"):
        Reader(ROOT / "src/crnn_ctc/models/plates-find.onnx")
    with pytest.raises(InputError, match="no such locator"):
        Locator("nothing-find")


def test_the_command_writes_a_row_a_plate(tmp_path: Path) -> None:
    photo, empty, out = tmp_path / "two.png", tmp_path / "none.png", tmp_path / "out"
    street(("yellow", (560, 380), 180), ("blue", (150, 330), 160)).save(photo)
    street().save(empty)
    done = run_cli("predict", photo, empty, "--format", "csv", "--save", out)
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert [(Path(r["path"]).name, r["plate"], r["text"]) for r in rows] == [
        ("two.png", "1", "苏D18RL9"),
        ("two.png", "2", "鲁D89239"),
        ("none.png", "", ""),
    ]
    assert len(rows[0]["corners"].split()) == 4
    with Image.open(out / "two.png") as sheet:
        assert sheet.width > 900
    objects = json.loads(run_cli("predict", photo, "--format", "json").stdout)
    assert [(o["plate"], o["text"], len(o["corners"])) for o in objects] == [
        (1, "苏D18RL9", 4),
        (2, "鲁D89239", 4),
    ]
    assert b"(no plate)" in run_cli("predict", empty).stdout


def test_what_is_found_is_counted() -> None:
    count = LocatingCount()
    plate = quad(100, 100, 200, 130)
    count.add([LocatedPlate(plate, 0.9), LocatedPlate(plate + 300, 0.5)], [plate], [True])
    count.add([], [plate], [True])
    numbers = count.numbers
    assert numbers["recall_0.5"] == 0.5
    assert numbers["precision_0.5"] == 0.5
    assert numbers["corner_error"] == 0
    assert corner_error(plate + np.float32([3, 0]), plate) == pytest.approx(0.1)
