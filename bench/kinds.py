"""Real pictures of rare kinds of plates, one by one: label, reading, confidence.

python bench/kinds.py --data DIR [--model NAME] writes bench/results/kinds.json;
python docs/tables.py then writes the table of docs/results/kinds.md.

DIR holds ``ccpd_subsets``, whose test split has such pictures, in the subsets ``kinds_*``.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path

from crnn_ctc import Reader, __version__
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.plates.scheme import plate_label

OUT = Path(__file__).parent / "results" / "kinds.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="plates-small")
    options = parser.parse_args()
    table = options.data / "ccpd_subsets" / "test.csv"
    samples = [
        sample
        for sample in read_labelled(table, normalise=plate_label)
        if sample.attributes["subset"].startswith("kinds_")
    ]
    readings = list(Reader(options.model, find="never").read([sample.path for sample in samples]))
    right = sum(a.text == b.text for a, b in zip(readings, samples, strict=True))
    report = {
        "command": f"python bench/kinds.py --data DIR --model {options.model}",
        "version": __version__,
        "date": date.today().isoformat(),
        "processor": processor(),
        "model": options.model,
        "right": right,
        "readings": [
            {
                "kind": sample.attributes["subset"].removeprefix("kinds_").replace("_", " "),
                "label": sample.text,
                "read": reading.text,
                "kind read": reading.kind,
                "confidence": round(reading.confidence, 4),
            }
            for sample, reading in zip(samples, readings, strict=True)
        ],
    }
    text = json.dumps(report, ensure_ascii=False, indent=1)
    OUT.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
