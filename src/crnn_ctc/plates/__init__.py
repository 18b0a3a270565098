"""Chinese licence plates: which texts are plates, and how they are written."""

from crnn_ctc.plates.text import with_dot

__all__ = ["with_dot"]
