"""A picture inside the page: small enough for sixty of them, as a data URI."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.read import EvaluationPicture
from crnn_ctc.image import load

_WIDEST, _TALLEST = 480, 360  # pixels: twice what is shown, for screens with fine pixels
_FEW = 24_000  # pixels that are as small without loss as with
_SHOWN_TALLEST = 240  # CSS pixels: a high and narrow picture must not fill the page


@dataclass(frozen=True)
class Thumbnail:
    """A picture as a page holds it.

    Attributes:
        uri: ``data:image/...``.
        width: pixels that it has.
        height: likewise.
        shown: CSS pixels, how wide it may be shown.
        original: width of the whole picture, pixels.
    """

    uri: str
    width: int
    height: int
    shown: int
    original: int


def thumbnail(picture: EvaluationPicture) -> Thumbnail | None:
    """The picture whole, shrunk where it is large; None where it can no longer be read."""
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
