"""The second reading of unsure plates, turned by 180 degrees: what it costs and what it reads.

python bench/half_turn.py --data DIR [--model NAME ...] writes bench/results/half-turn.json.

DIR holds ``plates``, ``ccpd_subsets`` and ``negatives``. Each dev set is read with and without the
second reading, as it is and turned by 180 degrees; of ``negatives`` the half that is for choosing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from PIL import Image

from crnn_ctc import Reader, Reading, __version__, recognize
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.evaluation.collection import pictures_without_text
from crnn_ctc.image import open_picture
from crnn_ctc.plates.scheme import plate_label

RESULTS = Path(__file__).parent / "results" / "half-turn.json"
UNSURE = recognize.UNSURE


def read(reader: Reader, pictures: Sequence[Image.Image], second: bool) -> list[Reading]:
    """Read pictures with or without the second reading."""
    recognize.UNSURE = UNSURE if second else 0.0
    return list(reader.read(pictures))


def measure(reader: Reader, data: Path) -> dict[str, Any]:
    """Exact match of each set in percent, and the highest confidence on other pictures."""
    found: dict[str, Any] = {}
    for name in ("plates", "ccpd_subsets"):
        samples = list(read_labelled(data / name / "dev.csv", normalise=plate_label))
        pictures = [open_picture(sample.path) for sample in samples]
        turned = [picture.transpose(Image.Transpose.ROTATE_180) for picture in pictures]
        found[name] = {"pictures": len(samples)}
        for way, shown in (("upright", pictures), ("turned", turned)):
            for second in (False, True):
                readings = read(reader, shown, second)
                right = sum(a.text == b.text for a, b in zip(readings, samples, strict=True))
                key = f"{way}, {'second' if second else 'one'} reading"
                found[name][key] = round(100 * right / len(samples), 2)
    others = [open_picture(one.source) for one in pictures_without_text(data / "negatives", "fit")]
    for second in (False, True):
        highest = max(reading.confidence for reading in read(reader, others, second))
        key = f"highest confidence, {'second' if second else 'one'} reading"
        found.setdefault("negatives", {"pictures": len(others)})[key] = round(highest, 4)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", nargs="+", default=["plates-small", "plates-nano"])
    options = parser.parse_args()
    models = {}
    for name in options.model:
        models[name] = measure(Reader(name, find="never"), options.data)
        print(name, json.dumps(models[name], indent=1))
    facts = {
        "command": "python bench/half_turn.py --data DIR",
        "version": __version__,
        "date": date.today().isoformat(),
        "processor": processor(),
        "unsure": UNSURE,
        "sure": recognize.SURE,
        "models": models,
    }
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
