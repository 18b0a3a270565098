"""Quadrilaterals in pictures: warp scenes, paste patches, paint over plates."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Quad = NDArray[np.float32]
"""(4, 2), corners tl, tr, br, bl; (0, 0) is the upper left corner of the first pixel."""


def resize(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Scale both sides of a picture by ``factor``, averaging over areas."""
    h, w = image.shape[:2]
    size = (max(1, round(w * factor)), max(1, round(h * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def plate_painted_over(
    full: NDArray[np.uint8], quarter: NDArray[np.uint8], quad: Quad
) -> tuple[NDArray[np.uint8], int, int]:
    """Crop around a plate with the plate inpainted; also return the crop's left and top."""
    h, w = full.shape[:2]
    size = np.ptp(quad, axis=0)
    left, top = np.maximum(quad.min(0) - 0.5 * size, 0).astype(int) // 4 * 4
    right, bottom = np.minimum(quad.max(0) + 0.5 * size, (w, h)).astype(int)
    right, bottom = max(int(right), int(left) + 8), max(int(bottom), int(top) + 8)
    part = quarter[top // 4 : bottom // 4 + 1, left // 4 : right // 4 + 1].copy()
    mask = np.zeros(part.shape[:2], np.uint8)
    wide = stretched(stretched(quad, 1.35), 1.15, along=True)
    cv2.fillConvexPoly(mask, np.rint((wide - (left, top)) / 4).astype(np.int32), 255)
    painted = cv2.inpaint(part, mask, 2, cv2.INPAINT_TELEA)
    high, long = full[top:bottom, left:right].shape[:2]
    large = cv2.resize(painted, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)[:high, :long]
    cover = cv2.resize(mask, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)[:high, :long]
    share = (cover.astype(np.float32) / 255)[..., None]
    patch = full[top : top + large.shape[0], left : left + large.shape[1]]
    mixed = patch * (1 - share) + large * share
    return mixed.astype(np.uint8), int(left), int(top)


_HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])


def _for_pixels(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert a matrix to OpenCV's convention, where (0, 0) is the centre of the first pixel."""
    return np.asarray(np.linalg.inv(_HALF) @ matrix @ _HALF)


def warp_scene(
    levels: tuple[NDArray[np.uint8], ...], matrix: NDArray[np.float64], onto: NDArray[np.uint8]
) -> None:
    """Warp a scene onto a view, from the smallest level with enough resolution."""
    scale = math.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    level = min(max(int(-math.log2(max(scale, 1e-6)) + 0.3), 0), len(levels) - 1)
    enlarge = np.diag([2.0**level, 2.0**level, 1.0])
    cv2.warpPerspective(
        levels[level],
        _for_pixels(matrix @ enlarge),
        onto.shape[1::-1],
        onto,
        cv2.INTER_LINEAR,
        cv2.BORDER_TRANSPARENT,
    )


def lay_patch(
    patch: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    left: int,
    top: int,
    onto: NDArray[np.uint8],
) -> None:
    """Warp a patch of a scene, with its corner at ``left`` and ``top``, onto a view."""
    h, w = patch.shape[:2]
    put_patch(onto, patch, project_quad(matrix, rectangle(left, top, left + w, top + h)))


def rectangle(left: float, top: float, right: float, bottom: float) -> Quad:
    """Quadrilateral of an axis-aligned rectangle."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


def put_patch(image: NDArray[np.uint8], patch: NDArray[np.uint8], quad: Quad) -> None:
    """Warp all of ``patch`` onto ``quad`` of the image, with smoothed edges."""
    size = image.shape[0]
    low = np.maximum(np.floor(quad.min(0)) - 1, 0).astype(int)
    high = np.minimum(np.ceil(quad.max(0)) + 1, size).astype(int)
    if (high - low < 2).any():
        return
    sides = np.linalg.norm(np.roll(quad, -1, 0) - quad, axis=1)
    wide, tall = max(sides[0], sides[2]), max(sides[1], sides[3])
    factor = min(1.0, max(wide / patch.shape[1], tall / patch.shape[0]) * 1.1)
    if factor < 0.8:
        patch = resize(patch, factor)
    h, w = patch.shape[:2]
    matrix = cv2.getPerspectiveTransform(
        rectangle(0, 0, w, h) - np.float32(0.5), (quad - low - 0.5).astype(np.float32)
    )
    shape = (int(high[0] - low[0]), int(high[1] - low[1]))
    laid = cv2.warpPerspective(patch, matrix, shape, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpPerspective(np.full((h, w), 255, np.uint8), matrix, shape)
    part = image[low[1] : high[1], low[0] : high[0]]
    share = (cover.astype(np.float32) * np.float32(1 / 255))[..., None]
    part += ((laid - part.astype(np.float32)) * share).astype(np.int16).astype(np.uint8)


def project_quad(matrix: NDArray[np.float64], quad: Quad) -> Quad:
    """Map a quadrilateral by a homography (3, 3)."""
    points = np.column_stack([quad, np.ones(4)]) @ matrix.T
    return np.asarray(points[:, :2] / points[:, 2:], np.float32)


def stretched(quad: Quad, factor: float, along: bool = False) -> Quad:
    """Stretch a quadrilateral's height about its centre, or its width if ``along``."""
    pairs = ((0, 1), (3, 2)) if along else ((0, 3), (1, 2))
    out = quad.copy()
    for a, b in pairs:
        middle, half = (quad[a] + quad[b]) / 2, (quad[b] - quad[a]) / 2 * factor
        out[a], out[b] = middle - half, middle + half
    return out


def mean_light(image: NDArray[np.uint8], quad: Quad) -> float:
    """Mean of the green channel in a quadrilateral's bounding box, from 0 to 255."""
    low = np.clip(quad.min(0), 0, image.shape[0] - 2).astype(int)
    high = np.maximum(np.clip(quad.max(0), 0, image.shape[0]).astype(int), low + 1)
    return float(image[low[1] : high[1], low[0] : high[0], 1].mean())


def visible_share(quad: Quad, size: int) -> float:
    """Share of the quadrilateral that lies inside the view; 0 if its centre does not."""
    centre = quad.mean(0)
    if not ((centre > 0) & (centre < size)).all():
        return 0.0 if _outside(quad, size) else 0.01
    area = float(cv2.contourArea(quad))
    inside, _ = cv2.intersectConvexConvex(quad, rectangle(0, 0, size, size))
    return float(inside) / max(area, 1e-6)


def _outside(quad: Quad, size: int) -> bool:
    return bool((quad.max(0) < 0).any() or (quad.min(0) > size).any())
