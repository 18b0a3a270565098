"""Vehicles in video: plates are found, tracked, and read from several frames."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.find.cutout import cut_out
from crnn_ctc.find.decoding import LocatedPlate
from crnn_ctc.find.photo import Photograph
from crnn_ctc.reader import Reader
from crnn_ctc.reading import Reading, TrackReading
from crnn_ctc.watch.follow import GAP, KeptFrame, Sighting, Track, Tracker
from crnn_ctc.watch.frame import Frame

_WIDEST = 480
"""Maximum width of a kept crop in pixels; readers need no more."""

_PHOTO = 1280
"""Maximum longer side of a kept frame in pixels."""

_ALONE = 0.5
"""Minimum confidence of a plate that was seen in only one frame."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle that has passed.

    Attributes:
        first: time at which it was first seen; see :attr:`.Frame.time`.
        last: time at which it was last seen.
        seen: number of frames in which its plate was found.
        reading: joint reading of the best of these frames.
        best: the frame that shows the text best.
    """

    first: float
    last: float
    seen: int
    reading: TrackReading
    best: KeptFrame

    def photo(self) -> tuple[NDArray[np.uint8], Reading]:
        """Return the best frame, uint8 RGB (H, W, 3), and the reading in its pixels.

        Requires a watcher with ``photos``.
        """
        assert self.best.photo is not None
        with Image.open(io.BytesIO(self.best.photo)) as image:
            picture = np.asarray(image.convert("RGB"))
        reading = self.reading
        plate = Reading(
            reading.text,
            reading.confidence,
            accepted=reading.accepted,
            corners=tuple((float(x), float(y)) for x, y in self.best.corners * self.best.scale),
        )
        return picture, Reading.of_photograph([plate])


class Watcher:
    """Finds and tracks vehicles, frame by frame.

    Memory is bounded: only the crops of the best frames of each vehicle in sight are kept. Frames
    must be given in order of time.

    Args:
        reader: model that reads plates.
        gap: seconds for which a plate may be out of sight and still belong to the same vehicle.
        photos: keep the frame that shows the plate best, for :meth:`Vehicle.photo`.
    """

    def __init__(self, reader: Reader, gap: float = GAP, photos: bool = False) -> None:
        self._reader = reader
        self._photos = photos
        self._tracker = Tracker(gap)

    def update(self, frame: Frame) -> list[Vehicle]:
        """Process a frame; return the vehicles that have left."""
        picture = frame.picture
        gone = self.wait(frame.time)
        plates = self._reader.find(picture, turned=False)
        unit = 1000 / picture.width
        corners = [np.array(plate.corners, np.float32) for plate in plates]
        sightings = [
            Sighting(quad * unit, plate.text, plate.confidence)
            for quad, plate in zip(corners, plates, strict=True)
        ]
        photo: tuple[bytes, float] | None = None
        for track, quad, plate in zip(
            self._tracker.update(frame.time, sightings), corners, plates, strict=True
        ):
            quality = _quality(quad, plate.confidence, picture.size)
            if not track.wants(quality):
                continue
            if self._photos and photo is None:
                photo = _jpeg(picture)
            cutouts = tuple(
                _reduced(way.picture)
                for way in cut_out(Photograph(picture), LocatedPlate(quad, 1), self._reader.card)
            )
            jpeg, scale = photo or (None, 1.0)
            view = KeptFrame(
                quality, frame.number, frame.time, quad, cutouts, jpeg, scale, frame.name
            )
            track.keep(view)
        return gone

    def wait(self, time: float) -> list[Vehicle]:
        """Return the vehicles that have left by ``time``."""
        return self._read(self._tracker.ended(time))

    def finish(self) -> list[Vehicle]:
        """Return the vehicles that are still in sight."""
        return self._read(self._tracker.finish())

    def _read(self, tracks: list[Track]) -> list[Vehicle]:
        found = []
        for track in tracks:
            views = sorted(track.views, key=lambda view: view.number)
            ways = [(view, cutout) for view in views for cutout in view.cutouts]
            reading = self._reader.read_track([cutout for _, cutout in ways])
            # single sightings with low confidence are mostly false detections
            if reading.text and (track.seen > 1 or reading.confidence >= _ALONE):
                best = ways[reading.best][0]
                found.append(Vehicle(track.first, track.last, track.seen, reading, best))
        return found


def _quality(corners: NDArray[np.float32], confidence: float, size: tuple[int, int]) -> float:
    """Quality of a frame: the confidence of its reading, weighted by the width of its plate."""
    inside = bool((corners >= -1).all() and (corners <= np.array(size) + 1).all())
    width = float(np.ptp(corners[:, 0]))
    return (confidence + 0.05) * math.sqrt(math.sqrt(width)) * (1.0 if inside else 0.2)


def _reduced(picture: Image.Image) -> Image.Image:
    """Reduce a crop to the size that a reader needs."""
    if picture.width <= _WIDEST:
        return picture
    size = (_WIDEST, max(4, round(picture.height * _WIDEST / picture.width)))
    return picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _jpeg(picture: Image.Image) -> tuple[bytes, float]:
    """Encode a frame as a JPEG file, possibly reduced; also return its scale."""
    scale = min(1.0, _PHOTO / max(picture.size))
    if scale < 1:
        size = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=85)
    return content.getvalue(), scale
