"""End-to-end evaluation on photographs: plates found, and plates read correctly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from crnn_ctc.data.scenes import Scene
from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.locating import IOUS, LocatingCount
from crnn_ctc.evaluation.metrics import wilson
from crnn_ctc.image import open_picture
from crnn_ctc.reader import Reader

CLAIMED = 0.5
"""Minimum confidence of a reading that counts as a false detection."""


@dataclass
class SceneCount:
    """Accumulated end-to-end results.

    Attributes:
        locating: detection results.
        photographs: number of photographs.
        right: number of plates whose text is among the readings of their photograph.
        texts: number of plates with a known text.
        empty: number of photographs without a plate.
        claims: number of these with a reading of confidence ``CLAIMED`` or more.
        ms: CPU time in milliseconds, from file to text.
    """

    locating: LocatingCount = field(default_factory=LocatingCount)
    photographs: int = 0
    right: int = 0
    texts: int = 0
    empty: int = 0
    claims: int = 0
    ms: float = 0.0

    def summary(self) -> dict[str, Any]:
        """Return the measures, with 95 % intervals (Wilson 1927)."""
        count = self.locating
        out: dict[str, Any] = {"photographs": self.photographs, "plates": count.plates}
        if count.plates:
            for least, hits in zip(IOUS, count.hits, strict=True):
                out[f"recall_{least}"] = hits / count.plates
                out[f"recall_{least}_interval95"] = wilson(hits, count.plates)
                out[f"precision_{least}"] = hits / max(count.claims, 1)
            out["corner_error"] = count.numbers["corner_error"] if count.errors else None
        if self.texts:
            out["read"] = self.right / self.texts
            out["read_interval95"] = wilson(self.right, self.texts)
        if self.empty:
            out["without_plate"] = self.empty
            out["claims_without_plate"] = self.claims
        out["processor_ms"] = self.ms / max(self.photographs, 1)
        return out


def evaluate_scenes(
    reader: Reader, scenes: Iterable[Scene], tell: Callable[[str], None] | None = None
) -> dict[str, SceneCount]:
    """Search and read photographs; count by subset and for ``all``.

    ``kinds_black`` counts as ``kinds``.

    Args:
        reader: reader with a locator; every picture is searched.
        scenes: photographs.
        tell: called with the error of each photograph that cannot be read and is left out.

    Raises:
        InputError: a picture cannot be read, and there is no ``tell``.
    """
    counts: dict[str, SceneCount] = {"all": SceneCount()}
    for scene in scenes:
        started = time.process_time()
        try:
            picture = open_picture(scene.path)
        except InputError as error:
            if tell is None:
                raise
            tell(str(error))
            continue
        found, readings = reader.find_and_read(picture)
        ms = (time.process_time() - started) * 1e3
        texts = [reading.text for reading in readings]
        names = {"all", scene.subset.partition("_")[0] or "all"}
        for name in names:
            count = counts.setdefault(name, SceneCount())
            count.photographs += 1
            count.ms += ms
            plates = scene.plates
            count.locating.add(found, [p.corners for p in plates], [p.exact for p in plates])
            count.texts += sum(bool(p.text) for p in plates)
            count.right += sum(p.text in texts for p in plates if p.text)
            count.empty += not plates
            claimed = any(reading.confidence >= CLAIMED for reading in readings)
            count.claims += not plates and claimed
    return counts
