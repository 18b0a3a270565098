"""Synthetic rows of handwritten digits: amounts, numbers and years on various papers.

A row is a function of the seed and its index. Slant, pen width and usually the form of each digit
are constant within a row; spacing, size and baseline vary. Other marks are not part of the text:
points, commas, dashes, currency signs, ruled lines, stamps.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc.image import ROW_HEIGHT as HEIGHT
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.distortion import BEND_DRAWS, bend, distort
from crnn_ctc.synthesis.pens import DIGIT_FORMS, MARK_FORMS, POINTS, Form
from crnn_ctc.synthesis.row_picture import PICTURE_DRAWS, photograph
from crnn_ctc.synthesis.shapes import BODY, LEVELS, SIDE, Shape, Shapes
from crnn_ctc.synthesis.text import Draws

MOST = 10
"""Maximum number of digits of a row."""

FINE = 2
"""Pixels of the ink mask per pixel of the row, in each dimension."""

PAD = 24
"""Margin of the mask beyond each edge of the row, pixels; it is cut off."""

_SQUARES = 2**42
"""First random stream for rows of squares, beyond those of other rows, widths and offsets."""

_BENDS = 2**43
"""First random stream of the bends of these rows' digits."""

_BENT = (1.5, 0.2, 0.1, 0.4)
"""Strength of the bends; see :func:`crnn_ctc.synthesis.distortion.bend`."""

_SYMBOLS = 20  # maximum number of digits and marks of a row
_LAYOUT_DRAWS = 860
_JITTERS = 10 + _SYMBOLS

_GROUPING = (".", ".", ".", ".", ".", ",", ",", "'", " ", " ")
_TAILS = (
    ".", ".-", "-", "=", ".=", "_", ",-", "~", ":", ". -", "._", "#", "*", "=.", "--", "x",
)  # fmt: skip
_HEADS = ("$", "$", "$ ", "-", "=", "#", "*", "€", "£", "$.")
_NO_TEXT = ("", "", "", "-", "--", "---", "_", "=", "~", ".", "$", "_ _", "#", "x x")


@dataclass(frozen=True)
class Symbol:
    """A positioned digit or mark, in units of the row's digit height.

    Attributes:
        character: the digit or mark.
        x: x of the left edge.
        width: distance from the left edge to the right edge.
        size: height relative to the row's digit height.
        lift: height above the baseline.
        form: pen strokes, or a shape from EMNIST.
    """

    character: str
    x: float
    width: float
    size: float
    lift: float
    form: Form | Shape


