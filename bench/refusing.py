"""What tells right readings from wrong ones, and plates from others: confidence or probability.

python bench/refusing.py PLATES NEGATIVES

PLATES holds dev.csv and test.csv, NEGATIVES pictures without a Chinese plate. What is chosen is
chosen by dev and every second of those, sorted; test and the others only report.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from crnn_ctc import Reader, Reading
from crnn_ctc.data.labelled import normaliser, read_labelled
from crnn_ctc.evaluation.confidence import at_threshold, auroc, expected_calibration_error
from crnn_ctc.image import names_picture

WAYS = {"confidence": lambda r: r.confidence, "probability": lambda r: r.probability}


def table(readings: list[Reading], texts: list[str], others: list[Reading]) -> None:
    right = np.array([r.text == text for r, text in zip(readings, texts, strict=True)])
    print(f"{'':<13}{'right/wrong':>12}{'plate/other':>12}{'right/all else':>15}", end="")
    print(f"{'ECE':>8}{'others >=.5':>12}{'highest':>8}{'from 0.9':>9}{'wrong':>6}")
    for name, way in WAYS.items():
        sure = np.array([way(r) for r in readings])
        # a picture that is said to show nothing is refused as it should be
        low = np.array([way(r) if r.text else 0.0 for r in others])
        point = at_threshold(sure, right, 0.9)
        wrong = round(point.risk * point.coverage * len(right))
        values = [
            f"{auroc(sure[right], sure[~right]):>12.4f}{auroc(sure, low):>12.5f}",
            f"{auroc(sure[right], np.concatenate([sure[~right], low])):>15.5f}",
            f"{expected_calibration_error(sure, right):>8.4f}{(low >= 0.5).sum():>12}",
            f"{low.max():>8.3f}{100 * point.coverage:>9.1f}{wrong:>6}",
        ]
        print(f"{name:<13}" + "".join(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("plates", type=Path)
    parser.add_argument("negatives", type=Path)
    parser.add_argument("--model", default="plates-tiny")
    options = parser.parse_args()
    reader = Reader(options.model)
    form = normaliser(reader.card.alphabet)
    files = sorted(p for p in options.negatives.rglob("*") if names_picture(p.name))
    for half, name in enumerate(("dev", "test")):
        samples = list(read_labelled(options.plates / f"{name}.csv", normalise=form))
        readings = list(reader.read([sample.path for sample in samples]))
        others = list(reader.read(files[half::2]))
        print(f"\n{name}: {len(samples)} plates, {len(others)} others")
        table(readings, [sample.text for sample in samples], others)


if __name__ == "__main__":
    main()
