"""A reading as JSON has it: what the command line prints and what the service answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crnn_ctc.reading import Reading


def reading_json(reading: Reading, show: Callable[[str], str]) -> dict[str, Any]:
    """The fields of a reading, rounded to what they mean.

    Args:
        reading: to write.
        show: a text as people write it, which is its ``display``.
    """
    return {
        "text": reading.text,
        "display": show(reading.text),
        "confidence": round(reading.confidence, 6),
        "mass": round(reading.mass, 6),
        "accepted": reading.accepted,
        "ms": round(reading.ms, 3),
        "characters": [
            {
                "text": c.text,
                "confidence": round(c.confidence, 6),
                "start": round(c.start, 1),
                "end": round(c.end, 1),
                "row": c.row,
            }
            for c in reading.characters
        ],
        "alternatives": [
            {"text": a.text, "display": show(a.text), "probability": round(a.probability, 6)}
            for a in reading.alternatives
        ],
        "error": reading.error,
    }
