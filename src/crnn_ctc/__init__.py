"""Find and read licence plates, or read another short line of text, in milliseconds on a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crnn_ctc.alphabet import DIGITS, PLATES, Alphabet
from crnn_ctc.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from crnn_ctc.decode import Alternative
    from crnn_ctc.reader import Reader
    from crnn_ctc.reading import Character, Reading, TrackReading

__version__ = "0.5.0"

__all__ = [
    "DIGITS",
    "PLATES",
    "Alphabet",
    "Alternative",
    "Character",
    "InputError",
    "MissingExtraError",
    "Reader",
    "Reading",
    "TrackReading",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # onnxruntime takes 0.15 s to import: only who reads pays for it
    if name in {"Alternative", "Character", "Reader", "Reading", "TrackReading"}:
        from crnn_ctc import reader

        return getattr(reader, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
