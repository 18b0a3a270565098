"""Any picture to an array, and an array to a model's input."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from crnn_ctc.errors import InputError

Source = str | Path | bytes | Image.Image | NDArray[np.uint8]
"""What a picture may be given as: a path, the bytes of a file, a PIL image, or an array."""

Ink = Literal["light", "any"]
"""``light``: light text on black, and other grounds are brought to that; ``any``: as it is."""

MAX_PIXELS = 50_000_000
"""Larger pictures are refused: decompressed, they would fill the memory."""

MIN_SIDE = 4
"""Pixels; smaller pictures hold no text."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Of pictures. Pillow knows more, some of which start other programs (EPS) or are little tested."""

MOST_SIDE = 8192
"""Pixels of a model's input, either way."""

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Names that a folder's pictures end with."""


def names_picture(name: str) -> bool:
    """Whether a file of a folder is a picture, by its name without a folder; no hidden one."""
    suffix = os.path.splitext(name)[1]  # noqa: PTH122  a Path a picture costs more
    # macOS leaves ._NAME.jpg files behind, which are no pictures
    return suffix.lower() in SUFFIXES and not name.startswith(".")


def load(source: Source) -> NDArray[np.uint8]:
    """A picture as RGB, uint8 (H, W, 3), upright by its EXIF.

    Grey, palette, CMYK, 16-bit and transparent pictures are converted; transparency is laid on
    white, as viewers show it. Arrays are uint8 (H, W), (H, W, 1) or RGB (H, W, 3).

    Raises:
        InputError: no such file, not a picture, cut short, too large or too small.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    name = str(source) if isinstance(source, (str, Path)) else "picture"
    if isinstance(source, Image.Image):
        return _to_rgb(source, name)
    try:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; check the path") from None
    except IsADirectoryError:
        raise InputError(f"{name}: a folder, not a picture; name its pictures") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name}: cannot be read ({reason}); check the path") from None
    if not content:
        raise InputError(f"{name}: an empty file (0 bytes); copy it again")
    try:
        with warnings.catch_warnings():
            # of what is odd in a file, and of sizes that are over our own limit anyway
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                return _to_rgb(image, name)
    except UnidentifiedImageError:
        raise InputError(f"{name}: not a picture; give PNG, JPEG, WebP, BMP or TIFF") from None
    except Image.DecompressionBombError:
        raise InputError(f"{name}: {_TOO_LARGE}") from None
    except InputError:
        raise
    # Pillow's decoders raise many kinds of errors on broken files, SyntaxError among them
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, KeyError) as error:
        raise InputError(f"{name}: a broken picture ({error}); copy it again") from None


def load_each(
    sources: Iterable[Source], errors: dict[int, str]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The pictures that can be read, each with its place among ``sources``; see :func:`load`.

    Args:
        sources: pictures.
        errors: what is wrong with each of the others is put here, by its place.
    """
    for place, source in enumerate(sources):
        try:
            image = load(source)
        except InputError as error:
            errors[place] = str(error)
        else:
            yield place, image


_TOO_LARGE = f"over the limit of {MAX_PIXELS // 1_000_000} megapixels; crop it to the text"


def _check_size(width: int, height: int, name: str) -> None:
    if width * height > MAX_PIXELS:
        raise InputError(f"{name}: {width}x{height} pixels, {_TOO_LARGE}")
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{name}: {width}x{height} pixels hold no text; give at least {MIN_SIDE}x{MIN_SIDE}"
        )


def _to_rgb(image: Image.Image, name: str) -> NDArray[np.uint8]:
    _check_size(*image.size, name)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        return _from_array(_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return np.asarray(image.convert("RGB"), np.uint8)


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey of 16 bits, or of 32 that hold 16, or floats in [0, 1] or [0, 255]."""
    if values.dtype.kind == "f":
        numbers = np.nan_to_num(values.astype(np.float64))
        scaled = numbers * (255 if numbers.max() <= 1 else 1)
    else:
        scaled = values.astype(np.float64) * (1 if int(values.max()) <= 255 else 255 / 65535)
    return np.asarray(np.rint(scaled).clip(0, 255), np.uint8)


def _from_array(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if array.ndim == 2:
        array = array[..., None]
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in {1, 3}:
        raise InputError(
            f"array of {array.dtype} {array.shape}: give uint8 (H, W), (H, W, 1) or RGB (H, W, 3)"
        )
    _check_size(array.shape[1], array.shape[0], "array")
    return np.broadcast_to(array, (*array.shape[:2], 3))


def fit(
    image: NDArray[np.uint8], height: int, width: int, channels: int, ink: Ink = "any"
) -> NDArray[np.uint8]:
    """A picture as a model takes it. Training, evaluation and reading all come through here.

    The picture is stretched to ``width`` x ``height`` (bilinear, averaging where it shrinks), made
    grey by ITU-R 601 where ``channels`` is 1, and where ``ink`` is ``light``, its ground, which is
    what most of its rim shows, is made black. A picture of the right size, kind and ink comes back
    bit for bit.

    Args:
        image: RGB, uint8 (H, W, 3).
        height: of the result, in pixels.
        width: of the result, in pixels.
        channels: 1 for grey, 3 for RGB.
        ink: what the model was trained on.

    Returns:
        uint8 (height, width, channels).
    """
    picture = Image.fromarray(image)
    if channels == 1:
        picture = picture.convert("L")
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    out = np.asarray(picture, np.uint8).reshape(height, width, channels)
    return _on_black(out) if ink == "light" else out


UPPER_ROW = (0.15, 0.0, 0.85, 0.44)
"""Where the upper row of a two-row plate stands: left, top, right, bottom, shares of the picture.

Two characters wide (GA36-2018); both rows reach into each other, for plates that tilt."""

LOWER_ROW = (0.0, 0.33, 1.0, 1.0)
"""Where the lower row stands, likewise."""

UPPER_SHARE = 1 / 3
"""Of the width, for the upper row when both stand side by side."""


def fit_two_rows(
    image: NDArray[np.uint8], height: int, width: int, channels: int, ink: Ink = "any"
) -> NDArray[np.uint8]:
    """A picture of two rows as a model for one row takes it: the upper row left of the lower.

    Arguments and result as :func:`fit`; the rows are at ``UPPER_ROW`` and ``LOWER_ROW``.
    """
    picture = Image.fromarray(image)
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
    """Light text on black, uint8 (H, W, C), whatever ink and paper it had."""
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
"""Levels between ground and ink; less is not stretched to the full 255."""


def _quantile(values: NDArray[np.uint8], share: float) -> int:
    """The value that ``share`` of ``values`` do not exceed; np.percentile costs an import."""
    return int(np.sort(values, axis=None)[int(share * (values.size - 1))])


def _rim(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The outermost pixels."""
    edges = (image[0], image[-1], image[1:-1, 0], image[1:-1, -1])
    return np.concatenate([edge.ravel() for edge in edges])
