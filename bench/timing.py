"""Comparative timing on a noisy machine: alternating measurements, medians, ratios."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Row:
    """Measurements of one contender.

    Attributes:
        name: name of the contender.
        median: median of its measurements.
        least: minimum of its measurements.
        most: maximum of its measurements.
        ratio: median relative to that of the first row.
    """

    name: str
    median: float
    least: float
    most: float
    ratio: float


def in_turn(contenders: dict[str, Callable[[], float]], rounds: int, warmup: int = 1) -> list[Row]:
    """Measure each contender once per round, so that other load affects all equally.

    Args:
        contenders: functions that return a measurement, by name.
        rounds: number of rounds that count.
        warmup: number of rounds before them.
    """
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(warmup + rounds):
        for name, measure in contenders.items():
            value = measure()
            if number >= warmup:
                measured[name].append(value)
    first = statistics.median(next(iter(measured.values())))
    return [
        Row(name, statistics.median(v), min(v), max(v), statistics.median(v) / first)
        for name, v in measured.items()
    ]


def milliseconds(
    work: Callable[[], object], repeats: int = 1, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Mean time of ``work`` over ``repeats`` consecutive calls, in milliseconds.

    Args:
        work: function to measure.
        repeats: number of calls.
        clock: ``time.process_time`` for CPU time, which excludes other load.
    """
    started = clock()
    for _ in range(repeats):
        work()
    return (clock() - started) * 1e3 / repeats


def report(name: str, unit: str, rows: list[Row], facts: dict[str, object] | None = None) -> None:
    """Print a table, and write it to ``bench/results/NAME.json``."""
    print(f"\n{name} ({unit})")
    print(f"{'':<48} {'median':>9} {'least':>9} {'most':>9} {'ratio':>7}")
    for row in rows:
        numbers = f"{row.median:>9.2f} {row.least:>9.2f} {row.most:>9.2f} {row.ratio:>7.2f}"
        print(f"{row.name:<48} {numbers}")
    values = {
        "name": name,
        "unit": unit,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "numpy": np.__version__,
        **(facts or {}),
        "rows": [vars(row) for row in rows],
    }
    for key, value in (facts or {}).items():
        print(f"{key}: {value}")
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
