"""What the confidence is worth: right readings against wrong ones, plates against other pictures.

python bench/refusing.py PLATES NEGATIVES [--models plates-tiny plates-nano ...]

PLATES has test.csv; NEGATIVES has pictures without a Chinese plate, of which the half is read that
was not used for calibration (``crnn-ctc calibrate --negatives``). Writes
bench/results/refusing.json and the reliability diagram docs/images/reliability.png.
"""

from __future__ import annotations

import argparse
import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from crnn_ctc import Reader
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.decode.decoder import decoder_for
from crnn_ctc.evaluation.collection import open_collection, pictures_without_text
from crnn_ctc.evaluation.evaluate import evaluate
from crnn_ctc.evaluation.read import read_pictures
from crnn_ctc.evaluation.result import Contender

BATCH = 64
HERE = Path(__file__).parent


def measured(model: str, plates: Path, negatives: Path) -> dict[str, Any]:
    """Measure the confidences of one model, as in ``evaluate --json``."""
    reader = Reader(model)
    contender = Contender(model, reader, decoder_for(reader.card))
    collection = open_collection(plates, [reader.card])
    without = pictures_without_text(negatives, "report")
    reads = collection.read(reader, contender.decoder, BATCH)
    rejected = list(read_pictures(reader, without, BATCH, contender.decoder))
    values = evaluate(contender, collection, reads, rejected).as_json()
    kept = ("n", "exact_match", "confidence", "negatives")
    return {"temperature": reader.card.temperature, **{key: values[key] for key in kept}}


def show(model: str, values: dict[str, Any]) -> None:
    """Print one model's measures."""
    points = {point["rule"]: point for point in values["confidence"]["operating_points"]}
    at = points["from 0.9 up"]
    negatives = values["negatives"]
    ece = values["confidence"]["ece"]
    print(
        f"{model}: right {100 * values['exact_match']:.1f} %, ECE {ece:.4f}, "
        f"from 0.9 up {100 * at['coverage']:.1f} % answered and {at['wrong']} wrong; of "
        f"{negatives['n']} others AUROC {negatives['auroc']:.5f}, highest "
        f"{negatives['highest']:.3f}, from 0.5 up {negatives['accepted']['from 0.5 up']:.3f}"
    )


def plot(found: dict[str, dict[str, Any]], path: Path) -> None:
    """Plot reliability diagrams, one for each model."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(found), figsize=(3.4 * len(found), 3.5), sharey=True, squeeze=False
    )
    for axis, (model, values) in zip(axes[0], found.items(), strict=True):
        rows = values["confidence"]["reliability"]
        axis.plot([0, 1], [0, 1], color="#7a7f87", lw=1)
        sizes = [12 + 4 * row["n"] ** 0.5 for row in rows]
        x, y = [row["confidence"] for row in rows], [row["accuracy"] for row in rows]
        axis.scatter(x, y, s=sizes, color="#2f80ed")
        for row in rows:
            axis.annotate(str(row["n"]), (row["confidence"], row["accuracy"]), fontsize=7)
        axis.set_title(f"{model}, ECE {values['confidence']['ece']:.3f}", fontsize=10)
        axis.set_xlabel("confidence")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("share that is right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("plates", type=Path)
    parser.add_argument("negatives", type=Path)
    parser.add_argument("--models", nargs="+", default=["plates-tiny", "plates-nano"])
    options = parser.parse_args()
    found = {}
    for model in options.models:
        found[model] = measured(model, options.plates / "test.csv", options.negatives)
        show(model, found[model])
    facts = {
        "plates": f"{options.plates.name}/test.csv",
        "negatives": f"the half of {options.negatives.name} that nothing was fitted to",
        "processor": processor(),
        "date": datetime.now(timezone.utc).date().isoformat(),
    }
    text = json.dumps({**facts, "models": found}, indent=1, ensure_ascii=False)
    (HERE / "results" / "refusing.json").write_text(text + "\n", encoding="utf-8")
    plot(found, HERE.parent / "docs" / "images" / "reliability.png")


if __name__ == "__main__":
    main()
