"""Reading: the result of reading a picture, or several of the same plate; and its JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.decode import Alternative
from crnn_ctc.plates import PlateScheme
from crnn_ctc.rectify import project

if TYPE_CHECKING:
    from typing_extensions import Self

    from crnn_ctc.recognize import Recognition

Quad = tuple[tuple[float, float], ...]
"""Four points, x and y in pixels; empty where there are none."""

MOST_ALTERNATIVES = 50
"""Most alternatives of a reading: the search for more takes minutes."""


@dataclass(frozen=True, slots=True)
class Character:
    """One character of a reading.

    Its position is that of the network's output. CTC does not constrain it; models with a rectifier
    are trained to output characters at their positions.

    Attributes:
        text: the character.
        confidence: from 0 to 1.
        start: left edge, in pixels of the picture that was read.
        end: right edge, likewise.
        row: 0; of a plate with two rows, 1 for the lower one.
        corners: x and y in pixels of the picture: top left, top right, bottom right, bottom left of
            the character as it is read.
    """

    text: str
    confidence: float
    start: float
    end: float
    row: int = 0
    corners: Quad = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading a picture, or the error.

    Attributes:
        text: the line of text; empty if there is none, or after an error.
        confidence: calibrated probability P(text | picture) from 0 to 1, summed over all alignments
            of the text. A grammar does not change it. 0 if the text is empty.
        characters: the characters of ``text`` with their positions.
        ms: milliseconds for the picture, its share of a batch.
        error: why the picture could not be read, in one line; None if it was read.
        alternatives: the next most probable texts with their P(text | picture), the best first, if
            the reader has ``alternatives``.
        accepted: whether there is a text and its confidence reaches the reader's
            ``min_confidence``. False if nothing was read.
        corners: the plate's corners in pixels of the picture: top left, top right, bottom right,
            bottom left in reading order; empty if the model has no rectifier.
        colour: colour of the plate: blue, yellow, green, white or black; empty likewise.
        kind: kind of the plate implied by its text (trailer, learner, police, consulate, embassy,
            cross-border, emergency, armed police, aviation), else its colour.
        warning: a defect of a picture that was read, such as a truncated JPEG file; None without
            one.
        plates: plates of a photograph from left to right; the fields above are then those of the
            most confident one. None for a crop, and for a plate of a photograph.
    """

    text: str
    confidence: float
    characters: tuple[Character, ...] = ()
    ms: float = 0.0
    error: str | None = None
    alternatives: tuple[Alternative, ...] = ()
    accepted: bool = False
    corners: Quad = ()
    colour: str = ""
    kind: str = ""
    warning: str | None = None
    plates: tuple[Reading, ...] | None = None

    def with_threshold(self, least: float) -> Self:
        """The same reading, accepted from another ``confidence``; an empty text never is."""
        plates = self.plates and tuple(plate.with_threshold(least) for plate in self.plates)
        accepted = self.text != "" and self.confidence >= least
        return replace(self, accepted=accepted, plates=plates)

    def each(self) -> list[Reading]:
        """The plates of a photograph, or this reading alone if there are none."""
        return list(self.plates) if self.plates else [self]

    def with_ms(self, ms: float) -> Reading:
        """The same reading, with the time of it and of each of its plates."""
        plates = self.plates and tuple(replace(plate, ms=ms) for plate in self.plates)
        return replace(self, ms=ms, plates=plates)

    def in_photo(self, to_photo: NDArray[np.float64], corners: NDArray[np.float32]) -> Reading:
        """The same reading, in pixels of the photograph of its crop.

        Args:
            to_photo: homography (3, 3) from pixels of the crop to those of the photograph.
            corners: the plate's corners in the photograph, (4, 2), for a model without a rectifier.
        """
        characters = []
        for character in self.characters:
            quad = project(to_photo, np.array(character.corners))
            start, end = float(quad[:, 0].min()), float(quad[:, 0].max())
            characters.append(
                replace(character, start=start, end=end, corners=_points(quad.tolist()))
            )
        quad = corners.astype(np.float64)
        if self.corners:  # those of the model's rectifier are more exact than the locator's
            quad = project(to_photo, np.array(self.corners))
        return replace(self, characters=tuple(characters), corners=_points(quad.tolist()))

    @classmethod
    def recognized(
        cls,
        recognition: Recognition,
        scheme: PlateScheme | None = None,
        min_confidence: float = 0.0,
        **others: Any,
    ) -> Self:
        """The reading of a recognized picture, in pixels of it.

        Args:
            recognition: the picture, recognized.
            scheme: plate scheme of the model; None if it does not read plates.
            min_confidence: threshold of ``accepted``, from 0 to 1.
            others: fields that are not in a recognition, such as ``ms``.
        """
        decoded, plate = recognition.decoded, recognition.plate
        kind = scheme.kind(decoded.text) if scheme else ""
        # a rectifier of other texts than plates has learnt no colours
        colour = plate.colour if plate and scheme else ""
        rows, quads = recognition.places([(span.start, span.end) for span in decoded.spans])
        x = quads[..., 0]
        characters = zip(
            decoded.text,
            (span.confidence for span in decoded.spans),
            x.min(1).tolist(),
            x.max(1).tolist(),
            rows,
            map(_points, quads.tolist()),
            strict=True,
        )
        return cls(
            text=decoded.text,
            confidence=decoded.confidence,
            characters=tuple(starmap(Character, characters)),
            alternatives=decoded.alternatives,
            accepted=decoded.text != "" and decoded.confidence >= min_confidence,
            warning=recognition.warning,
            corners=_points(plate.corners.tolist()) if plate else (),
            colour=colour,
            kind=(kind or colour) if plate else "",
            **others,
        )

    @classmethod
    def of_photograph(cls, plates: Sequence[Reading], ms: float = 0.0) -> Reading:
        """The reading of a photograph with some plates, given from left to right."""
        if not plates:
            return cls("", 0.0, ms=ms, plates=())
        best = max(plates, key=lambda plate: plate.confidence)
        return replace(best, plates=tuple(plates))

    @classmethod
    def failed(cls, error: str, ms: float = 0.0) -> Reading:
        """The reading of an unreadable picture, with its ``error``."""
        return cls("", 0.0, ms=ms, error=error)


