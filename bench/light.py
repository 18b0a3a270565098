"""Light and sharpness of straightened plates: by subset of CCPD, and of the training views.

python bench/light.py --data DIR --rectifier RUN [--views 1500] [--json FILE]

DIR holds ``ccpd_subsets``, ``plates``, ``scenes``. Percentiles 5, 25, 50, 75, 95 of:

- ``brightness``: mean of the plate's grey values, 0 to 255;
- ``contrast``: 95th less 5th percentile of its grey values;
- ``sharpness``: greatest slope of an edge in grey values a pixel of the straightened plate, over
  its contrast (99th percentile of the gradient's length): about 0.45 where sharp;
- ``height``: height of the plate in the crop, in pixels.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.data.plate_views import RectifiedSource
from crnn_ctc.data.source import open_training_data
from crnn_ctc.image import fit, load
from crnn_ctc.recipe import load_recipe
from crnn_ctc.rectify import rectify
from crnn_ctc.training.trained_rectifier import TrainedRectifier, open_rectifier

_PERCENTILES = (5, 25, 50, 75, 95)


def measured(plate: NDArray[np.uint8], height: float) -> tuple[float, float, float, float]:
    """Brightness, contrast, sharpness and height of a rectified plate, uint8 (48, 168, 3)."""
    grey = plate.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    low, high = np.percentile(grey, [5, 95])
    contrast = max(float(high - low), 1.0)
    down, across = np.gradient(grey)
    slope = float(np.percentile(np.hypot(down, across), 99))
    return float(grey.mean()), contrast, slope / contrast, height


def crops(manifest: Path, rectifier: TrainedRectifier) -> Iterator[tuple[str, Any]]:
    """Yield the subset of each crop of a manifest, and the result of :func:`measured`."""
    for sample in read_labelled(manifest):
        image = load(sample.path)
        found = rectifier.find(fit(image, 48, 96, 3)[None])
        corners = found.corners[0] * np.array(image.shape[1::-1], np.float32)
        plate = rectify(Image.fromarray(image), corners, 48, 168, bool(found.rows[0] > 0.5))
        height = float(np.linalg.norm(corners[3] - corners[0]))
        subset = sample.attributes.get("subset", manifest.parent.name).split("_")[0]
        yield subset, measured(plate, height)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rectifier", required=True)
    parser.add_argument("--views", type=int, default=1500)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rectifier = open_rectifier(options.rectifier)
    groups: dict[str, list[Any]] = defaultdict(list)
    for name in ("ccpd_subsets/dev.csv", "plates/dev.csv"):
        for subset, values in crops(options.data / name, rectifier):
            groups[subset].append(values)
    recipe = load_recipe("plates-small", [f"data.rectifier={options.rectifier}", "data.straight=0"])
    source = open_training_data(recipe, options.data, rectifier)[0]
    assert isinstance(source, RectifiedSource)
    for i in range(options.views):
        shown, plate = source.views.view(i)
        size = np.array(shown.image.shape[1::-1], np.float32)
        corners = shown.corners * size
        straight = rectify(Image.fromarray(shown.image), corners, 48, 168, plate.two_rows)
        groups["training views"].append(
            measured(straight, float(np.linalg.norm(corners[3] - corners[0])))
        )
    facts: dict[str, Any] = {
        "command": "python bench/light.py --data DIR --rectifier RUN",
        "date": date.today().isoformat(),
        "processor": processor(),
        "percentiles": _PERCENTILES,
        "groups": {},
    }
    for name, rows in groups.items():
        table = np.percentile(np.array(rows), _PERCENTILES, axis=0).T
        names = ("brightness", "contrast", "sharpness", "height")
        facts["groups"][name] = {"pictures": len(rows)} | {
            key: [round(float(v), 3) for v in values]
            for key, values in zip(names, table, strict=True)
        }
        print(f"{name} ({len(rows)})")
        for key, values in zip(names, table, strict=True):
            print(f"  {key:11}" + "".join(f"{v:9.2f}" for v in values))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
