"""Tracking of plates by their corners and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rapidfuzz.distance import Levenshtein

GAP = 3.0
"""Seconds for which a plate may be out of sight and still belong to the same vehicle."""

VIEWS = 12
"""Number of best frames of a vehicle that are kept and read together."""

MOST_OPEN = 64
"""Maximum number of tracked vehicles; beyond it, the one unseen for the longest time ends."""

_CONFIDENT = 0.7
"""Confidence above which two texts that differ by ``_DIFFERENT`` edits are two vehicles."""
_DIFFERENT = 3
_SAME = 1
"""Maximum edits between two readings of one plate, in texts of at least ``_LONG`` characters."""
_LONG = 5
_REACH, _REACH_PER_SECOND = 1.0, 6.0
"""Maximum distance from the expected position, in plate widths, and its increase per second."""
_AHEAD = 0.5
"""Seconds for which a plate's velocity is extrapolated."""
_TEXTS = 32
"""Maximum number of different texts that are counted per vehicle."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A plate in one frame.

    Attributes:
        corners: float32 (4, 2), x and y of tl, tr, br, bl, in thousandths of the frame's width, as
            a stream may change its resolution.
        text: text that was read; may be empty.
        confidence: confidence of the text, from 0 to 1.
    """

    corners: NDArray[np.float32]
    text: str = ""
    confidence: float = 0.0

    @property
    def centre(self) -> NDArray[np.float32]:
        """Centre of the plate, (2,), in thousandths of the frame's width."""
        return np.asarray(self.corners.mean(0))

    @property
    def width(self) -> float:
        """Width of the plate's bounding box, likewise; above 0."""
        return max(float(np.ptp(self.corners[:, 0])), 1e-3)


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """A frame of a vehicle that is kept.

    Attributes:
        quality: readability of the plate; higher is better.
        number: number of the frame.
        time: time of the frame, in seconds.
        corners: corners of the plate, in pixels of the frame, float32 (4, 2).
        cutouts: crops of the plate for the model.
        photo: the frame as a JPEG file, possibly reduced; None if it is not needed.
        scale: pixels of ``photo`` per pixel of the frame.
        name: name of the frame's file, or empty.
    """

    quality: float
    number: int
    time: float
    corners: NDArray[np.float32]
    cutouts: tuple[Image.Image, ...]
    photo: bytes | None = None
    scale: float = 1.0
    name: str = ""


@dataclass(eq=False)
class Track:
    """A vehicle, from when it is first seen.

    Attributes:
        first: time at which it was first seen.
        last: time at which it was last seen.
        seen: number of frames in which it was seen.
        views: the best :data:`VIEWS` of these, unordered.
    """

    first: float
    last: float
    sighting: Sighting
    seen: int = 0
    views: list[KeptFrame] = field(default_factory=list)
    _velocity: NDArray[np.float32] = field(default_factory=lambda: np.zeros(2, np.float32))
    _texts: dict[str, float] = field(default_factory=dict)
    _best_confidence: float = 0.0

    def add(self, time: float, sighting: Sighting) -> None:
        """Add a sighting."""
        passed = time - self.last
        if self.seen and passed > 0:
            moved = (sighting.centre - self.sighting.centre) / np.float32(passed)
            if self.seen > 1:
                moved = (self._velocity + moved) / np.float32(2)
            self._velocity = np.asarray(moved, np.float32)
        self.last = max(self.last, time)
        self.sighting = sighting
        self.seen += 1
        if sighting.text:
            total = self._texts.get(sighting.text, 0.0) + sighting.confidence
            self._texts[sighting.text] = total
            if len(self._texts) > _TEXTS:
                del self._texts[min(self._texts, key=self._texts.__getitem__)]
            self._best_confidence = max(self._best_confidence, sighting.confidence)

    @property
    def text(self) -> str:
        """The text with the highest total confidence over its frames."""
        return max(self._texts, key=self._texts.__getitem__, default="")

    def wants(self, quality: float) -> bool:
        """Whether a view of this quality should be kept."""
        # for parked cars, slightly better views are not worth the cost
        return len(self.views) < VIEWS or quality > 1.05 * min(v.quality for v in self.views)

    def keep(self, view: KeptFrame) -> None:
        """Keep a view, replacing the worst one if there are enough."""
        if len(self.views) == VIEWS:
            self.views.remove(min(self.views, key=lambda v: v.quality))
        self.views.append(view)

    def cost(self, time: float, sighting: Sighting) -> float | None:
        """Cost of assigning a sighting; None if it belongs to another vehicle."""
        passed = max(time - self.last, 0.0)
        expected = self.sighting.centre + self._velocity * min(passed, _AHEAD)
        width = max(self.sighting.width, sighting.width)
        off = float(np.linalg.norm(sighting.centre - expected)) / width
        text = self.text
        if text and sighting.text:
            longest = max(len(text), len(sighting.text))
            edits = Levenshtein.distance(text, sighting.text)
            if edits <= _SAME and longest >= _LONG:
                return off - 1000.0  # equal texts outweigh the position
            if (
                edits >= _DIFFERENT
                and min(self._best_confidence, sighting.confidence) >= _CONFIDENT
            ):
                return None
        if not 0.5 < sighting.width / self.sighting.width < 2:
            return None
        if off > _REACH + _REACH_PER_SECOND * min(passed, _AHEAD):
            return None
        return off + passed  # prefers the vehicle seen last


class Tracker:
    """Assigns sightings to vehicles.

    A plate's position is predicted from its last velocity, and sightings are assigned greedily by
    distance. Texts take precedence over positions: equal texts are the same vehicle, and two
    different confident texts are two vehicles.

    Args:
        gap: seconds for which a plate may be out of sight.
    """

    def __init__(self, gap: float = GAP) -> None:
        self._gap = gap
        self._open: list[Track] = []

    def update(self, time: float, sightings: Sequence[Sighting]) -> list[Track]:
        """Assign the sightings of a frame to vehicles, in the same order."""
        pairs = []
        for i, track in enumerate(self._open):
            for j, sighting in enumerate(sightings):
                cost = track.cost(time, sighting)
                if cost is not None:
                    pairs.append((cost, i, j))
        found: dict[int, Track] = {}
        taken: set[int] = set()
        for _, i, j in sorted(pairs):
            if i not in taken and j not in found:
                taken.add(i)
                found[j] = self._open[i]
        for j, sighting in enumerate(sightings):
            if j not in found:
                found[j] = Track(time, time, sighting)
                self._open.append(found[j])
            found[j].add(time, sighting)
        return [found[j] for j in range(len(sightings))]

    def ended(self, time: float) -> list[Track]:
        """Return the vehicles that have left by ``time``, each once, in order of arrival."""
        over = {id(t) for t in self._open if time - t.last > self._gap}
        if len(self._open) - len(over) > MOST_OPEN:
            rest = sorted((t for t in self._open if id(t) not in over), key=lambda t: t.last)
            over |= {id(t) for t in rest[: len(rest) - MOST_OPEN]}
        gone = [t for t in self._open if id(t) in over]
        self._open = [t for t in self._open if id(t) not in over]
        return gone

    def finish(self) -> list[Track]:
        """Return all tracked vehicles and forget them."""
        gone, self._open = self._open, []
        return gone
