"""Straightening: homographies, sampling, and what a model with a rectifier says of a picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from crnn_ctc import InputError, Reader
from crnn_ctc.data.plate_pictures import labelled_plates
from crnn_ctc.rectify import UNIT, homography, project, rectify, without_padding
from helpers.cli import run_cli
from helpers.data import EXAMPLES

# steps of a thousandth, of integers: st.floats() fails where a library has turned subnormals off
from helpers.streets import street

coordinates = st.integers(-200_000, 200_000).map(lambda n: n / 1000)
bends = st.integers(-200, 200).map(lambda n: n / 1000)  # the quadrilateral stays convex


@settings(max_examples=60, deadline=None)
@given(shift=st.tuples(coordinates, coordinates), bend=st.lists(bends, min_size=8, max_size=8))
def test_a_homography_takes_its_points_to_their_targets(
    shift: tuple[float, float], bend: list[float]
) -> None:
    source = UNIT * (60, 20) + shift
    target = (UNIT + np.array(bend).reshape(4, 2)) * (168, 48)
    h = homography(source, target)
    np.testing.assert_allclose(project(h, source), target, atol=1e-6)
    np.testing.assert_allclose(project(np.linalg.inv(h), target), source, atol=1e-6)


def ramp(width: int, height: int) -> Image.Image:
    """Red rises from left to right, green from top to bottom."""
    x = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    y = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return Image.fromarray(np.stack([x, y, 0 * x], -1).astype(np.uint8))


def test_the_whole_picture_comes_back_as_it_was() -> None:
    picture = ramp(168, 48)
    corners = (UNIT * (168, 48)).astype(np.float32)
    out = rectify(picture, corners, 48, 168, margin=0.0)
    assert np.abs(out.astype(int) - np.asarray(picture).astype(int)).max() <= 2


def test_a_turned_plate_is_read_from_its_first_corner() -> None:
    corners = (UNIT * (168, 48)).astype(np.float32)
    upside_down = np.roll(corners, 2, axis=0)
    out = rectify(ramp(168, 48), upside_down, 48, 168, margin=0.0)
    assert out[0, 0, 0] > 240
    assert out[0, 0, 1] > 240
    assert out[-1, -1, 0] < 15


def test_two_rows_stand_side_by_side() -> None:
    corners = (UNIT * (100, 60)).astype(np.float32)
    out = rectify(ramp(100, 60), corners, 48, 168, two_rows=True, margin=0.0)
    assert out.shape == (48, 168, 3)
    assert out[:, :56, 1].mean() < out[:, 56:, 1].mean()  # the upper row comes first


@pytest.mark.parametrize(
    "corners",
    [
        np.zeros((4, 2)),
        np.full((4, 2), np.nan),
        np.array([(-900, -900), (900, -900), (900, 900), (-900, 900)]),
        np.array([(0, 0), (10, 10), (20, 20), (30, 30)]),
        np.array([(0, 0), (50, 30), (50, 0), (0, 30)]),
    ],
)
def test_corners_of_no_plate_still_give_a_picture(corners: np.ndarray) -> None:
    out = rectify(ramp(50, 30), corners.astype(np.float32), 48, 168)
    assert out.shape == (48, 168, 3)


@pytest.mark.parametrize("model", ["plates-small", "plates-nano", "plates-nano-int8"])
def test_shipped_models_say_where_the_plate_and_its_characters_are(model: str) -> None:
    picture = Image.open(EXAMPLES / "plates" / "苏D18RL9_blue.jpg")
    reading = Reader(model, find="never")(picture)
    assert (reading.text, reading.colour, reading.kind) == ("苏D18RL9", "blue", "blue")
    quad = np.array(reading.corners)
    assert quad.shape == (4, 2)
    assert quad[1, 0] - quad[0, 0] > 0.7 * picture.width
    centres = [np.mean(character.corners, axis=0) for character in reading.characters]
    x = [float(centre[0]) for centre in centres]
    assert x == sorted(x)
    # the serial's characters stand 57 mm apart on a plate of 440 mm
    pitch = 57 / 440 * np.linalg.norm(quad[1] - quad[0])
    assert np.abs(np.diff(x[2:]) - pitch).max() < 0.3 * pitch


def test_a_tilted_and_loosely_cut_plate_is_read() -> None:
    plate = Image.open(EXAMPLES / "plates" / "浙B6354Y_dusk.png").convert("RGB")
    ground = Image.new("RGB", (2 * plate.width, 3 * plate.height), "#5a6068")
    ground.paste(plate, (plate.width // 2, plate.height))
    turned = ground.rotate(17, Image.Resampling.BICUBIC, fillcolor="#5a6068")
    small, old = Reader("plates-small", find="never"), Reader("plates-tiny", find="never")
    assert small(turned).text == "浙B6354Y"
    assert old(turned).text != "浙B6354Y"


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270])
def test_a_plate_on_its_side_is_read_and_its_corners_follow_its_text(turn: Image.Transpose) -> None:
    reader = Reader(find="never")
    upright = Image.open(EXAMPLES / "plates" / "苏D18RL9_blue.jpg").convert("RGB")
    straight, turned = reader(upright), reader(upright.transpose(turn))
    assert turned.text == straight.text == "苏D18RL9"
    width, height = upright.size
    x, y = np.array(straight.corners).T
    moved = (y, width - x) if turn == Image.Transpose.ROTATE_90 else (height - y, x)
    np.testing.assert_allclose(np.array(turned.corners).T, moved, atol=0.5)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("plates-small", "苏D18RL9_blue.jpg"),
        ("plates-nano", "浙B6354Y_dusk.png"),
        ("plates-nano-int8", "粤Z18TL港_black.png"),
    ],
)
def test_a_plate_upside_down_is_read_and_its_corners_follow_its_text(model: str, name: str) -> None:
    reader = Reader(model, find="never")
    upright = Image.open(EXAMPLES / "plates" / name).convert("RGB")
    straight, turned = reader(upright), reader(upright.transpose(Image.Transpose.ROTATE_180))
    assert turned.text == straight.text == name.partition("_")[0]
    assert turned.confidence > 0.6
    # the rectifier looks at another picture and may miss by a little
    moved = upright.size - np.array(straight.corners)
    assert np.abs(np.array(turned.corners) - moved).max() < 0.15 * upright.width
    x = [np.mean(character.corners, axis=0)[0] for character in turned.characters]
    assert x == sorted(x, reverse=True)
    # a track of several pictures, too
    assert reader.read_track([upright.transpose(Image.Transpose.ROTATE_180)]).text == straight.text


@pytest.mark.parametrize(
    ("share", "place", "colour", "form"),
    [
        ((2, 1), (0, 0), (128, 128, 128), "PNG"),
        ((1, 4), (0, 1.5), (114, 114, 114), "JPEG"),
        ((1.6, 3), (0.6, 2), (0, 0, 0), "JPEG"),
        ((3, 3), (1, 1), (255, 255, 255), "PNG"),
    ],
    ids=["right", "letterbox", "lower right", "round it"],
)
def test_padding_is_not_looked_at(
    share: tuple[float, float],
    place: tuple[float, float],
    colour: tuple[int, int, int],
    form: str,
) -> None:
    plate = Image.open(EXAMPLES / "plates" / "苏D18RL9_blue.jpg").convert("RGB")
    size = np.array(plate.size)
    shift = np.rint(size * place).astype(int)
    padded = Image.new("RGB", tuple(np.rint(size * share).astype(int).tolist()), colour)
    padded.paste(plate, tuple(shift.tolist()))
    content = io.BytesIO()
    padded.save(content, form, quality=85)
    reader = Reader("plates-nano", find="never")
    reading = reader(content)
    assert reading.text == "苏D18RL9"
    assert reading.confidence > 0.9
    expected = np.array(reader(plate).corners) + shift
    assert np.abs(np.array(reading.corners) - expected).max() < 0.05 * plate.width


def test_pictures_without_padding_stay_as_they_are() -> None:
    for path in sorted((EXAMPLES / "plates").iterdir()):
        picture = Image.open(path).convert("RGB")
        assert without_padding(picture) == (picture, (0, 0))
    plain = Image.new("RGB", (60, 20), "#1941aa")
    assert without_padding(plain) == (plain, (0, 0))
    line = plain.copy()
    line.paste("white", (0, 9, 60, 10))  # nothing that could be read
    assert without_padding(line) == (line, (0, 0))
    # a rim of one colour, as some plates have, is not padding
    rim = Image.new("RGB", (60, 20), "#1941aa")
    rim.paste(ramp(54, 18), (3, 1))
    assert without_padding(rim) == (rim, (0, 0))


def test_a_police_plate_tells_its_kind() -> None:
    reading = Reader(find="never")(EXAMPLES / "plates" / "京G6145警_police.jpg")
    assert (reading.colour, reading.kind) == ("white", "police")


def test_a_model_of_0_1_finds_no_corners() -> None:
    reading = Reader("plates-tiny", find="never")(EXAMPLES / "plates" / "苏D18RL9_blue.jpg")
    assert (reading.corners, reading.colour, reading.kind) == ((), "", "")


torch = pytest.importorskip("torch")


def test_corners_of_a_manifest_are_checked() -> None:
    from crnn_ctc.data.plate_pictures import read_corners

    good = "10,20 110,22 108,52 9,50"
    np.testing.assert_array_equal(read_corners(good, "x.csv:2")[2], [108, 52])
    for bad, says in (
        ("1,2 3,4", "not four points"),
        ("a,b c,d e,f g,h", "not four points"),
        ("10,20 9,50 108,52 110,22", "clockwise"),
        ("10,20 108,52 110,22 9,50", "clockwise"),
    ):
        with pytest.raises(InputError, match=f"x.csv:2: .*{says}"):
            read_corners(bad, "x.csv:2")


def test_views_depend_on_seed_and_index_and_keep_their_corners() -> None:
    from crnn_ctc.data.plate_views import Plate, ViewSource
    from crnn_ctc.data.views import levels
    from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

    synthesizer = PlateSynthesizer(3)
    image, corners, text, _ = synthesizer.front(1)
    plates = [Plate(levels(image), corners, text, scene=True)]
    grounds = [np.full((300, 400, 3), 90, np.uint8)]
    source, again = (ViewSource(plates, synthesizer, grounds, 0.5, 0.0, 7) for _ in range(2))
    for i in range(12):
        (view, plate), (same, _) = source.view(i), again.view(i)
        np.testing.assert_array_equal(view.image, same.image)
        np.testing.assert_array_equal(view.corners, same.corners)
        x, y = view.corners.T
        assert abs(x.mean() - 0.5) < 0.45
        assert abs(y.mean() - 0.5) < 0.45
        sides = np.roll(view.corners, -1, 0) - view.corners
        after = np.roll(sides, -1, 0)
        assert (sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0] > 0).all()  # as it is read
        assert plate.text


def test_a_wider_network_begins_as_the_narrow_one(tmp_path: object) -> None:
    from crnn_ctc.net.build import build
    from crnn_ctc.recipe import load_recipe
    from crnn_ctc.training import finetune

    start = finetune.open_start("plates-nano")
    before, finetune._BREAK = finetune._BREAK, 0.0
    try:
        wide = finetune.widened(start, load_recipe("plates-small", ["network.own_light=false"]))
    finally:
        finetune._BREAK = before
    images = torch.rand(2, 3, 48, 168, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        narrow, other = start.network.eval()(images), wide.network.eval()(images)
    torch.testing.assert_close(narrow, other, atol=1e-3, rtol=1e-3)
    assert type(wide.network) is type(build(load_recipe("plates-small")))
    with pytest.raises(InputError, match="cannot be widened"):
        finetune.widened(start, load_recipe("plates-tiny"))


def test_a_rectifier_trains_goes_on_and_a_reader_trains_behind_it(tmp_path: Path) -> None:
    street(("blue", (150, 330), 160)).save(tmp_path / "a.jpg", quality=95)
    corners = "150,330 310,330 310,381 150,381"
    (tmp_path / "set.csv").write_text(f'file,corners,label\na.jpg,"{corners}",苏D18RL9\n')
    plate = EXAMPLES / "plates" / "苏D18RL9_blue.jpg"
    (tmp_path / "crops.csv").write_text(f"file,label\n{plate},苏D18RL9\n")
    sizes = ["training.batch_size=8", "training.validations=2", "training.log_steps=1"]
    data = ["data.scenes=set.csv", "data.validation=set.csv", 'data.ccpd=""']
    sets = [word for value in (*sizes, *data) for word in ("--set", value)]
    steps = ("--set", "training.images=16")
    run = tmp_path / "rect"
    train = ("train", "plates-rectify", "--data", tmp_path, "--run", run)
    done = run_cli(*train, *sets, *steps)
    assert done.returncode == 0, done.stderr.decode()
    assert b"best corner error" in done.stderr
    assert b"next: crnn-ctc train plates-nano" in done.stderr
    assert (run / "curves.png").is_file()
    assert b"holds a run already" in run_cli(*train, *sets, *steps).stderr
    assert run_cli(*train, *sets, *steps, "--resume").returncode == 0
    data = ["data.scenes=set.csv", "data.crops=crops.csv", "data.validation=crops.csv"]
    data += ['data.ccpd=""', f"data.rectifier={run}", "training.images=16"]
    sets = [word for value in (*sizes, *data) for word in ("--set", value)]
    reader = tmp_path / "reader"
    done = run_cli("train", "plates-nano", "--data", tmp_path, "--run", reader, *sets)
    assert done.returncode == 0, done.stderr.decode()
    done = run_cli("export", reader / "last", "--out", tmp_path / "own.onnx")
    assert done.returncode == 0, done.stderr.decode()
    assert len(Reader(tmp_path / "own.onnx", find="never")(plate).corners) == 4


@pytest.mark.slow
def test_own_text_gets_a_rectifier_by_one_key(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        for name in ("16180", "27182", "31415"):
            Image.open(next((EXAMPLES / "digits").glob(f"{name}*"))).convert("RGB").save(
                tmp_path / split / f"{name}.png"
            )
    sizes = ["training.images=16", "training.batch_size=8", "training.validations=2"]
    sizes += ["training.log_steps=1"]  # each loss must be a number
    sets = [word for value in sizes for word in ("--set", value)]
    data = ("--data", tmp_path)
    done = run_cli("train", "text-rectify", *data, "--run", tmp_path / "rect", *sets)
    assert done.returncode == 0, done.stderr.decode()
    assert b"next: crnn-ctc train text-nano" in done.stderr
    behind = ("--set", f"data.rectifier={tmp_path / 'rect'}", "--set", "alphabet=DIGITS")
    done = run_cli("train", "text-nano", *data, "--run", tmp_path / "own", *sets, *behind)
    assert done.returncode == 0, done.stderr.decode()
    done = run_cli("export", tmp_path / "own" / "last", "--out", tmp_path / "own.onnx")
    assert done.returncode == 0, done.stderr.decode()
    reading = Reader(tmp_path / "own.onnx")(tmp_path / "val" / "31415.png")
    assert len(reading.corners) == 4
    assert reading.colour == reading.kind == ""


def test_corners_of_own_crops_are_read_from_their_column(tmp_path: Path) -> None:
    Image.new("RGB", (80, 40)).save(tmp_path / "a.png")
    table = tmp_path / "set.csv"
    table.write_text('file,label,corners\na.png,12,"10,5 70,5 70,35 10,35"\n')
    (plate,) = labelled_plates(table)
    assert plate.corners.tolist() == [[10, 5], [70, 5], [70, 35], [10, 35]]
    assert plate.aspect == pytest.approx(2.0)
    table.write_text("file,label\na.png,12\n")
    (plate,) = labelled_plates(table)
    assert plate.corners.tolist() == [[0, 0], [80, 0], [80, 40], [0, 40]]
    table.write_text('file,label,corners\na.png,12,"70,5 10,5 10,35 70,35"\n')
    with pytest.raises(InputError, match=r"set\.csv:2.*clockwise"):
        labelled_plates(table)
    for wrong in ("500,5 560,5 560,35 500,35", "0.1,0.1 0.9,0.1 0.9,0.9 0.1,0.9"):
        table.write_text(f'file,label,corners\na.png,12,"{wrong}"\n')
        with pytest.raises(InputError, match=r"set\.csv:2.*in pixels"):
            labelled_plates(table)


def test_a_folder_without_a_rectifier_is_told(tmp_path: Path) -> None:
    from crnn_ctc.training.trained_rectifier import open_rectifier

    with pytest.raises(InputError, match=r"data\.rectifier .*crnn-ctc train plates-rectify"):
        open_rectifier(tmp_path)


def test_a_picture_that_cannot_be_decoded_is_left_out_behind_a_rectifier(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("torch", reason="rectifiers are trained with torch")
    from crnn_ctc.data.labelled import read_labelled
    from crnn_ctc.data.plate_pictures import crop_plates, rectified_set
    from crnn_ctc.net.rectifier import Rectifier
    from crnn_ctc.training.trained_rectifier import TrainedRectifier

    rectifier = TrainedRectifier(Rectifier().state_dict())
    Image.new("RGB", (80, 40), "blue").save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "set.csv").write_text("file,label\nbad.png,12\ngood.png,34\n")
    samples = list(read_labelled(tmp_path / "set.csv"))
    assert [plate.text for plate in crop_plates(samples, rectifier)] == ["34"]
    images, texts = rectified_set(samples, rectifier, 48, 168)
    assert (images.shape, texts) == ((1, 48, 168, 3), ["34"])
    assert [r.message.startswith("left out: ") for r in caplog.records] == [True, True]
    with pytest.raises(InputError, match=r"no labelled picture can be read: .*bad\.png"):
        crop_plates(samples[:1], rectifier)


def test_weights_behind_a_rectifier_are_refused() -> None:
    from crnn_ctc.recipe import load_recipe

    changes = ["data.train={a = 1.0, b = 2.0}", "data.rectifier=run"]
    with pytest.raises(InputError, match=r"weights have no effect behind data\.rectifier"):
        load_recipe("text-nano", changes)


@pytest.mark.parametrize("upright", [True, False])
def test_a_picture_of_three_tones_is_no_padding(upright: bool) -> None:
    picture = np.full((21, 21, 3), 100, np.uint8)
    picture[7:], picture[14:] = 106, 112  # the middle is like the first line and like the last
    shown = Image.fromarray(picture if upright else picture.swapaxes(0, 1).copy())
    assert without_padding(shown) == (shown, (0, 0))
    assert Reader("plates-nano")(shown).confidence < 0.5


def test_the_margin_of_text_on_plain_paper_is_no_padding() -> None:
    paper = Image.new("RGB", (200, 60), "wheat")
    ImageDraw.Draw(paper).text((100, 30), "B7-4093", "navy", ImageFont.load_default(20), "mm")
    assert without_padding(paper) == (paper, (0, 0))


def test_plates_of_two_rows_are_read_upside_down() -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed (extra [train])")
    from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
    from crnn_ctc.synthesis.text import TWO_ROW

    drawn = PlateSynthesizer(5, 64, 128, cut="corners", perspective=0.0)
    plates = [
        (picture, text) for picture, text, kind in map(drawn.picture, range(160)) if kind in TWO_ROW
    ]
    reader = Reader(find="never")
    read = 0
    for picture, text in plates:
        plate = Image.fromarray(picture).resize((240, 120), Image.Resampling.BILINEAR)
        turned = reader(plate.transpose(Image.Transpose.ROTATE_180))
        read += turned.text == text
        if turned.text == text:  # the text begins at the lower right
            assert np.array(turned.characters[0].corners).mean(0)[0] > 120
    assert read >= len(plates) / 4
