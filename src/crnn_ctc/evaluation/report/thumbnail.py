"""Thumbnails as data URIs, small enough for sixty on a page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.read import EvaluationPicture
from crnn_ctc.image import load

_WIDEST, _TALLEST = 480, 360  # pixels: twice the displayed size, for high-density screens
_FEW = 24_000  # pixels, up to which PNG is about as small as JPEG
_SHOWN_TALLEST = 240  # CSS pixels: limits tall, narrow pictures


@dataclass(frozen=True)
class Thumbnail:
    """A picture embedded in a page.

    Attributes:
        uri: ``data:image/...``.
        width: width of the thumbnail, pixels.
        height: height of the thumbnail, pixels.
        shown: maximum displayed width, CSS pixels.
        original: width of the original picture, pixels.
    """

    uri: str
    width: int
    height: int
    shown: int
    original: int


def thumbnail(picture: EvaluationPicture) -> Thumbnail | None:
    """Scale a picture down to a thumbnail; None if it can no longer be read."""
    try:
        image = Image.fromarray(load(picture.source))
    except InputError:
        return None
    original = image.width
    image.thumbnail((_WIDEST, _TALLEST), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    kind = "png" if image.width * image.height <= _FEW else "jpeg"
    image.save(content, kind, **({"quality": 85} if kind == "jpeg" else {"optimize": True}))
    encoded = base64.b64encode(content.getvalue()).decode("ascii")
    shown = max(40, round(_SHOWN_TALLEST * image.width / image.height))
    return Thumbnail(
        f"data:image/{kind};base64,{encoded}", image.width, image.height, shown, original
    )
