"""Charts in SVG coordinates; the template draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crnn_ctc.evaluation.confidence import reliability, risk_coverage
from crnn_ctc.evaluation.metrics import wilson
from crnn_ctc.evaluation.result import Result

WIDTH, HEIGHT = 440, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 12, 48
_MOST_POINTS = 400  # of a curve: more are indistinguishable


@dataclass(frozen=True)
class Tick:
    """A position on an axis, in SVG units, and its label."""

    at: float
    text: str


@dataclass(frozen=True)
class Dot:
    """A measured point, in SVG units.

    Attributes:
        x: from the left.
        y: from the top.
        radius: radius of the dot.
        low: y of the interval's lower end; y itself without an interval.
        high: y of the upper end.
        series: index of its result, from 0.
        text: tooltip.
    """

    x: float
    y: float
    radius: float
    low: float
    high: float
    series: int
    text: str


@dataclass(frozen=True)
class Curve:
    """A polyline, with its points in SVG notation."""

    points: str
    series: int


@dataclass(frozen=True)
class Chart:
    """Elements of a chart, in SVG units.

    Attributes:
        x_title: title of the horizontal axis.
        y_title: title of the vertical axis.
        x_ticks: from left to right.
        y_ticks: from bottom to top.
        curves: curves of the chart.
        dots: drawn over the curves.
        diagonal: line where accuracy equals confidence; empty for none.
    """

    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    curves: tuple[Curve, ...] = ()
    dots: tuple[Dot, ...] = ()
    diagonal: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def reliability_chart(results: Sequence[Result]) -> Chart:
    """Reliability diagram: accuracy against confidence per bin (DeGroot and Fienberg 1983)."""
    dots = []
    for series, result in enumerate(results):
        reads = result.reads
        bins = reliability([read.confidence for read in reads], [read.right for read in reads])
        for b in bins:
            low, high = wilson(round(b.accuracy * b.n), b.n)
            dots.append(
                Dot(
                    _x(b.confidence),
                    _y(b.accuracy),
                    round(3 + 5 * math.sqrt(b.n / len(reads)), 1),
                    _y(low),
                    _y(high),
                    series,
                    f"{b.n} readings: confidence {100 * b.confidence:.1f} %, "
                    f"right {100 * b.accuracy:.1f} %",
                )
            )
    fifths = [k / 5 for k in range(6)]
    return Chart(
        "confidence, %",
        "right, %",
        tuple(Tick(_x(share), f"{100 * share:g}") for share in fifths),
        tuple(Tick(_y(share), f"{100 * share:g}") for share in fifths),
        dots=tuple(dots),
        diagonal=f"{_x(0)},{_y(0)} {_x(1)},{_y(1)}",
    )


def risk_chart(results: Sequence[Result]) -> Chart:
    """Risk-coverage curve: error rate against the share of answered readings."""
    found = [
        risk_coverage(
            [read.confidence for read in result.reads], [read.right for read in result.reads]
        )
        for result in results
    ]
    most, step = _nice(max(float(risk.max()) for _, risk in found))
    curves, dots = [], []
    for series, ((coverage, risk), result) in enumerate(zip(found, results, strict=True)):
        chosen = np.unique(np.linspace(0, len(risk) - 1, _MOST_POINTS).round().astype(np.int64))
        points = (f"{_x(coverage[k])},{_y(risk[k] / most)}" for k in chosen.tolist())
        curves.append(Curve(" ".join(points), series))
        for named in (*result.trust.by_coverage, result.trust.by_risk):
            if (point := named.point) is not None:
                x, y = _x(point.coverage), _y(point.risk / most)
                text = f"{named.rule}: {100 * point.coverage:.1f} % answered from "
                text += f"{point.threshold:.4f} up, {100 * point.risk:.2f} % of them wrong"
                dots.append(Dot(x, y, 4.5, y, y, series, text))
    return Chart(
        "answered, % (the most confident first)",
        "wrong among them, %",
        tuple(Tick(_x(k / 5), f"{20 * k}") for k in range(6)),
        tuple(
            Tick(_y(k * step / most), f"{100 * k * step:.4g}")
            for k in range(round(most / step) + 1)
        ),
        tuple(curves),
        tuple(dots),
    )


def _x(share: float) -> float:
    return round(_LEFT + float(share) * (WIDTH - _LEFT - _RIGHT), 1)


def _y(share: float) -> float:
    return round(HEIGHT - _BOTTOM - float(share) * (HEIGHT - _TOP - _BOTTOM), 1)


def _nice(most: float) -> tuple[float, float]:
    """Choose the end of an axis from 0 that includes ``most``, and its tick spacing."""
    if most <= 0:
        return 0.01, 0.0025
    rough = most / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    return math.ceil(most / step - 1e-9) * step, step
