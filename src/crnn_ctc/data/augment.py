"""Augmentation of real crops: corners, lighting and camera."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.synthesis.camera import expose
from crnn_ctc.synthesis.text import Draws

DRAWS = 128
"""Maximum number of draws that :func:`augment` uses."""


def augment(
    image: NDArray[np.uint8], strength: float, draws: Draws, perspective: float = 1.0
) -> NDArray[np.uint8]:
    """Augment a crop: move its corners, change its lighting and sometimes degrade it.

    Args:
        image: RGB or grey, uint8 (H, W, C).
        strength: strength of the changes; 0 for none, 1 as recipes have it by default.
        draws: random numbers, of which at most ``DRAWS`` are used.
        perspective: strength of the corner shifts, relative to ``strength``.

    Returns:
        uint8 (H, W, C).
    """
    if strength == 0:
        return image
    if image.shape[2] == 1:
        coloured = augment(image.repeat(3, 2), strength, draws, perspective)
        return np.asarray(cv2.cvtColor(coloured, cv2.COLOR_RGB2GRAY)[..., None], np.uint8)
    moved = move_corners(image, strength * perspective, draws).astype(np.float32)
    lit = relight(moved, strength, draws)
    if draws.chance(0.5 * strength):
        return expose(lit, draws)
    return np.asarray(lit.clip(0, 255), np.uint8)


def move_corners(image: NDArray[np.uint8], strength: float, draws: Draws) -> NDArray[np.uint8]:
    """Warp a crop as if a detector had found slightly wrong corners.

    The quadrilateral is shifted and scaled, and each corner shifted; the edge is replicated outside
    the crop.
    """
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    reach = strength * np.array([0.02 * width, 0.08 * height], np.float32)
    shift = np.array([draws.bell(), draws.bell()], np.float32) * 0.5
    grow = 1 + 0.05 * strength * np.array([draws.bell(), draws.bell()], np.float32)
    own = np.array([[draws.bell(), draws.bell()] for _ in corners], np.float32) * 0.5
    middle = np.array([width / 2, height / 2], np.float32)
    target = (corners - middle) * grow + middle + (shift + own) * reach
    return np.asarray(
        cv2.warpPerspective(
            image,
            cv2.getPerspectiveTransform(corners, target),
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )


def relight(image: NDArray[np.float32], strength: float, draws: Draws) -> NDArray[np.float32]:
    """Change exposure, contrast and colour cast, and sometimes add a shadow across the plate.

    Args:
        image: float32 (H, W, 3), 255 is white.
        strength: as in :func:`augment`.
        draws: random numbers.
    """
    height, width = image.shape[:2]
    gain = 1 + 0.22 * strength * draws.bell()
    cast = 1 + 0.06 * strength * np.array([draws.bell() for _ in range(3)], np.float32)
    middle = float(image.mean())
    contrast = 1 + 0.15 * strength * draws.bell()
    lit = ((image - middle) * np.float32(contrast) + np.float32(middle)) * (np.float32(gain) * cast)
    if draws.chance(0.15 * strength):
        slope = draws.between(-2, 2)
        across = np.arange(width, dtype=np.float32)[None, :] / width
        down = np.arange(height, dtype=np.float32)[:, None] / height
        edge = across + np.float32(slope) * (down - 0.5) - np.float32(draws.between(0.1, 0.9))
        softness = np.float32(draws.between(0.02, 0.3))
        dark = np.float32(draws.between(0.35, 0.8))
        side = np.clip(edge / softness + 0.5, 0, 1) * (1 - dark) + dark
        lit = lit * side[..., None]
    if draws.chance(0.1 * strength):  # desaturation, as by grey or faulty cameras
        grey = lit.mean(axis=2, keepdims=True)
        lit = grey + (lit - grey) * np.float32(draws.between(0, 0.6))
    return np.asarray(lit, np.float32)