@dataclass(frozen=True, slots=True)
class TrackReading(Reading):
    """The joint reading of several pictures of the same plate; see :meth:`.Reader.read_track`.

    ``characters`` are those of the picture that shows the text best, ``ms`` is the time for all of
    them.

    Attributes:
        frames: number of pictures that were read.
        best: index of the given picture that shows the text best.
        skipped: one line for each picture that could not be read.
    """

    frames: int = 0
    best: int = 0
    skipped: tuple[str, ...] = ()


def _points(quad: Iterable[tuple[float, float]]) -> Quad:
    return tuple((x, y) for x, y in quad)


def reading_json(reading: Reading, show: Callable[[str], str]) -> dict[str, Any]:
    """The fields of a reading as JSON values, rounded.

    Args:
        reading: reading to write.
        show: formats a text for ``display``.
    """
    return {
        "text": reading.text,
        "display": show(reading.text),
        "confidence": round(reading.confidence, 6),
        "accepted": reading.accepted,
        "ms": round(reading.ms, 3),
        "characters": [
            {
                "text": c.text,
                "confidence": round(c.confidence, 6),
                "start": round(c.start, 1),
                "end": round(c.end, 1),
                "row": c.row,
                "corners": [[round(x, 1), round(y, 1)] for x, y in c.corners],
            }
            for c in reading.characters
        ],
        "alternatives": [
            {"text": a.text, "display": show(a.text), "probability": round(a.probability, 6)}
            for a in reading.alternatives
        ],
        "corners": [[round(x, 1), round(y, 1)] for x, y in reading.corners],
        "colour": reading.colour,
        "kind": reading.kind,
        "error": reading.error,
        "warning": reading.warning,
    }
