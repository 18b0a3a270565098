"""Camera effects: blur, downsampling, noise, sharpening, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.synthesis.text import Draws
from crnn_ctc.synthesis.textures import MOTIONS, disc_kernel, grain, motion_kernel

_UP = (cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_CUBIC)
_LEAST_SPREAD = 15.0


def expose(
    scene: NDArray[np.float32], draws: Draws, unit: float | None = None
) -> NDArray[np.uint8]:
    """Apply camera effects to a scene.

    Args:
        scene: float32 (H, W, 3), 255 is white.
        draws: at most 30 numbers are used.
        unit: scale of the blurs; by default the height of ``scene`` over 48.

    Returns:
        uint8 (H, W, 3); a downsampled scene is scaled back to its size.
    """
    height, width = scene.shape[:2]
    unit = unit or height / 48  # blur radii are for a height of 48 pixels
    picture = _blur(scene, unit, draws)
    small = _few_pixels(picture, draws)
    h, w = small.shape[:2]
    if draws.chance(0.85):
        noise = grain(height, width)
        top, left = draws.below(2 * height), draws.below(2 * width)
        strength = 0.6 + 7.5 * draws.next() ** 3
        small = np.add(small, noise[top : top + h, left : left + w] * np.float32(strength))
    if draws.chance(0.22):  # in-camera sharpening, with halos
        amount = draws.between(0.3, 1.5)
        soft = cv2.GaussianBlur(small, (0, 0), draws.between(0.7, 1.6) * unit)
        small = np.asarray(cv2.addWeighted(small, 1 + amount, soft, -amount, 0), np.float32)
    if draws.chance(0.08):  # stretched contrast, as in old recorders
        middle = np.float32(small.mean())
        small = (small - middle) * np.float32(draws.between(1.4, 2.2))
        small += max(middle, np.float32(draws.between(70, 110)))
    spread = float(small[::2, ::2, 1].std())
    if spread < _LEAST_SPREAD:  # plates without contrast are neither detected nor labelled
        gain = _LEAST_SPREAD / max(spread, 2.0)
        middle = np.float32(small.mean())
        small = (small - middle) * np.float32(gain) + max(middle, np.float32(60))
    pixels = np.asarray(cv2.convertScaleAbs(np.maximum(small, 0)), np.uint8)
    if draws.chance(0.75):
        quality = int(100 - 75 * draws.next() ** 1.5)
        _, data = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))
        pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    if (h, w) != (height, width):
        how = _UP[draws.below(len(_UP))]
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)
    return pixels


def _blur(scene: NDArray[np.float32], unit: float, draws: Draws) -> NDArray[np.float32]:
    kind = draws.next()
    if kind < 0.18:
        length = MOTIONS[int(draws.next() ** 2 * len(MOTIONS))]
        length = max(3, round(length * unit) | 1)
        return np.asarray(cv2.filter2D(scene, -1, motion_kernel(length, draws.below(12))))
    if kind < 0.32:
        tenths = round((6 + 14 * draws.next() ** 1.5) * unit)
        return np.asarray(cv2.filter2D(scene, -1, disc_kernel(tenths)))
    if kind < 0.75:
        sigma = (0.35 + 1.25 * draws.next() ** 2) * unit
        return np.asarray(cv2.GaussianBlur(scene, (0, 0), sigma), np.float32)
    return scene


def _few_pixels(picture: NDArray[np.float32], draws: Draws) -> NDArray[np.float32]:
    """Downsample the plate by a factor of 1 to 3, as if it were farther away."""
    if draws.chance(0.40):
        return picture
    height, width = picture.shape[:2]
    share = 1 - 0.6 * draws.next() ** 1.3
    size = (max(8, round(width * share)), max(6, round(height * share * draws.between(0.85, 1))))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
