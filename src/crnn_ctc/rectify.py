"""Rectification: a plate's quadrilateral sampled as the reader's input, with numpy and Pillow.

Used by training and reading.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.image import LOWER_ROW, MIN_SIDE, UPPER_ROW, UPPER_SHARE

Corners = NDArray[np.float32]
"""x and y of a plate's corners, float32 (4, 2): top left, top right, bottom right, bottom left."""

MARGIN = 0.04
"""Margin around the plate, as a share of its size, so that small corner errors cut no text."""

PADDED = 0.2
"""Share of a side above which uniform edges are padding, not the rim of a plate."""

NOISE = 8
"""Largest difference in level within padding, as JPEG leaves it in a uniform area."""

UNIT = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)
"""The corners of a plate in shares of itself."""


def homography(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """The projective map that takes four points to four others, float64 (3, 3).

    Args:
        source: (4, 2), x and y.
        target: (4, 2), likewise.

    Returns:
        H with H[2, 2] = 1, so that ``(x', y', w) = H (x, y, 1)`` (Heckbert 1989, section 2.2.3).
        Degenerate points, such as three on a line, give the least-squares solution.
    """
    rows, right = [], []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist(), strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        right += [u, v]
    try:
        solution = np.linalg.solve(np.array(rows), np.array(right))
    except np.linalg.LinAlgError:
        solution = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]
    return np.append(solution, 1.0).reshape(3, 3)


def project(h: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) mapped by a homography (3, 3), float64 (N, 2)."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ h.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:], np.float64)


def goes_round(corners: NDArray[np.floating]) -> bool:
    """Whether corners (4, 2) are clockwise and convex; False for NaN."""
    sides = np.roll(corners, -1, 0) - corners
    after = np.roll(sides, -1, 0)
    return bool((sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0] > 0).all())


def aspect(corners: Corners) -> float:
    """Width over height of a quadrilateral, by the lengths of its sides."""
    top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1).tolist()
    return float((top + bottom) / max(right + left, 1e-6))


def rectify(
    picture: Image.Image,
    corners: Corners,
    height: int,
    width: int,
    two_rows: bool = False,
    margin: float = MARGIN,
) -> NDArray[np.uint8]:
    """The rectified plate as a reader's input, uint8 (height, width, 3).

    The upper row of a two-row plate is placed left of the lower one, as in
    :func:`crnn_ctc.image.fit_two_rows`. Outside the picture, its nearest pixels are repeated.

    Args:
        picture: in mode RGB.
        corners: pixels of ``picture``; see :data:`Corners`.
        height: height of the result, in pixels.
        width: width of the result, in pixels.
        two_rows: whether the plate has two rows.
        margin: see :data:`MARGIN`.
    """
    close, quad = close_up(picture, corners, height, width)
    return straighten(close, quad, height, width, two_rows, margin)


def straighten(
    picture: Image.Image,
    quad: NDArray[np.float64],
    height: int,
    width: int,
    two_rows: bool = False,
    margin: float = MARGIN,
) -> NDArray[np.uint8]:
    """As :func:`rectify`, for a picture and corners from :func:`close_up`."""
    to_picture = homography(UNIT, quad)
    if not two_rows:
        return _sample(
            picture, to_picture, (-margin, -margin, 1 + margin, 1 + margin), height, width
        )
    left = round(width * UPPER_SHARE)
    rows = [(UPPER_ROW, left), (LOWER_ROW, width - left)]
    return np.hstack([_sample(picture, to_picture, row, height, wide) for row, wide in rows])


