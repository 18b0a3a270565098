"""Licence plates: the schemes of countries, and China's in detail."""

from crnn_ctc.plates.scheme import PlateScheme
from crnn_ctc.plates.schemes import SCHEMES, scheme_of
from crnn_ctc.plates.text import with_dot

__all__ = ["SCHEMES", "PlateScheme", "scheme_of", "with_dot"]
