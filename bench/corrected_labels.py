"""Accuracy on rows of EMNIST test digits by the labels as they are, and with wrong ones corrected.

    python bench/corrected_labels.py MODEL... --data DIR --audit FILE.csv --json FILE

The audit names test digits by index with their label and what an eye sees; `?` where it cannot say.
Only labels that are plainly wrong, those with a digit in `seen`, are corrected. A model is a model
file, a shipped model or a run folder.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
from pathlib import Path

from crnn_ctc.benchmark.machine import processor
from crnn_ctc.cli.model_options import open_model
from crnn_ctc.data.digits import Digits, load_digits
from crnn_ctc.data.sequences import Protocol, protocol
from crnn_ctc.decode.decoder import decoder_for
from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.metrics import Metrics, text_metrics
from crnn_ctc.evaluation.read import EvaluationPicture, read_pictures

PROTOCOLS: tuple[Protocol, ...] = ("clean", "distorted")


def corrected(digits: Digits, audit: Path) -> tuple[Digits, int]:
    """Correct the clearly wrong labels of digits; also return their number."""
    labels = digits.labels.copy()
    count = 0
    with audit.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            index = int(row["index"])
            if index >= len(labels) or labels[index] != int(row["label"]):
                raise InputError(
                    f"{audit}: digit {index} is not labelled {row['label']} here; the audit is of "
                    "other test digits"
                )
            if row["seen"] != "?":
                labels[index] = int(row["seen"])
                count += 1
    return Digits(digits.images, labels), count


def in_percent(metrics: Metrics) -> dict[str, float | list[float]]:
    low, high = metrics.interval95
    return {
        "exact_match": round(100 * metrics.exact_match, 2),
        "interval95": [round(100 * low, 2), round(100 * high, 2)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--audit", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    digits = load_digits(options.data, "test")
    right, count = corrected(digits, options.audit)
    results: dict[str, dict[str, object]] = {}
    for name in options.models:
        model = open_model(name)
        decoder = decoder_for(model.card)
        for kind in PROTOCOLS:
            images, texts = protocol(digits, kind)
            _, true = protocol(right, "clean")  # both protocols have the same digits
            pictures = [
                EvaluationPicture("", text, image)
                for image, text in zip(images, texts, strict=True)
            ]
            read = [item.text for item in read_pictures(model, pictures, decoder=decoder)]
            found = {
                "as_labelled": in_percent(text_metrics(read, texts)),
                "corrected": in_percent(text_metrics(read, true)),
            }
            results.setdefault(model.card.name, {})[kind] = found
            print(model.card.name, kind, found)
    options.json.write_text(
        json.dumps(
            {
                "data": f"{len(digits)} test digits, rows of five, {count} labels corrected",
                "machine": processor(),
                "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
                "results": results,
            },
            indent=2,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