@dataclass(frozen=True, eq=False)
class RowComposer:
    """Unlimited rows of digits; row i depends only on the seed and i.

    Args:
        seed: random seed of the run, 0 or more.
        shapes: EMNIST digits.
        pens: share of the rows drawn with pen strokes instead of EMNIST digits; a fifth of all
            rows mixes both.
        no_text: share of the rows with marks only, or empty.
        squares: share of the rows made of EMNIST images side by side, as in the published
            protocol, and with its distortion or stronger; see :mod:`crnn_ctc.data.sequences`.
    """

    seed: int
    shapes: Shapes
    pens: float = 0.5
    no_text: float = 0.03
    squares: float = 0.0

    def row(self, i: int, width: int) -> tuple[NDArray[np.uint8], str]:
        """Draw row ``i``.

        Args:
            i: index of the row, 0 or more.
            width: width of the picture, pixels.

        Returns:
            uint8 (HEIGHT, width, 1), and its digits.
        """
        if self.squares:
            square = Draws(uniforms(self.seed, _SQUARES + i, (4 + 7 * MOST,)))
            if square.chance(self.squares):
                return self._squares(i, width, square)
        u = uniforms(self.seed, i, (_LAYOUT_DRAWS + PICTURE_DRAWS + 2 * POINTS * _JITTERS,))
        draws = Draws(u[:_LAYOUT_DRAWS])
        jitter = (2 * u[_LAYOUT_DRAWS + PICTURE_DRAWS :] - 1).astype(np.float32)
        jitter = jitter.reshape(_JITTERS, POINTS, 2)
        written = _draw_text(draws, width / HEIGHT, self.no_text)
        text = "".join(c for c in written if c.isdigit())
        mask = self._write(written, width, draws, jitter)
        picture = photograph(mask, HEIGHT, width, FINE, PAD, Draws(u[_LAYOUT_DRAWS:]))
        return picture[..., None], text

    def _squares(self, i: int, width: int, draws: Draws) -> tuple[NDArray[np.uint8], str]:
        """Concatenate EMNIST images as squares, most of them distorted, some inverted."""
        count = min(max(round(width / HEIGHT), 1), MOST)
        distorted, inverted = draws.chance(0.7), draws.chance(0.15)
        shapes = self.shapes
        chosen = [draws.below(len(shapes.labels)) for _ in range(count)]
        images = shapes.images[chosen]
        if distorted:
            bends = uniforms(self.seed, _BENDS + i, (count, 1 + BEND_DRAWS + 3))
            bent = bends[:, 0] < 0.5
            u, pen = bends[bent, 1:-3], bends[bent, -3:]
            images[bent] = bend(images[bent], u, pen, *_BENT)
            images = distort(images, np.array([[draws.next() for _ in range(5)] for _ in chosen]))
        row = np.hstack(list(images))
        picture = np.asarray(cv2.resize(row, (width, HEIGHT)), np.uint8)
        if inverted:
            picture = 255 - picture
        return picture[..., None], "".join(str(shapes.labels[k]) for k in chosen)

    def _write(
        self, written: str, width: int, draws: Draws, jitter: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Draw the ink of a row, uint8 (FINE * HEIGHT + 2 PAD, FINE * width + 2 PAD)."""
        high, wide = FINE * HEIGHT, FINE * width
        mask = np.zeros((high + 2 * PAD, wide + 2 * PAD), np.uint8)
        slant = 0.16 + 0.21 * draws.bell()
        symbols = self._lay_out(written, draws)
        if not symbols:
            return mask
        left = min(s.x for s in symbols)
        length = max(max(s.x + s.width for s in symbols) - left, 0.15)
        margin = wide * draws.between(0.0, 0.14)
        height = high * draws.between(0.42, 0.95)
        fitting = (wide - margin) / length
        squeeze = 1.0
        if fitting > height:  # narrower than the picture: widen the margin
            margin = wide - height * length
        elif fitting < 0.75 * height:
            # too wide for the picture: smaller and condensed
            squeeze = max(0.6, (fitting / height) ** 0.5)
            height = fitting / squeeze
        else:
            height = fitting
        x = PAD + margin * draws.between(0, 1) - left * height * squeeze
        free = high - height
        baseline = PAD + high - free * (0.5 + 0.17 * draws.bell())
        pen = max(2.4, height * (0.05 + 0.09 * draws.next() ** 1.3))
        tilt = 0.03 * draws.bell()
        looks = 0.02 + 0.11 * draws.next()  # deviation of this writer's forms
        shake = 0.01 + 0.035 * draws.next()
        joined = draws.chance(0.5)
        before: NDArray[np.float32] | None = None
        for k, symbol in enumerate(symbols):
            place = x + symbol.x * height * squeeze
            foot = baseline - (symbol.lift + tilt * (symbol.x - length / 2)) * height
            own = pen * (1 + 0.08 * draws.bell())
            lean = slant + 0.05 * draws.bell()
            if isinstance(symbol.form, Shape):
                middle = place + symbol.width * height * squeeze / 2
                _draw_shape(
                    mask, symbol.form, symbol, (middle, foot), height, squeeze, lean, own, draws
                )
                before = None
                continue
            bend = shake * jitter[10 + k]
            if symbol.character.isdigit():
                bend = bend + looks * jitter[int(symbol.character)]
            form = symbol.form
            across = symbol.width / form.width if form.width > 0.2 else 1.0
            strokes = [
                _placed(
                    points, form.edge, across * squeeze, symbol.size, lean, height, (place, foot)
                )
                for points in form.strokes(bend)
            ]
            dot = symbol.character in ".:"
            _ink(mask, strokes, own * (1.25 if dot else 1.0))
            start, end = strokes[0][0], strokes[-1][-1]
            if joined and before is not None and _both_high(before, start, foot, height):
                _ink(mask, [np.stack([before, start])], own)
            before = end if symbol.character.isdigit() else None
        if draws.chance(0.04):  # underlined, or crossed by a stroke
            level = baseline + draws.between(0.02, 0.2) * height
            ends = np.array([[PAD, level], [PAD + wide, level + draws.bell() * 4]], np.float32)
            _ink(mask, [ends], pen)
        return mask

    def _lay_out(self, written: str, draws: Draws) -> list[Symbol]:
        """Position each character; see :class:`Symbol`."""
        u = draws.next()
        mixed = u < 0.2
        by_pen = u >= 0.2 and (u - 0.2) / 0.8 < self.pens
        wide = draws.between(0.68, 1.4)
        gap = -0.06 + 0.40 * draws.next() ** 1.5
        uneven = 0.03 + 0.09 * draws.next()
        sizes = 0.03 + 0.09 * draws.next()
        taper = 0.05 * draws.bell() if draws.chance(0.4) else 0.0
        small_zeros = draws.between(0.45, 0.95) if draws.chance(0.35) else 1.0
        lifts = draws.between(0.0, 0.06)
        same = draws.chance(0.6)
        habit: dict[str, int] = {}
        alike: dict[str, float] = {}
        symbols: list[Symbol] = []
        x = 0.0
        for k, character in enumerate(written[:_SYMBOLS]):
            if character == " ":
                x += draws.between(0.15, 0.6)
                continue
            digit = character.isdigit()
            choice = draws.next()
            form: Form | Shape
            if digit and not (by_pen or (mixed and draws.chance(0.5))):
                if same:  # repeated digits share a shape
                    choice = alike.setdefault(character, choice)
                form = self.shapes.pick(int(character), choice)
            else:
                forms = (DIGIT_FORMS if digit else MARK_FORMS)[character]
                kind = int(choice * len(forms))
                if digit and not draws.chance(0.15):
                    kind = habit.setdefault(character, kind) % len(forms)
                form = forms[kind]
            size = 1 + sizes * draws.bell() + taper * (k - len(written) / 2) / 2
            lift = lifts * draws.bell()
            if character == "0" and small_zeros < 1:
                size *= small_zeros
                lift += (1 - small_zeros) * draws.between(0, 0.5)
            if not digit:
                size *= draws.between(0.7, 1.2)
            size = min(max(size, 0.5), 1.5)
            stretch = wide * (1 + 0.13 * draws.bell())
            if character in "-_=~":
                stretch *= draws.between(0.7, 2.2)
            width = max(form.width, 0.04) * size * max(stretch, 0.4)
            symbols.append(Symbol(character, x, width, size, lift, form))
            advance = gap + uneven * draws.bell()
            if character in ".,'":
                advance = max(advance, 0.02) + draws.between(-0.05, 0.25)
            elif not digit:
                advance = max(advance, 0.05)
            # digits may overlap but not cover each other
            x += max(width + advance, 0.7 * width, 0.06)
        return symbols


def _draw_text(draws: Draws, aspect: float, no_text: float) -> str:
    """Draw a random text of digits and marks.

    Args:
        draws: random numbers.
        aspect: aspect ratio of the picture, width over height.
        no_text: share of rows without digits.
    """
    if draws.chance(no_text):
        return _NO_TEXT[draws.below(len(_NO_TEXT))]
    count = round(aspect / draws.between(0.40, 1.0))
    count = min(max(count, 1), MOST)
    if draws.chance(0.04):
        count = 1 + draws.below(min(MOST, count + 2))
    figures = [str(draws.below(10)) for _ in range(MOST)][:count]
    if draws.chance(0.75) and figures[0] == "0":
        figures[0] = str(1 + draws.below(9))
    if draws.chance(0.30):  # a round amount
        zeros = min(1 + draws.below(4), count - 1)
        figures[count - zeros :] = ["0"] * zeros
    if draws.chance(0.12):  # a run of the same digit
        first = draws.below(count)
        run = min(2 + draws.below(3), count - first)
        figures[first : first + run] = [figures[first]] * run
    written = ""
    grouped, mark = draws.chance(0.5), _GROUPING[draws.below(len(_GROUPING))]
    anywhere = draws.below(count) if draws.chance(0.08) else -1
    odd = ".,- "[draws.below(4)]
    for k, figure in enumerate(figures):
        rest = count - k
        if k and grouped and rest % 3 == 0:
            written += mark
        elif k and k == anywhere:
            written += odd
        written += figure
    tail, head = draws.next(), draws.next()
    if tail < 0.35:
        written += (" " if tail < 0.12 else "") + _TAILS[draws.below(len(_TAILS))]
    if head < 0.12:
        written = _HEADS[draws.below(len(_HEADS))] + written
    return written


def _placed(
    points: NDArray[np.float32],
    edge: float,
    across: float,
    size: float,
    slant: float,
    height: float,
    place: tuple[float, float],
) -> NDArray[np.float32]:
    """Map points of a form, in units of the digit height, to pixels of the mask."""
    up = (1 - points[:, 1]) * np.float32(size)
    x = (points[:, 0] - np.float32(edge)) * np.float32(across) + np.float32(slant) * (up - 0.5)
    moved = np.stack([x * np.float32(height), -up * np.float32(height)], axis=1)
    return np.asarray(moved + np.array(place, np.float32), np.float32)


def _ink(mask: NDArray[np.uint8], strokes: list[NDArray[np.float32]], pen: float) -> None:
    points = [np.rint(stroke * 16).astype(np.int32) for stroke in strokes]
    cv2.polylines(mask, points, False, 255, max(2, round(pen)), cv2.LINE_AA, shift=4)


def _both_high(
    end: NDArray[np.float32], start: NDArray[np.float32], foot: float, height: float
) -> bool:
    """Tell whether a pen could join two digits without crossing either."""
    near = 0 < start[0] - end[0] < 0.6 * height
    top = foot - 0.62 * height
    return bool(near and end[1] < top and start[1] < top)


def _draw_shape(
    mask: NDArray[np.uint8],
    shape: Shape,
    symbol: Symbol,
    place: tuple[float, float],
    height: float,
    squeeze: float,
    slant: float,
    pen: float,
    draws: Draws,
) -> None:
    """Draw an EMNIST digit: warp its distance field and offset the outline to the pen width.

    Args:
        mask: mask to draw on.
        shape: shape of the digit.
        symbol: size of the digit.
        place: centre of its bottom edge, pixels of the mask.
        height: digit height of the row, pixels of the mask.
        squeeze: horizontal scale.
        slant: pixels to the right per pixel upwards.
        pen: stroke width, pixels of the mask.
        draws: random numbers.
    """
    down = height * symbol.size / BODY
    across = down
    if shape.width > 0.3:
        across = symbol.width * height * squeeze / (shape.width * BODY)
    turn = np.deg2rad(4 * draws.bell())
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    a = across * cos + slant * down * -sin
    b = -across * sin - slant * down * cos
    c, d = down * sin, down * cos
    middle = (place[0], place[1] - down * BODY / 2)
    reach_x = int(abs(a) * SIDE / 2 + abs(b) * SIDE / 2) + 2
    reach_y = int(abs(c) * SIDE / 2 + abs(d) * SIDE / 2) + 2
    left, top = int(middle[0]) - reach_x, int(middle[1]) - reach_y
    half = (SIDE - 1) / 2
    matrix = np.array(
        [
            [a, b, middle[0] - left - a * half - b * half],
            [c, d, middle[1] - top - c * half - d * half],
        ],
        np.float32,
    )
    patch = cv2.warpAffine(shape.field, matrix, (2 * reach_x, 2 * reach_y), borderValue=0)
    scale = (down * across) ** 0.5
    radius = shape.radius * scale
    # a thinner stroke would erase the thin parts of the shape
    wanted = max(0.15 * radius + 0.85 * pen / 2, 0.6 * radius)
    levels = (np.arange(256, dtype=np.float32) - 128) / np.float32(LEVELS) * np.float32(scale)
    ink = np.rint(255 * np.clip(levels - np.float32(radius - wanted) + 0.5, 0, 1)).astype(np.uint8)
    patch = cv2.LUT(patch, ink)
    bottom, right = top + patch.shape[0], left + patch.shape[1]
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(bottom, mask.shape[0]), min(right, mask.shape[1])
    if y0 < y1 and x0 < x1:
        part = mask[y0:y1, x0:x1]
        np.maximum(part, patch[y0 - top : y1 - top, x0 - left : x1 - left], out=part)
