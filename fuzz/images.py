"""Pictures: what ``Reader``, ``predict`` and the service open."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from crnn_ctc import image as pictures
from promise import Target, kept

# broken pictures often claim to be huge: decoding those finds nothing new and takes long
MAX_PIXELS = 300_000


def check(data: bytes) -> None:
    """RGB of a sane size, which fits any model; or a refusal."""
    with kept():
        loaded = pictures.load(data, MAX_PIXELS)
        assert loaded.dtype == np.uint8
        assert loaded.ndim == 3
        assert loaded.shape[2] == 3
        assert loaded.shape[0] * loaded.shape[1] <= MAX_PIXELS
        assert pictures.fit(loaded, 32, 160, 1, "light").shape == (32, 160, 1)
        assert pictures.fit_two_rows(loaded, 48, 96, 3).shape == (48, 96, 3)


def _seeds() -> tuple[bytes, ...]:
    x, y = np.meshgrid(np.arange(24), np.arange(12))
    picture = Image.fromarray(np.stack([10 * x, 20 * y, 255 - 10 * x], -1).astype(np.uint8))
    kinds = [
        (picture, "PNG", {}),
        (picture.convert("P"), "PNG", {"transparency": 0}),
        (picture.convert("LA"), "PNG", {}),
        (Image.fromarray((x * 2000).astype(np.uint16)), "PNG", {}),
        (picture, "JPEG", {"quality": 60}),
        (picture.convert("CMYK"), "JPEG", {}),
        (picture, "JPEG", {"progressive": True}),
        (picture, "WEBP", {}),
        (picture, "WEBP", {"lossless": True}),
        (picture, "BMP", {}),
        (picture, "GIF", {}),
        (picture, "TIFF", {"compression": "tiff_lzw"}),
        (picture.convert("F"), "TIFF", {}),
        (picture, "PPM", {}),
        (picture.convert("1"), "PPM", {}),
    ]
    turned = Image.Exif()
    turned[0x0112] = 6
    kinds.append((picture, "JPEG", {"exif": turned}))
    seeds = []
    for image, kind, options in kinds:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        seeds.append(buffer.getvalue())
    # kinds that Pillow would open and we do not
    return (*seeds, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")


TARGET = Target(check, _seeds())
