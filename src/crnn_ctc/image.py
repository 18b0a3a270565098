"""Any picture to an array, and an array to a model's input."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from crnn_ctc.errors import InputError
from crnn_ctc.files import content_of
from crnn_ctc.jpeg import open_cut_jpeg, reduce_decoding

Source = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | IO[bytes]
    | Image.Image
    | NDArray[np.uint8]
)
"""What a picture may be given as: a path, a file's bytes, a file opened in binary mode, a PIL image
or an array, uint8 (H, W) or (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) RGBA."""

ChannelOrder = Literal["rgb", "bgr"]
"""Channel order of an array: ``bgr`` is that of OpenCV. An alpha channel is always the last."""

Ink = Literal["light", "any"]
"""``light``: pictures are converted to light text on black; ``any``: pictures are unchanged."""

MAX_PIXELS = 50_000_000
"""Pixels; larger pictures are rejected before they are decoded."""

WARNING = "crnn_ctc_warning"
"""Key in a Pillow image's ``info``: a line that names a defect of a picture that is read."""

MIN_SIDE = 4
"""Pixels; smaller pictures hold no text."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""File formats. Pillow knows more, some of which start other programs (EPS) or are untested."""

MOST_SIDE = 8192
"""Pixels of a model's input, either way."""

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Suffixes of the pictures of a folder."""


def names_picture(name: str) -> bool:
    """Whether a file is a picture, by its name without the folder; hidden files are not."""
    suffix = os.path.splitext(name)[1]  # noqa: PTH122  a Path a picture costs more
    # macOS leaves ._NAME.jpg files behind, which are no pictures
    return suffix.lower() in SUFFIXES and not name.startswith(".")


def open_picture(
    source: Source,
    max_pixels: int = MAX_PIXELS,
    channel_order: ChannelOrder = "rgb",
    reduce: bool = False,
) -> Image.Image:
    """A picture in mode RGB, upright by its EXIF.

    Grey, palette, CMYK, 16-bit and transparent pictures are converted; transparency is laid on
    white, as viewers show it. A truncated JPEG file is read if at most a tenth of the picture is
    missing, or only the last details of a progressive one; ``info`` then holds a ``WARNING``.

    Args:
        source: see :data:`Source`.
        max_pixels: width times height; larger pictures are rejected before they are decoded.
        channel_order: channel order of arrays with 3 or 4 channels; ignored for other sources.
        reduce: decode a large JPEG file at a fraction of its size;
            :func:`crnn_ctc.jpeg.full_size` then gives all of it.

    Raises:
        NotAPictureError: an object of another type, such as None.
        InputError: no such file, not a picture, cut short, too large or too small.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels, channel_order)
    name, content = "picture", b""
    if not isinstance(source, Image.Image):
        name, content = content_of(source)
        if not content:
            raise InputError(f"{name}: an empty file (0 bytes); copy it again")
    try:
        if isinstance(source, Image.Image):  # its file is perhaps still to be decoded
            return _to_rgb(source, name, max_pixels)
        with warnings.catch_warnings():
            # about odd files, and about sizes above Pillow's limit: ours is lower
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                _check_size(*image.size, name, max_pixels)
                if reduce:
                    reduce_decoding(image, partial(open_picture, content, max_pixels))
                return _to_rgb(image, name, max_pixels)
    except UnidentifiedImageError:
        raise InputError(f"{name}: not a picture; give PNG, JPEG, WebP, BMP or TIFF") from None
    except Image.DecompressionBombError:
        raise InputError(f"{name}: {_too_large(max_pixels)}") from None
    except (InputError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise many kinds of errors on broken files
        cut = open_cut_jpeg(content)
        if cut is None:
            raise InputError(f"{name}: a broken picture ({error}); copy it again") from None
    rest, what = cut
    picture = _to_rgb(rest, name, max_pixels)
    picture.info[WARNING] = f"{name}: a JPEG file cut short: {what} missing; the rest was read"
    return picture


def load(
    source: Source, max_pixels: int = MAX_PIXELS, channel_order: ChannelOrder = "rgb"
) -> NDArray[np.uint8]:
    """A picture as RGB, uint8 (H, W, 3); see :func:`open_picture`."""
    return np.asarray(open_picture(source, max_pixels, channel_order), np.uint8)


def load_each(
    sources: Iterable[Source | InputError],
    max_pixels: int = MAX_PIXELS,
    channel_order: ChannelOrder = "rgb",
    reduce: bool = False,
) -> Iterator[Image.Image | InputError]:
    """One item for each source, in order: its picture, or the error that it cannot be read.

    Arguments as :func:`open_picture`. Errors among the sources are passed on.
    """
    for source in sources:
        if isinstance(source, InputError):
            yield source
            continue
        try:
            yield open_picture(source, max_pixels, channel_order, reduce)
        except InputError as error:
            yield error


def is_source(value: object) -> bool:
    """Whether a value is one picture, by its type: not a list of pictures."""
    if isinstance(value, np.ndarray):
        return value.ndim < 4
    kinds = (str, os.PathLike, bytes, bytearray, memoryview, Image.Image)
    return isinstance(value, kinds) or hasattr(value, "read")


def _too_large(max_pixels: int) -> str:
    return f"over the limit of {max_pixels / 1e6:g} megapixels; crop it to the text"


def _check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise InputError(f"{name}: {width}x{height} pixels, {_too_large(max_pixels)}")
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{name}: {width}x{height} pixels hold no text; give at least {MIN_SIDE}x{MIN_SIDE}"
        )


