"""Real pictures of rare kinds of plates, one by one: label, reading, confidence.

python bench/kinds.py --data DIR [--model NAME] writes docs/results/kinds.md.

DIR holds ``ccpd_subsets``, whose test split has such pictures, in the subsets ``kinds_*``.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from crnn_ctc import Reader
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.plates.scheme import plate_label

OUT = Path(__file__).parents[1] / "docs" / "results" / "kinds.md"


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
    lines = [
        "# Real pictures of rare kinds",
        "",
        f"`python bench/kinds.py --data DIR`, `{options.model}`, {date.today().isoformat()}, "
        f"{processor()}: {right} of {len(samples)} read right. Subset `kinds_*` of "
        "`ccpd_subsets/test`, which nothing was trained on or chosen by.",
        "",
        "| kind | label | read | kind read | confidence | |",
        "| --- | --- | --- | --- | ---: | --- |",
    ]
    for sample, reading in zip(samples, readings, strict=True):
        kind = sample.attributes["subset"].removeprefix("kinds_").replace("_", " ")
        wrong = "" if reading.text == sample.text else "wrong"
        lines.append(
            f"| {kind} | {sample.text} | {reading.text} | {reading.kind} | "
            f"{100 * reading.confidence:.1f} % | {wrong} |"
        )
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
