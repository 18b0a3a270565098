"""Synthetic tracks: several frames of one plate, correlated as the frames of one camera are.

Every random number that draws a frame (view, light, dirt, blur, compression) moves from frame to
frame by a random walk whose step is drawn for each track, from a parked car to one that passes
quickly. Only sensor noise is drawn anew for each frame, and not even that where a stream repeats
its last frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.drawing.typeface import HAN_FACES
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.camera import expose
from crnn_ctc.synthesis.face import draw_face
from crnn_ctc.synthesis.glyphs import WEIGHTS, Style
from crnn_ctc.synthesis.scene import render_scene
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import KIND_WEIGHTS, Draws

CHOSEN_ON, REPORTED = 7001, 7002
"""Seeds: the one that constants are fitted to, and the one that is reported. No shipped model was
trained on either."""

FRAMES = 8

STEPS = (0.0, 0.0, 0.01, 0.03, 0.1)
"""Standard deviation of the random walk per frame, of numbers on [0, 1); one is drawn for each
track. 0 is a parked car."""

HEIGHTS = (8.0, 18.0)
"""Height of a plate of one row in the first frame, in pixels of the camera."""

ZOOM = (0.6, 1.3)
"""Height in the last frame as a multiple of that in the first, where the car moves."""

REPEATED = 0.25
"""Share of the parked cars whose frames are one frame repeated."""

_COUNT = 400
"""Numbers that a frame may use."""


@dataclass(frozen=True)
class Motion:
    """How the frames of a track differ.

    Attributes:
        step: see :data:`STEPS`.
        height: of the plate in the first frame, in pixels.
        zoom: see :data:`ZOOM`.
        repeated: whether all frames are the same one.
    """

    step: float
    height: float
    zoom: float
    repeated: bool


class DrawnTracks:
    """Tracks of plates of every kind, a function of the seed and the number of the track.

    Args:
        seed: of the plates and the frames.
    """

    def __init__(self, seed: int) -> None:
        self.plates = PlateSynthesizer(seed, kinds=dict.fromkeys(KIND_WEIGHTS, 1.0), evenly=True)
        self._base = 1_000 * seed  # no two tracks, frames or seeds share their numbers

    def text(self, track: int) -> str:
        """The text of a track's plate."""
        return self.plates.text(track).text

    def motion(self, track: int) -> Motion:
        """How the frames of a track differ."""
        step, height, zoom, repeated = uniforms(self._base + 400, track, (4,)).tolist()
        chosen = STEPS[int(step * len(STEPS))]
        return Motion(
            chosen,
            HEIGHTS[0] + (HEIGHTS[1] - HEIGHTS[0]) * height,
            1.0 if chosen == 0 else ZOOM[0] + (ZOOM[1] - ZOOM[0]) * zoom,
            chosen == 0 and repeated < REPEATED,
        )

    def frames(self, track: int, count: int = FRAMES) -> Iterator[NDArray[np.uint8]]:
        """The frames of a track, RGB uint8 (H, W, 3)."""
        plate = self.plates.text(track)
        look = Draws(uniforms(self._base, track, (_COUNT,)))
        style = Style(HAN_FACES[look.below(2)], None, WEIGHTS[1], None)
        face = draw_face(plate, style, look)
        motion = self.motion(track)
        walk = uniforms(self._base + 100, track, (_COUNT,))
        for frame in range(count):
            if frame:
                four = uniforms(self._base + 100 + frame, track, (4, _COUNT)).sum(axis=0)
                walk = walk + motion.step * (four - 2) * 3**0.5
            draws = Draws(1 - np.abs(np.mod(walk, 2) - 1))  # reflected at 0 and at 1
            height = self.plates.picture_height(plate.kind)
            scene = render_scene(face, plate.kind, height, self.plates.width, draws, "mixed", 1.0)
            image = expose(scene, draws, self.plates.height / 48)
            share = motion.height / self.plates.height
            share *= motion.zoom ** (frame / (FRAMES - 1))
            soft = cv2.GaussianBlur(image, (0, 0), 0.35 / share)
            drawn = 0 if motion.repeated else frame
            noise = (uniforms(self._base + 200 + drawn, track, soft.shape) - 0.5) * 24
            small = cv2.resize(soft + noise, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
            yield np.asarray(small.clip(0, 255), np.uint8)
