"""The bundled typefaces: subsets with the characters of plates.

They are under the SIL Open Font License; ``fonts/README.md`` names their sources.
"""

from __future__ import annotations

import io
from functools import cache
from importlib import resources

from PIL import ImageFont

from crnn_ctc.alphabet import PLATES_CN
from crnn_ctc.plates.text import DOT

HAN_FACES = ("plate-han-sans.otf", "plate-han-condensed.ttf")
LATIN_FACES = ("plate-latin-condensed.otf", "plate-latin-din.ttf")

HELD = frozenset(PLATES_CN.characters + DOT)
"""The characters of each of ``HAN_FACES``: no lower case, no full stop, no space."""


@cache
def typeface(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A bundled typeface at ``size`` pixels an em."""
    data = (resources.files("crnn_ctc") / "fonts" / name).read_bytes()
    return ImageFont.truetype(io.BytesIO(data), size)
