"""Synthetic tracks: several frames of one plate, correlated like the frames of one camera.

Every random number of a frame (view, light, dirt, blur, compression) follows a random walk from
frame to frame, with a step size per track, from a parked to a fast car. Only sensor noise is
independent for each frame, except where a stream repeats its last frame.
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
"""Seeds for fitting constants and for reporting. No shipped model was trained on either."""

FRAMES = 8

STEPS = (0.0, 0.0, 0.01, 0.03, 0.1)
"""Standard deviations of the random walk per frame, for numbers on [0, 1); one is drawn per track.
0 is a parked car."""

HEIGHTS = (8.0, 18.0)
"""Range of the height of a one-row plate in the first frame, in pixels of the camera."""

ZOOM = (0.6, 1.3)
"""Range of the height in the last frame relative to the first, for moving cars."""

REPEATED = 0.25
"""Share of parked cars whose frames repeat a single one."""

_COUNT = 400
"""Maximum number of draws per frame."""


@dataclass(frozen=True)
class Motion:
    """Differences between the frames of a track.

    Attributes:
        step: see :data:`STEPS`.
        height: height of the plate in the first frame, in pixels.
        zoom: see :data:`ZOOM`.
        repeated: whether all frames are identical.
    """

    step: float
    height: float
    zoom: float
    repeated: bool


class DrawnTracks:
    """Tracks of plates of every kind, which depend only on the seed and the track's index.

    Args:
        seed: random seed of the plates and the frames.
    """

    def __init__(self, seed: int) -> None:
        self.plates = PlateSynthesizer(seed, kinds=dict.fromkeys(KIND_WEIGHTS, 1.0), evenly=True)
        self._base = 1_000 * seed  # separate streams for all tracks, frames and seeds

    def text(self, track: int) -> str:
        """Text of a track's plate."""
        return self.plates.text(track).text

    def motion(self, track: int) -> Motion:
        """Draw the motion of a track."""
        step, height, zoom, repeated = uniforms(self._base + 400, track, (4,)).tolist()
        chosen = STEPS[int(step * len(STEPS))]
        return Motion(
            chosen,
            HEIGHTS[0] + (HEIGHTS[1] - HEIGHTS[0]) * height,
            1.0 if chosen == 0 else ZOOM[0] + (ZOOM[1] - ZOOM[0]) * zoom,
            chosen == 0 and repeated < REPEATED,
        )

    def frames(self, track: int, count: int = FRAMES) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames of a track, RGB uint8 (H, W, 3)."""
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
