"""Real rows of handwritten digits: accuracy by length, calibration, and each error.

    python bench/real_rows.py MODEL DATA --json FILE

DATA is a manifest or a folder. The temperature of the model was fitted to some such rows, so the
calibration error stated is two-fold: the temperature fitted to every second row, measured on the
others, and the other way round. Beside it stands the error that as many rows would show on average
if each confidence were exactly the chance of being right: less cannot be expected of so few rows.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from crnn_ctc.benchmark.machine import processor
from crnn_ctc.cli.model_options import open_model
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.decode.decoder import decoder_for
from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.confidence import (
    at_threshold,
    expected_calibration_error,
    threshold_for_coverage,
)
from crnn_ctc.evaluation.metrics import text_metrics
from crnn_ctc.export.calibration import fit_temperature
from crnn_ctc.image import load_each
from crnn_ctc.plates.schemes import normaliser
from crnn_ctc.recognize import Recognition, recognize

COVERAGE = 0.95
CONFIDENT = 0.95
TRIALS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    model = open_model(options.model)
    card = model.card
    samples = list(read_labelled(options.data, normalise=normaliser(card.alphabet)))
    pictures = load_each(sample.path for sample in samples)
    answers: list[Recognition] = []
    for seen in recognize(model, decoder_for(card), pictures):
        if isinstance(seen, InputError):
            raise seen
        answers.append(seen)
    texts = [answer.decoded.text for answer in answers]
    right = [text == sample.text for text, sample in zip(texts, samples, strict=True)]

    confidences = [0.0] * len(answers)
    log_probs = [answer.log_probs for answer in answers]
    for half in (0, 1):
        other = slice(1 - half, None, 2)
        fit = fit_temperature(log_probs[other], texts[other], right[other], card.alphabet)
        decode = decoder_for(replace(card, temperature=fit.value))
        for place in range(half, len(answers), 2):
            confidences[place] = decode(log_probs[place][None])[0].confidence
    answered = at_threshold(confidences, right, threshold_for_coverage(confidences, COVERAGE))

    confident = at_threshold(confidences, right, CONFIDENT)
    draws = np.random.default_rng(0).random((TRIALS, len(right))) < np.array(confidences)
    by_chance = np.mean([expected_calibration_error(confidences, draw) for draw in draws])

    by_length: dict[int, list[bool]] = defaultdict(list)
    for sample, correct in zip(samples, right, strict=True):
        by_length[len(sample.text)].append(correct)
    metrics = text_metrics(texts, [s.text for s in samples])
    errors = sorted(
        (
            {"file": s.path.name, "label": s.text, "read": text, "confidence": round(c, 4)}
            for s, text, c in zip(samples, texts, confidences, strict=True)
            if text != s.text
        ),
        key=lambda error: -float(str(error["confidence"])),
    )
    values = {
        "model": card.name,
        "data": f"{options.data.parent.name}/{options.data.name}, {len(samples)} rows",
        "machine": processor(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "exact_match": metrics.exact_match,
        "interval95": metrics.interval95,
        "cer": metrics.cer,
        "by_length": {
            length: {"n": len(each), "exact_match": sum(each) / len(each)}
            for length, each in sorted(by_length.items())
        },
        "ece_two_fold": expected_calibration_error(confidences, right),
        "ece_by_chance": float(by_chance),
        "answered": {"coverage": answered.coverage, "wrong": answered.risk},
        "confident": {
            "threshold": CONFIDENT,
            "answered": confident.coverage,
            "wrong": confident.risk,
        },
        "errors": errors,
    }
    options.json.write_text(json.dumps(values, indent=2) + "\n")
    print(json.dumps({key: value for key, value in values.items() if key != "errors"}, indent=2))


if __name__ == "__main__":
    main()
