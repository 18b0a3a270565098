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


@dataclass(frozen=True, slots=True)
class Character:
    """One character of a reading.

    Its place is where the network spells it. CTC leaves that to the network; models with a
    rectifier are trained to spell characters where they stand.

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
    """What was read in a picture, or why nothing could be.

    Attributes:
        text: the line of text; empty where there is none, or an error.
        confidence: from 0 to 1: the calibrated probability P(text | picture), summed over all
            alignments of the text. A grammar does not change it. 0 where the text is empty.
        characters: one a character of ``text``.
        ms: milliseconds that the picture took, its share of a batch.
        error: one line that says what is wrong with the picture; None where it was read.
        alternatives: the next most probable texts, the best first, if the reader was asked for
            them; each with its P(text | picture).
        accepted: whether there is a text and its confidence reaches the reader's
            ``min_confidence``. Never True where nothing was read.
        corners: the plate's corners in pixels of the picture: top left, top right, bottom right,
            bottom left as it is read; empty where the model has no rectifier.
        colour: colour of the plate: blue, yellow, green, white or black; empty likewise.
        kind: kind of the plate, by its text where that tells (trailer, learner, police, consulate,
            embassy, cross-border, emergency, armed police, aviation), else its colour.
        warning: one line that says what is wrong with a picture that was read all the same, such as
            a JPEG file cut short; None where nothing is.
        plates: plates of a photograph from left to right, none or more; the fields above are
            then those of the most probable one. None for a crop, and for a plate of a photograph.
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
        """The same, accepted from another least ``confidence``; an empty text never is."""
        plates = self.plates and tuple(plate.with_threshold(least) for plate in self.plates)
        accepted = self.text != "" and self.confidence >= least
        return replace(self, accepted=accepted, plates=plates)

    def each(self) -> list[Reading]:
        """One reading a row: the plates of a photograph, or where there are none, this alone."""
        return list(self.plates) if self.plates else [self]

    def with_ms(self, ms: float) -> Reading:
        """The same, with the time that it and each of its plates took."""
        plates = self.plates and tuple(replace(plate, ms=ms) for plate in self.plates)
        return replace(self, ms=ms, plates=plates)

    def in_photo(self, to_photo: NDArray[np.float64], corners: NDArray[np.float32]) -> Reading:
        """The same, in pixels of the photograph that its crop was cut from.

        Args:
            to_photo: homography (3, 3) from pixels of the crop to those of the photograph.
            corners: the plate's corners in the photograph, (4, 2), for a model without a rectifier.
        """
        characters = []
        for character in self.characters:
            quad = project(to_photo, np.array(character.corners))
            start, end = float(quad[:, 0].min()), float(quad[:, 0].max())
            characters.append(replace(character, start=start, end=end, corners=_points(quad)))
        quad = corners.astype(np.float64)
        if self.corners:  # those of the model's rectifier are more exact than the locator's
            quad = project(to_photo, np.array(self.corners))
        return replace(self, characters=tuple(characters), corners=_points(quad))

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
            scheme: plate scheme of the model; None where it reads no plates.
            min_confidence: from 0 to 1; a text with less is not accepted.
            others: fields that a recognition does not tell, such as ``ms``.
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
        """The reading of a picture that could not be read, for the reason ``error``."""
        return cls("", 0.0, ms=ms, error=error)


@dataclass(frozen=True, slots=True)
class TrackReading(Reading):
    """What several pictures of the same plate say together; see :meth:`.Reader.read_track`.

    ``characters`` are those of the picture that shows the text best, ``ms`` is the time for all of
    them.

    Attributes:
        frames: how many pictures were read.
        best: place among the pictures that were given of the one that shows the text best.
        skipped: one line that says why, for each picture that could not be read.
    """

    frames: int = 0
    best: int = 0
    skipped: tuple[str, ...] = ()


def _points(quad: Iterable[tuple[float, float]]) -> Quad:
    return tuple((x, y) for x, y in quad)


def reading_json(reading: Reading, show: Callable[[str], str]) -> dict[str, Any]:
    """The fields of a reading, rounded to what they mean.

    Args:
        reading: reading to write.
        show: a text as people write it, which is its ``display``.
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
