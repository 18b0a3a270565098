"""Crops of a plate: by its bounding box, or rectified by its four corners."""

from __future__ import annotations

from hashlib import blake2b

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.image import MIN_SIDE
from crnn_ctc.rng import uniforms

Quad = NDArray[np.float64]
"""Corners (4, 2) as x, y in pixels: right-bottom, left-bottom, left-top, right-top, as in CCPD."""

_LEAST_TURN = np.array([-0.02, -0.08])
_MOST_TURN = np.array([0.08, 0.20])
"""Range by which :func:`jittered` moves a corner outwards, as fractions of the plate's sides. On
GA36 plates the text begins 3.5 % from the left and 18 % from the top, so no character is cut."""


def rectified(image: NDArray[np.uint8], corners: Quad) -> NDArray[np.uint8] | None:
    """Rectify a quadrilateral; width and height are the longer of the opposite sides.

    Border pixels are replicated outside the picture.

    Args:
        image: RGB, uint8 (H, W, 3).
        corners: see :data:`Quad`.

    Returns:
        uint8 (h, w, 3), or None if a side is too short for text.
    """
    rb, lb, lt, rt = corners
    width = round(float(max(np.linalg.norm(rt - lt), np.linalg.norm(rb - lb)))) + 1
    height = round(float(max(np.linalg.norm(lb - lt), np.linalg.norm(rb - rt)))) + 1
    if min(width, height) < MIN_SIDE:
        return None
    right, bottom = width - 1, height - 1
    upright = np.array([[right, bottom], [0, bottom], [0, 0], [right, 0]], np.float32)
    transform = cv2.getPerspectiveTransform(corners.astype(np.float32), upright)
    out = cv2.warpPerspective(
        image,
        transform,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(out, np.uint8)


def jittered(corners: Quad, seed: int, name: str) -> Quad:
    """Move corners randomly, like a detector's errors: mostly outwards, rarely inwards.

    Args:
        corners: see :data:`Quad`.
        seed: random seed of the run.
        name: name of the picture; name and seed determine the offsets.
    """
    stream = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
    out = _LEAST_TURN + (_MOST_TURN - _LEAST_TURN) * uniforms(seed, stream, (4, 2))
    rb, lb, lt, rt = corners
    across = np.array([rb - lb, lb - rb, lt - rt, rt - lt])  # from the other corner of the row
    down = np.array([rb - rt, lb - lt, lt - lb, rt - rb])
    return np.asarray(corners + out[:, :1] * across + out[:, 1:] * down, np.float64)
