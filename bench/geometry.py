"""Accuracy against what a detector may do: box size, turn, tilt, height in pixels.

python bench/geometry.py --data DIR [--model NAME ...] writes bench/results/geometry.json and
docs/images/geometry.png. DIR/scenes/dev.csv has the photographs; each is warped about its plate, so
that only one thing changes at a time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from crnn_ctc import Reader, __version__
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.data.plate_pictures import read_corners
from crnn_ctc.image import load
from crnn_ctc.plates.scheme import plate_label

RESULTS = Path(__file__).parent / "results" / "geometry.json"
PLOT = Path(__file__).parents[1] / "docs" / "images" / "geometry.png"
PLATE = 160.0
"""Width of a plate in pixels, unless its size is varied."""

Corners = NDArray[np.float32]


def crop(image: NDArray[np.uint8], corners: Corners, matrix: NDArray[np.float64], grow: float):
    """Warp a plate by an affine map (2, 2), and crop its bounding box, enlarged by ``grow``."""
    middle = corners.mean(0)
    moved = (corners - middle) @ matrix.T
    low, high = moved.min(0), moved.max(0)
    size = (high - low) * (1 + grow)
    shift = size / 2 - (low + high) / 2 - middle @ matrix.T
    affine = np.column_stack([matrix, shift])
    width, height = np.maximum(np.rint(size), 8).astype(int)
    return cv2.warpAffine(
        image, affine, (int(width), int(height)), flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip


def turned(degrees: float) -> NDArray[np.float64]:
    a = np.radians(degrees)
    return np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


SERIES: dict[str, tuple[list[float], Callable[[float], tuple[NDArray[np.float64], float]]]] = {
    "box larger, %": ([-8, 0, 10, 30, 50, 80], lambda v: (np.eye(2), v / 100)),
    "turned, degrees": ([0, 10, 20, 30, 40, 50], lambda v: (turned(v), 0.06)),
    "slanted, share": ([0, 0.2, 0.4, 0.6], lambda v: (np.array([[1, 0], [v, 1]]), 0.06)),
    "plate width, pixels": ([160, 100, 70, 50, 40, 30], lambda v: (np.eye(2) * v / PLATE, 0.06)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--model", nargs="+", default=["plates-small", "plates-nano", "plates-tiny"]
    )
    options = parser.parse_args()
    scenes = []
    for sample in read_labelled(options.data / "scenes" / "dev.csv", normalise=plate_label):
        corners = read_corners(sample.attributes["corners"], sample.where)
        scale = PLATE / float(np.linalg.norm(corners[1] - corners[0]))
        scenes.append((load(sample.path), corners, scale, sample.text))
    rows: dict[str, dict[str, list[float]]] = {}
    for series, (values, change) in SERIES.items():
        rows[series] = {"at": list(values)}
        for name in options.model:
            reader = Reader(name, find="never")
            shares = []
            for value in values:
                matrix, grow = change(value)
                images = [crop(image, c, matrix * s, grow) for image, c, s, _ in scenes]
                texts = [reading.text for reading in reader.read(images)]
                right = sum(a == b[3] for a, b in zip(texts, scenes, strict=True))
                shares.append(round(100 * right / len(scenes), 1))
            rows[series][name] = shares
            print(f"{series}: {name}: " + "  ".join(map(str, zip(values, shares, strict=True))))
    facts = {
        "command": "python bench/geometry.py --data DIR",
        "version": __version__,
        "date": date.today().isoformat(),
        "processor": processor(),
        "pictures": len(scenes),
        "rows": rows,
    }
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    plot(rows, options.model)


def plot(rows: dict[str, dict[str, list[float]]], models: list[str]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(rows), figsize=(3.2 * len(rows), 3), sharey=True)
    for axis, (series, row) in zip(axes, rows.items(), strict=True):
        for model in models:
            axis.plot(row["at"], row[model], marker="o", label=model)
        axis.set_xlabel(series)
        axis.set_ylim(0, 102)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("whole texts right, %")
    axes[0].legend(fontsize=8)
    axes[-1].invert_xaxis()
    figure.tight_layout()
    figure.savefig(PLOT, dpi=110)


if __name__ == "__main__":
    main()