def _to_rgb(image: Image.Image, name: str, max_pixels: int) -> Image.Image:
    _check_size(*image.size, name, max_pixels)
    if image.format != "JPEG" or not image.info.keys().isdisjoint(_TURNED_BY):
        image = ImageOps.exif_transpose(image)
    if image.mode == "RGB" and not image.has_transparency_data:
        image.load()
        return image
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


_TURNED_BY = {"exif", "xmp"}
"""Entries of a JPEG file that may hold an EXIF orientation."""


def _on_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image).convert("RGB")


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Integers of 8, 10, 12, 14 or 16 bits in wider ones, or floats in [0, 1] or [0, 255].

    Cameras of 10 and 12 bits write 16-bit files without saying so. The smallest depth that holds
    all values is assumed, so very dark pictures of a larger depth become brighter.
    """
    numbers = np.nan_to_num(values.astype(np.float64))
    highest = float(numbers.max())
    if values.dtype.kind == "f":
        most = 1.0 if highest <= 1 else 255.0
    else:
        most = next((2.0**bits - 1 for bits in _BITS if highest < 2**bits), 2.0**16 - 1)
    return np.asarray(np.rint(numbers * (255 / most)).clip(0, 255), np.uint8)


_BITS = (8, 10, 12, 14, 16)
"""Bits per channel, in the order in which they are tried."""


_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's modes of arrays, by their number of channels."""


def _from_array(
    array: NDArray[np.uint8], max_pixels: int, channel_order: ChannelOrder
) -> Image.Image:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype == np.uint16 and array.size:
        array = _eight_bits(array)
    if array.dtype != np.uint8 or array.ndim not in {2, 3} or channels not in _MODES:
        raise InputError(
            f"array of {array.dtype} {array.shape}: give uint8 or uint16 (H, W), (H, W, 1), "
            "(H, W, 3) or (H, W, 4)"
        )
    height, width = array.shape[:2]
    _check_size(width, height, "array", max_pixels)
    mode = _MODES[channels]
    raw = mode.replace("RGB", "BGR") if channel_order == "bgr" else mode
    content = np.ascontiguousarray(array)
    image = Image.frombuffer(mode, (width, height), content, "raw", raw, 0, 1)
    if mode == "RGBA":
        return _on_white(image)
    return image if mode == "RGB" else image.convert("RGB")


