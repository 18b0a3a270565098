"""Plates as cameras see them: whole texts right on CCPD's own test subsets, and on straight crops.

python bench/ccpd_subsets.py --data DIR [--split dev|test] [--model NAME ...] [--json FILE]

DIR holds ``ccpd_subsets`` and ``plates``. ``weighted`` is the mean of the six hard subsets, each
weighted by its number of pictures in the official test of CCPD2019.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from crnn_ctc import Reader, __version__
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.plates.scheme import plate_label

OFFICIAL = {
    "db": 10_132,
    "fn": 20_967,
    "rotate": 10_053,
    "tilt": 30_216,
    "challenge": 50_003,
    "blur": 20_611,
}
"""Number of pictures of each hard subset in CCPD2019's test split."""

ORDER = (
    *("base", "weather", "green", "fn", "rotate", "tilt", "db", "blur", "challenge"),
    *("phone", "kinds"),
)


def measure(reader: Reader, data: Path, split: str) -> dict[str, Any]:
    """Exact match in percent, by subset, weighted, and on straight crops."""
    samples = list(read_labelled(data / "ccpd_subsets" / f"{split}.csv", normalise=plate_label))
    counts: Counter[str] = Counter()
    right: Counter[str] = Counter()
    readings = reader.read([sample.path for sample in samples])
    for sample, reading in zip(samples, readings, strict=True):
        subset = sample.attributes["subset"].split("_")[0]
        counts[subset] += 1
        right[subset] += reading.text == sample.text
    rows = {name: round(100 * right[name] / counts[name], 1) for name in ORDER if counts[name]}
    share = sum(OFFICIAL[name] * right[name] / counts[name] for name in OFFICIAL)
    straight = list(read_labelled(data / "plates" / f"{split}.csv", normalise=plate_label))
    texts = [reading.text for reading in reader.read([sample.path for sample in straight])]
    good = sum(text == sample.text for text, sample in zip(texts, straight, strict=True))
    return {
        "subsets": rows,
        "pictures": {name: counts[name] for name in rows},
        "weighted": round(100 * share / sum(OFFICIAL.values()), 1),
        "plates": round(100 * good / len(straight), 2),
        "plates_pictures": len(straight),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--model", nargs="+", default=["plates-small", "plates-nano"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    facts: dict[str, Any] = {
        "command": f"python bench/ccpd_subsets.py --data DIR --split {options.split} "
        f"--model {' '.join(Path(name).stem for name in options.model)}",
        "version": __version__,
        "date": date.today().isoformat(),
        "processor": processor(),
        "split": options.split,
        "models": {},
    }
    for name in options.model:
        found = measure(Reader(name, find="never"), options.data, options.split)
        facts["models"][Path(name).stem] = found
        subsets = "  ".join(f"{key} {value:g}" for key, value in found["subsets"].items())
        print(f"{name}: {subsets}  weighted {found['weighted']:g}  plates {found['plates']:g}")
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