def without_padding(picture: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
    """A picture without uniform padding, such as letterbox bars.

    Args:
        picture: in mode RGB.

    Returns:
        The part that is not padding, and x and y of its upper left corner; the unchanged picture
        if less than :data:`PADDED` of its width and of its height is padding.
    """
    w, h = picture.size
    edges = ((0, 0, w, 1), (0, h - 1, w, h), (0, 0, 1, h), (w - 1, 0, w, h))
    if all(np.ptp(np.asarray(picture.crop(e)), axis=(0, 1)).max() > 2 * NOISE for e in edges):
        return picture, (0, 0)
    rows = np.asarray(picture, np.uint8)
    top, bottom = _uniform(rows), _uniform(rows[::-1])
    if not PADDED * h <= top + bottom < h:  # h or more: nothing but one or two colours
        top = bottom = 0
    columns = rows[top : h - bottom].swapaxes(0, 1)
    left, right = _uniform(columns), _uniform(columns[::-1])
    if not PADDED * w <= left + right < w:
        left = right = 0
    if min(w - left - right, h - top - bottom) < MIN_SIDE:
        return picture, (0, 0)
    inner = rows[top : h - bottom, left : w - right]
    sides = (
        (top, rows[0, 0]),
        (bottom, rows[-1, 0]),
        (left, columns[0, 0]),
        (right, columns[-1, 0]),
    )
    if any(width and _share_like(inner, ground) > _PAPER for width, ground in sides):
        return picture, (0, 0)  # text on plain paper, whose margin belongs to it
    return picture.crop((left, top, w - right, h - bottom)), (left, top)


_PAPER = 0.3
"""Share of pixels with the colour of the margin from which a picture is ink on that ground."""


def _share_like(pixels: NDArray[np.uint8], ground: NDArray[np.uint8]) -> float:
    """Share of pixels (H, W, 3) that have the colour of ``ground``."""
    return float((np.abs(pixels.astype(np.int16) - ground) <= NOISE).all(axis=2).mean())


def _uniform(lines: NDArray[np.uint8]) -> int:
    """How many of the first lines (N, M, 3) have the colour of the first pixel throughout."""
    ground = lines[0, 0].astype(int)
    like = (lines.min(1) >= ground - NOISE) & (lines.max(1) <= ground + NOISE)
    uniform = like.all(axis=1)
    return len(lines) if uniform.all() else int(uniform.argmin())


def close_up(
    picture: Image.Image, corners: Corners, height: int, width: int
) -> tuple[Image.Image, NDArray[np.float64]]:
    """The part of the picture around the plate, at about twice the resolution of the result.

    Sampling is bilinear and would alias on a picture much larger than its result.

    Args:
        picture: in any mode.
        corners: pixels of ``picture``; see :data:`Corners`.
        height: height of the rectified plate, in pixels.
        width: width of the rectified plate, in pixels.

    Returns:
        The part, and the plate's corners in it, float64 (4, 2).
    """
    w, h = picture.size
    quad = np.nan_to_num(corners.astype(np.float64), posinf=0, neginf=0)
    low, high = quad.min(0), quad.max(0)
    room = 0.1 * (high - low) + 2
    x0, y0 = np.clip(np.floor(low - room), 0, [w - 1, h - 1]).astype(int)
    x1, y1 = np.clip(np.ceil(high + room), [x0 + 1, y0 + 1], [w, h]).astype(int)
    picture = picture.crop((int(x0), int(y0), int(x1), int(y1)))
    quad = quad - (x0, y0)
    across = max(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[2] - quad[3])) / width
    down = max(np.linalg.norm(quad[3] - quad[0]), np.linalg.norm(quad[2] - quad[1])) / height
    factor = max(1, int(min(across, down)))
    if factor > 1:
        picture = picture.reduce(factor)
        quad = quad / factor
    return picture, quad


def _sample(
    picture: Image.Image,
    to_picture: NDArray[np.float64],
    box: tuple[float, float, float, float],
    height: int,
    width: int,
) -> NDArray[np.uint8]:
    """The part ``box`` of the plate, in shares of it, uint8 (height, width, 3)."""
    left, top, right, bottom = box
    to_plate = np.array(
        [[(right - left) / width, 0, left], [0, (bottom - top) / height, top], [0, 0, 1]]
    )
    h = to_picture @ to_plate
    if abs(h[2, 2]) > 1e-9:
        h = h / h[2, 2]
    # Pillow paints black beyond the picture: a rim of its nearest pixels is laid round it instead
    w, tall = picture.size
    corners = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)]) @ h.T
    if (corners[:, 2] <= 1e-6).any():  # a quadrilateral that no camera shows
        return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), np.uint8)
    points = corners[:, :2] / corners[:, 2:]
    before = np.clip(np.ceil(1 - points.min(0)), 0, 2 * max(w, tall)).astype(int)
    after = np.clip(np.ceil(points.max(0) - (w, tall) + 1), 0, 2 * max(w, tall)).astype(int)
    if before.any() or after.any():
        rim = ((before[1], after[1]), (before[0], after[0]), (0, 0))
        picture = Image.fromarray(np.pad(np.asarray(picture), rim, mode="edge"))
        h = np.array([[1, 0, before[0]], [0, 1, before[1]], [0, 0, 1]]) @ h
        h = h / h[2, 2]
    out = picture.transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        tuple(h.ravel()[:8].tolist()),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(out, np.uint8)
