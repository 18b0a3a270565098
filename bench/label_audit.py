"""Training digits whose label two shipped networks contradict in the same way.

python bench/label_audit.py --data DIR writes bench/results/label-audit.json.

DIR holds EMNIST. Both networks were trained on these digits, and may have learnt a wrong label: the
count is a lower bound of the wrong labels. Digits are read in rows of five, in the order of the
file, as the networks take them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crnn_ctc import Reader, __version__
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.digits import load_digits
from crnn_ctc.data.sequences import rows

RESULTS = Path(__file__).parent / "results" / "label-audit.json"
MODELS = ("digits-tiny", "digits-nano")
ROW = 5
LEAST = 0.9
"""Confidence of a digit, in both networks, from which their answer counts."""


def read(model: str, images: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What stands at each place: the digit (N,), -1 where a row has another length; confidence."""
    seen = np.full((len(images) // ROW, ROW), -1)
    sure = np.zeros(seen.shape)
    lines = rows(images.reshape(-1, ROW, *images.shape[1:]))
    for place, reading in enumerate(Reader(model).read(lines, batch_size=64)):
        if len(reading.text) == ROW:
            seen[place] = list(map(int, reading.text))
            sure[place] = [character.confidence for character in reading.characters]
    return seen.reshape(-1), sure.reshape(-1)


def audit(
    labels: NDArray[np.uint8], answers: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]]
) -> list[dict[str, object]]:
    """The digits that both networks read alike, surely, and not as labelled."""
    (one, one_sure), (other, other_sure) = answers
    least = np.minimum(one_sure, other_sure)
    doubtful = (one == other) & (one >= 0) & (one != labels) & (least >= LEAST)
    return [
        {
            "index": int(place),
            "label": int(labels[place]),
            "read": int(one[place]),
            "confidence": round(float(least[place]), 4),
        }
        for place in np.flatnonzero(doubtful)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    digits = load_digits(parser.parse_args().data, "train")
    digits = digits.part(np.arange(len(digits) // ROW * ROW))
    answers = [read(model, digits.images) for model in MODELS]
    found = audit(digits.labels, answers)
    facts = {
        "command": "python bench/label_audit.py --data DIR",
        "version": __version__,
        "date": date.today().isoformat(),
        "processor": processor(),
        "digits": len(digits),
        "models": MODELS,
        "rows_of_another_length": [int((seen < 0).sum()) // ROW for seen, _ in answers],
        "misread": [int(((seen >= 0) & (seen != digits.labels)).sum()) for seen, _ in answers],
        "misread_alike_from_0.9": len(found),
        "found": found,
    }
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print({key: value for key, value in facts.items() if key != "found"})


if __name__ == "__main__":
    main()
