"""Rows of digits: calibration and accuracy with and without a temperature and a grammar.

python bench/digits_calibration.py DIGITS [--model digits-tiny] [--grammar digits:5]

On held-out training digits, which may be used for selection, and on the test digits.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from math import comb
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time

import numpy as np

from crnn_ctc import Reader
from crnn_ctc.data.digits import load_digits
from crnn_ctc.data.sequences import protocol
from crnn_ctc.decode.decoder import decoder_for
from crnn_ctc.evaluation.confidence import at_threshold, expected_calibration_error
from crnn_ctc.export.calibration import held_out_rows

BATCH = 64


def mcnemar(gained: int, lost: int) -> float:
    """P-value of McNemar's exact two-sided test (1947), from the discordant pairs."""
    n = gained + lost
    return min(1.0, 2 * sum(comb(n, k) for k in range(min(gained, lost) + 1)) / 2**n)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("digits", type=Path)
    parser.add_argument("--model", default="digits-tiny")
    parser.add_argument("--grammar", default="digits:5")
    options = parser.parse_args()
    reader = Reader(options.model)
    card = reader.card
    ways = {
        "temperature 1": replace(card, temperature=1.0),
        f"temperature {card.temperature}": card,
        f"{options.grammar}": replace(card, grammar=options.grammar),
    }
    test = load_digits(options.digits, "test")
    sets = {
        "held out, distorted": held_out_rows(card, options.digits),
        "test, distorted": protocol(test, "distorted"),
        "test, clean": protocol(test, "clean"),
    }
    for name, (images, labels) in sets.items():
        starts = range(0, len(images), BATCH)
        log_probs = [reader.log_probs(images[at : at + BATCH]) for at in starts]
        print(
            f"\n{name}\n{'':<20}{'right':>7}{'ECE':>9}{'from 0.9, %':>12}{'wrong, %':>10}{'ms':>8}"
        )
        rights = []
        for way, its_card in ways.items():
            decode = decoder_for(its_card)
            started = time.process_time()
            found = [decoded for rows in log_probs for decoded in decode(rows)]
            ms = (time.process_time() - started) * 1e3 / len(found)
            right = np.array([d.text == t for d, t in zip(found, labels, strict=True)])
            rights.append(right)
            error = expected_calibration_error([d.confidence for d in found], right)
            point = at_threshold([d.confidence for d in found], right, 0.9)
            shares = f"{100 * point.coverage:>12.1f}{100 * point.risk:>10.2f}"
            print(f"{way:<20}{right.sum():>7}{error:>9.4f}{shares}{ms:>8.3f}")
        gained, lost = int((rights[2] & ~rights[1]).sum()), int((rights[1] & ~rights[2]).sum())
        print(f"grammar: {gained} gained, {lost} lost, McNemar p {mcnemar(gained, lost):.3g}")


if __name__ == "__main__":
    main()
