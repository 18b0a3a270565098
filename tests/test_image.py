from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc import InputError, Reader
from crnn_ctc.data.digits import Digits
from crnn_ctc.data.sequences import protocol
from crnn_ctc.image import WARNING, fit, fit_two_rows, load, load_each, open_picture
from helpers.data import EXAMPLES


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def picture() -> Image.Image:
    x, y = np.meshgrid(np.arange(40), np.arange(20))
    return Image.fromarray(np.stack([6 * x, 12 * y, 255 - 6 * x], -1).astype(np.uint8))


def test_every_kind_of_source_is_the_same_picture(picture: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "车牌 照片.png"  # paths with Chinese characters and spaces
    picture.save(path)
    expected = np.asarray(picture)
    content = path.read_bytes()
    written = io.BytesIO()
    picture.save(written, "PNG")  # its position is at its end
    with path.open("rb") as file:
        sources = [
            path, str(path), content, bytearray(content), memoryview(content), io.BytesIO(content),
            written, file, picture, expected, np.asfortranarray(expected),
        ]  # fmt: skip
        for source in (*sources, written, file):
            got = load(source)
            assert got.dtype == np.uint8
            np.testing.assert_array_equal(got, expected)


def test_arrays(picture: Image.Image) -> None:
    rgb = np.asarray(picture)
    np.testing.assert_array_equal(load(rgb[..., ::-1], channel_order="bgr"), rgb)
    grey = rgb[..., 0]
    for array in (grey, grey[..., None]):
        for order in ("rgb", "bgr"):
            got = load(array, channel_order=order)  # type: ignore[arg-type]
            np.testing.assert_array_equal(got, np.repeat(grey[..., None], 3, 2))
    opaque = np.dstack([rgb, np.full_like(grey, 255)])
    np.testing.assert_array_equal(load(opaque), rgb)
    clear = np.dstack([rgb, np.zeros_like(grey)])
    assert (load(clear) == 255).all()
    blue_first = opaque[..., [2, 1, 0, 3]]
    np.testing.assert_array_equal(load(blue_first, channel_order="bgr"), rgb)
    np.testing.assert_array_equal(load(rgb[::-1, 4:-4]), rgb[::-1, 4:-4])  # a view


def test_what_is_no_picture_by_its_type(tmp_path: Path) -> None:
    for value in (None, 5, [1, 2], object()):
        with pytest.raises(TypeError, match="is not a picture: give a path"):
            load(value)  # type: ignore[arg-type]
    (tmp_path / "x.txt").write_text("text")
    with (tmp_path / "x.txt").open() as file, pytest.raises(TypeError, match="'rb'"):
        load(file)  # type: ignore[arg-type]
    closed = (tmp_path / "x.txt").open("rb")
    closed.close()
    with pytest.raises(InputError, match=r"x\.txt: cannot be read"):
        load(closed)


def test_a_pil_image_of_a_broken_file(picture: Image.Image) -> None:
    content = encoded(picture)
    opened = Image.open(io.BytesIO(content[: len(content) // 2]))
    with opened as image, pytest.raises(InputError, match="picture: a broken picture"):
        load(image)
    image.close()
    with pytest.raises(InputError, match="picture: a broken picture"):
        load(image)


def test_an_item_for_each_source(picture: Image.Image) -> None:
    failed = InputError("no signal")
    items = list(load_each([picture, b"text", None, failed, picture]))  # type: ignore[list-item]
    assert [isinstance(item, Image.Image) for item in items] == [True, False, False, False, True]
    assert items[3] is failed
    assert "not a picture" in str(items[1])


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WebP", "GIF", "PPM", "JPEG"])
def test_formats(picture: Image.Image, kind: str) -> None:
    options = {"lossless": True} if kind == "WebP" else {}
    got = load(encoded(picture, kind, **options)).astype(int)
    lossy = kind in {"JPEG", "GIF"}
    assert np.abs(got - np.asarray(picture)).mean() < (12 if lossy else 0.1)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "RGBA", "LA", "YCbCr", "I", "F", "I;16"])
def test_modes(mode: str) -> None:
    grey = Image.fromarray(np.tile(np.array([[0, 255]], np.uint8), (20, 20)))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    else:
        image = grey.convert(mode)
    kind = "TIFF" if mode in {"CMYK", "F", "YCbCr", "I"} else "PNG"
    got = load(encoded(image, kind))
    assert got.shape == (20, 40, 3)
    assert got[:, 0::2].max() < 10
    assert got[:, 1::2].min() > 245


def test_transparency_is_laid_on_white() -> None:
    image = Image.new("RGBA", (20, 10), (255, 0, 0, 0))
    assert (load(encoded(image)) == 255).all()
    palette = Image.new("P", (20, 10), 0)
    assert (load(encoded(palette, transparency=0)) == 255).all()


def test_exif_turns_the_picture_upright(picture: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held turned
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    got = load(encoded(turned, "PNG", exif=exif))
    np.testing.assert_array_equal(got, np.asarray(picture))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty file"),
        (b"no picture at all, but text", "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "picture"),
    ],
)
def test_what_is_no_picture(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WebP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_truncated_pictures(picture: Image.Image, kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    content = encoded(Image.fromarray(noise), kind)
    with pytest.raises(InputError, match=r"broken picture|not a picture"):
        load(content[: int(len(content) * share)])


def cut_jpeg(share: float, **options: object) -> tuple[bytes, Image.Image]:
    """A JPEG of noise without the last ``share`` of its data, and as a whole."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 200, 3), np.uint8)
    content = encoded(Image.fromarray(noise), "JPEG", quality=92, **options)
    whole = Image.open(io.BytesIO(content)).convert("RGB")
    data = content.index(b"\xff\xda")
    return content[: data + int((len(content) - data) * (1 - share))], whole


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_jpeg_without_its_end_is_read_with_a_warning(subsampling: int) -> None:
    content, whole = cut_jpeg(0.05, subsampling=subsampling)
    got = open_picture(content)
    assert "picture: a JPEG file cut short: its last" in got.info[WARNING]
    same = (np.asarray(got) == np.asarray(whole)).all(2).mean()
    assert same > 0.85
    assert "\n" not in got.info[WARNING]
    content, _ = cut_jpeg(0.15, subsampling=subsampling)
    with pytest.raises(InputError, match="a broken picture"):
        open_picture(content)


def test_a_jpeg_without_its_end_marker_is_whole(tmp_path: Path) -> None:
    content, whole = cut_jpeg(0)
    (tmp_path / "no_eoi.jpg").write_bytes(content[:-2])
    got = open_picture(tmp_path / "no_eoi.jpg")
    assert "no_eoi.jpg: a JPEG file cut short: its end marker is missing" in got.info[WARNING]
    assert np.array_equal(np.asarray(got), np.asarray(whole))
    reading = Reader("plates-nano")(tmp_path / "no_eoi.jpg")
    assert reading.warning == got.info[WARNING]
    assert Reader("plates-nano")(content).warning is None


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_progressive_jpeg_without_its_last_details_is_read(mode: str) -> None:
    smooth = Image.open(EXAMPLES / "plates" / "鲁D89239_yellow.jpg").convert(mode)
    content = encoded(smooth, "JPEG", quality=90, progressive=True)
    whole = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    off = []
    # everywhere, also inside the segments between two scans
    for missing in range(2, int(0.15 * len(content)), 11):
        picture = open_picture(content[:-missing])
        assert "cut short: its last details are missing" in picture.info[WARNING]
        off.append(np.abs(np.asarray(picture).astype(int) - whole).mean())
    assert off[0] == 0
    assert max(off) < 8
    with pytest.raises(InputError, match="a broken picture"):  # the first scans alone
        open_picture(content[: int(0.4 * len(content))])


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_bits_are_taken_from_what_a_wider_file_holds(bits: int) -> None:
    values = np.linspace(0, 2**bits - 1, 40 * 20).reshape(20, 40).round().astype(np.uint16)
    expected = np.rint(values / (2**bits - 1) * 255)
    for source in (
        encoded(Image.fromarray(values), "PNG"),
        encoded(Image.fromarray(values), "TIFF"),
        values,
        np.repeat(values[..., None], 3, axis=2),
    ):
        assert np.abs(load(source)[..., 0] - expected).max() <= 1


@pytest.mark.parametrize(
    ("source", "says", "hidden"),
    [
        ("rtsp://admin:s3cret@10.0.0.8/live", "a video stream, not a picture", "s3cret"),
        ("https://example.org/plate.jpg", "download it first", None),
        ("s3://bucket/plate.jpg", "an address, not a file", None),
        ("data:image/png;base64," + "iVBORw0KGgo" * 20, "base64.b64decode", "iVBORw0KGgo" * 10),
        ("/9j/4AAQSkZJRgABAQ" * 100, "base64.b64decode", "/9j/4AAQSkZJRgABAQ" * 10),
    ],
)
def test_what_is_no_path_gets_a_sentence_that_helps(
    source: str, says: str, hidden: str | None
) -> None:
    with pytest.raises(InputError) as caught:
        load(source)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300
    assert hidden is None or hidden not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "missing.png")
    with pytest.raises(InputError, match="a folder"):
        load(tmp_path)
    with pytest.raises(InputError):
        load("nul\0byte.png")


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    bomb = encoded(Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 100_000
    with pytest.raises(InputError, match="limit of 50 megapixels"):
        load(bomb)


@pytest.mark.parametrize("size", [(1, 1), (200, 3), (3, 200)])
def test_too_small(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="hold no text"):
        load(encoded(Image.new("RGB", size)))


@pytest.mark.parametrize(
    "array",
    [np.zeros((9, 9), np.float32), np.zeros((9, 9, 5), np.uint8), np.zeros(9, np.uint8)],
)
def test_arrays_of_another_kind(array: NDArray[np.generic]) -> None:
    with pytest.raises(InputError, match="give uint8"):
        load(array)


def test_one_preprocessing_for_training_evaluation_and_reading(small_digits: Digits) -> None:
    """A row of digits, as training composes and evaluation keeps it, read back from a file."""
    for name in ("clean", "distorted"):
        images, _ = protocol(small_digits, name, 20)
        for row in images:
            saved = load(encoded(Image.fromarray(row[..., 0])))
            np.testing.assert_array_equal(fit(saved, 32, 160, 1, "light"), row)


def test_fit_sizes_and_channels(picture: Image.Image) -> None:
    image = load(picture)
    assert fit(image, 48, 168, 3).shape == (48, 168, 3)
    assert fit(image, 32, 160, 1).shape == (32, 160, 1)
    np.testing.assert_array_equal(fit(image, 20, 40, 3), image)


@pytest.fixture
def strokes() -> NDArray[np.uint8]:
    light = np.zeros((32, 160, 3), np.uint8)
    light[8:24, 40:60] = 255
    light[4:28, 100:104] = 255
    return light


def test_dark_ink_is_inverted_for_models_of_light_ink(strokes: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(fit(255 - strokes, 32, 160, 1, "light"), strokes[..., :1])
    np.testing.assert_array_equal(fit(strokes, 32, 160, 1, "light"), strokes[..., :1])
    np.testing.assert_array_equal(fit(255 - strokes, 32, 160, 1, "any"), 255 - strokes[..., :1])


def test_shaded_paper_becomes_black(strokes: NDArray[np.uint8]) -> None:
    shade = np.linspace(215, 245, 160)[None, :, None]
    photo = np.where(strokes > 0, 60, shade).astype(np.uint8)
    got = fit(photo, 32, 160, 1, "light")[..., 0].astype(int)
    assert np.median(got) == 0
    assert got[8:24, 40:60].min() > 200
    assert got[strokes[..., 0] == 0].max() < 40


def test_an_empty_page_stays_empty() -> None:
    noise = np.random.default_rng(0).normal(230, 3, (32, 160, 1)).clip(0, 255)
    page = np.repeat(noise.astype(np.uint8), 3, axis=2)
    assert fit(page, 32, 160, 1, "light").max() < 64


def test_two_rows_become_one() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:30, 40:160] = (200, 0, 0)  # where an upper row's two characters stand
    picture[45:, :] = (0, 0, 200)
    joined = fit_two_rows(picture, 48, 168, 3)
    assert (joined.shape, joined.dtype) == ((48, 168, 3), np.uint8)
    upper, lower = joined[:, :56], joined[:, 56:]
    assert tuple(upper[10, 28]) == (200, 0, 0)
    assert tuple(lower[40, 56]) == (0, 0, 200)
    assert upper[:30, :, 2].max() == 0
    assert lower[:, :, 0].max() == 0
    assert fit_two_rows(picture, 32, 96, 1).shape == (32, 96, 1)


def test_pillow_opens_no_kinds_but_ours(picture: Image.Image, tmp_path: Path) -> None:
    """EPS would start Ghostscript."""
    for kind in ("EPS", "ICO", "PCX", "TGA"):
        with pytest.raises(InputError, match="not a picture; give PNG, JPEG, WebP, BMP or TIFF"):
            load(encoded(picture, kind))
    disguised = tmp_path / "x.png"
    picture.save(disguised, "EPS")
    with pytest.raises(InputError, match=r"x\.png: not a picture"):
        load(disguised)