def fit(
    image: Image.Image | NDArray[np.uint8], height: int, width: int, channels: int, ink: Ink = "any"
) -> NDArray[np.uint8]:
    """Convert a picture to a model's input; used by training, evaluation and reading.

    The picture is resized to ``width`` x ``height`` (bilinear, with averaging when it shrinks) and
    converted to grey by ITU-R 601 if ``channels`` is 1. If ``ink`` is ``light``, the background,
    estimated from the border, is made black. A picture that already fits is returned unchanged.

    Args:
        image: RGB: a Pillow image, or uint8 (H, W, 3).
        height: height of the result, in pixels.
        width: width of the result, in pixels.
        channels: 1 for grey, 3 for RGB.
        ink: what the model was trained on.

    Returns:
        uint8 (height, width, channels).
    """
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if channels == 1:
        picture = picture.convert("L")
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    out = np.asarray(picture, np.uint8).reshape(height, width, channels)
    return _on_black(out) if ink == "light" else out


ROW_HEIGHT = 48
"""Height of a row of digits of any width, pixels."""

ROW_STEP = 16
"""Widths of such rows are multiples of this."""


def free_width(image: Image.Image | NDArray[np.uint8], height: int, widest: int, step: int) -> int:
    """The input width of a picture for a model of free width, in pixels.

    It keeps the proportions up to rounding to a multiple of ``step``, is at least the height and
    at most ``widest``.

    Args:
        image: PIL's, or (H, W, C).
        height: height of the model's input, pixels.
        widest: greatest width of the model's input, pixels.
        step: pixels.
    """
    size = image.size if isinstance(image, Image.Image) else image.shape[1::-1]
    width = float(size[0]) * height / size[1]
    return int(round(min(max(width, height), widest) / step) * step)


def batches_by_width(widths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Batches of indices of equal widths, at most ``size`` each; every index occurs once."""
    places: dict[int, list[int]] = {}
    for place, width in enumerate(widths):
        places.setdefault(width, []).append(place)
    for alike in places.values():
        for start in range(0, len(alike), size):
            yield alike[start : start + size]


UPPER_ROW = (0.15, 0.0, 0.85, 0.44)
"""Where the upper row of a two-row plate stands: left, top, right, bottom, shares of the picture.

Two characters wide (GA36-2018); both rows reach into each other, for plates that tilt."""

LOWER_ROW = (0.0, 0.33, 1.0, 1.0)
"""Where the lower row stands, likewise."""

UPPER_SHARE = 1 / 3
"""Share of the width for the upper row when both stand side by side."""


def fit_two_rows(
    image: Image.Image | NDArray[np.uint8], height: int, width: int, channels: int, ink: Ink = "any"
) -> NDArray[np.uint8]:
    """Convert a picture of two rows to an input for one row: the upper row left of the lower one.

    Arguments and result as :func:`fit`; the rows are at ``UPPER_ROW`` and ``LOWER_ROW``.
    """
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    left = round(width * UPPER_SHARE)
    parts = [
        picture.resize((wide, height), Image.Resampling.BILINEAR, _box(picture.size, row))
        for row, wide in ((UPPER_ROW, left), (LOWER_ROW, width - left))
    ]
    joined = np.hstack([np.asarray(part, np.uint8) for part in parts])
    return fit(joined, height, width, channels, ink)


def _box(
    size: tuple[int, int], shares: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    width, height = size
    left, top, right, bottom = shares
    return left * width, top * height, right * width, bottom * height


def _on_black(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as light text on black, uint8 (H, W, C)."""
    if np.mean(_rim(image)) > 127.5:
        image = 255 - image
    # text that touches the rim stays below a quarter of it, shading of the paper does not
    ground = _quantile(_rim(image), 0.75)
    if ground == 0:
        return image
    # the ground's own noise must not be stretched into strokes where there is no text
    reach = max(_quantile(image, 0.99) - ground, _LEAST_CONTRAST)
    stretched = (image.astype(np.float32) - ground) * (255 / reach)
    return np.asarray(np.rint(stretched).clip(0, 255), np.uint8)


_LEAST_CONTRAST = 64
"""Levels between background and ink; less contrast is not stretched to the full 255."""


def _quantile(values: NDArray[np.uint8], share: float) -> int:
    """A quantile of ``values``; np.percentile costs an import."""
    return int(np.sort(values, axis=None)[int(share * (values.size - 1))])


def _rim(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The outermost pixels."""
    edges = (image[0], image[-1], image[1:-1, 0], image[1:-1, -1])
    return np.concatenate([edge.ravel() for edge in edges])
