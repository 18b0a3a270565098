"""What finding the corners a second time brings, and how many pictures it is done for.

python bench/second_corners.py --data DIR --rectifier RUN [--model NAME ...]

Reads ``plates/dev``, ``ccpd_subsets/dev`` and hard views of dev plates with and without the second
corners. Writes bench/results/second-corners.json.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path
from typing import Any

from crnn_ctc import Reader, __version__, recognize
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.plates.scheme import plate_label
from light_ablation import hard_views

RESULTS = Path(__file__).parent / "results" / "second-corners.json"
AGAIN = recognize.AGAIN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rectifier", required=True)
    parser.add_argument("--model", nargs="+", default=["plates-small", "plates-nano"])
    options = parser.parse_args()
    sets: dict[str, list[tuple[Any, str]]] = {
        "hard views": hard_views(options.data, options.rectifier)
    }
    for name in ("plates", "ccpd_subsets"):
        samples = read_labelled(options.data / name / "dev.csv", normalise=plate_label)
        sets[f"{name}/dev"] = [(sample.path, sample.text) for sample in samples]
    facts: dict[str, Any] = {
        "command": "python bench/second_corners.py --data DIR --rectifier RUN",
        "version": __version__,
        "date": date.today().isoformat(),
        "processor": processor(),
        "models": {},
    }
    for model in options.model:
        reader = Reader(model, find="never")
        found = facts["models"].setdefault(model, {})
        for name, pictures in sets.items():
            row: dict[str, float] = {"pictures": len(pictures)}
            for way, threshold in (("first corners", 0.0), ("second corners", AGAIN)):
                recognize.AGAIN = threshold
                readings = list(reader.read([picture for picture, _ in pictures]))
                right = sum(r.text == text for r, (_, text) in zip(readings, pictures, strict=True))
                row[way] = round(100 * right / len(pictures), 2)
                if not threshold:
                    unsure = sum(reading.confidence < AGAIN for reading in readings)
                    row["read again, %"] = round(100 * unsure / len(pictures), 1)
            found[name] = row
            print(model, name, row)
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
