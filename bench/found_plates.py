"""What chose the limits of photographs: plates by their width, and what is found but is no plate.

python bench/found_plates.py --data DIR [--model NAME]

DIR is shared/data. scenes/dev is reduced so that its plate has a given width (JPEG of quality 90);
the share of plates read correctly determined ``crnn_ctc.find.photo.ENOUGH``. The confidence of
false detections in scenes/dev and negatives/cars determined ``FLOOR`` (on every second picture of
cars; the others validate it). Writes bench/results/found-plates.json.
"""

from __future__ import annotations

import argparse
import io
import json
from datetime import date
from pathlib import Path

import numpy as np
from PIL import Image

import crnn_ctc.reader
from crnn_ctc import Reader
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.cli.progress import track
from crnn_ctc.data.scenes import read_scenes
from crnn_ctc.find.photo import FLOOR
from crnn_ctc.image import open_picture

RESULTS = Path(__file__).parent / "results" / "found-plates.json"
WIDTHS = (160, 120, 100, 80, 60, 48, 40)


def reduced(path: Path, factor: float) -> bytes:
    picture, content = open_picture(path), io.BytesIO()
    size = (round(picture.width * factor), round(picture.height * factor))
    picture.resize(size, Image.Resampling.BILINEAR).save(content, "JPEG", quality=90)
    return content.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="shared/data")
    parser.add_argument("--model", default="plates-small")
    options = parser.parse_args()
    crnn_ctc.reader.FLOOR = 1e-9  # every detection with text
    reader = Reader(options.model)
    scenes = list(read_scenes(options.data / "scenes" / "dev.csv"))
    read = dict.fromkeys(WIDTHS, 0)
    right, other = [], []
    for scene in track(scenes, "scenes/dev"):
        (plate,) = scene.plates
        for one in reader.find(scene.path):
            (right if one.text == plate.text else other).append(one.confidence)
        wide = float(np.ptp(plate.corners[:, 0]))
        for width in WIDTHS:
            texts = [one.text for one in reader.find(reduced(scene.path, width / wide))]
            read[width] += plate.text in texts
    cars: tuple[list[float], list[float]] = ([], [])
    for i, path in enumerate(
        track(sorted((options.data / "negatives/cars").glob("*.jpg")), "cars")
    ):
        cars[i % 2].extend(one.confidence for one in reader.find(path))
    facts = {
        "what": "plates read by their width; confidence of what is found",
        "command": f"python bench/found_plates.py --data DIR --model {options.model}",
        "data": f"scenes/dev ({len(scenes)}), negatives/cars (150)",
        "model": options.model,
        "read by width in pixels": read,
        "floor": FLOOR,
        "least confidence of a plate that is read right": round(min(right), 4),
        "found and below the floor": {
            name: [sum(p < FLOOR for p in values), len(values)]
            for name, values in (
                ("scenes/dev, labelled plate", right),
                ("scenes/dev, anything else", other),
                ("cars, choosing", cars[0]),
                ("cars, held out", cars[1]),
            )
        },
        "processor": processor(),
        "date": date.today().isoformat(),
    }
    RESULTS.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(facts, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
