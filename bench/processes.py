"""One process against several with the same global batch: what the validation set says.

python bench/processes.py --data DIR [--images 20000] [--seeds 3] [--processes 2]

Recipe digits-nano, made short, a thread a process. Exact match and CER of the averaged weights at
the end, and the training loss of the last steps.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import torch

from crnn_ctc.training.run_log import read_rows

BATCH = 128


def train(data: Path, run: Path, processes: int, seed: int, images: int) -> dict[str, float]:
    """Train with ``processes``; return the last validation's measures and the last logged loss."""
    changes = {
        "seed": seed,
        "training.images": images,
        "training.batch_size": BATCH,
        "training.flat_start": 0.4,
        "training.ema_decay": 0.98,
        "training.validations": 4,
        "training.log_steps": images // BATCH // 6,
    }
    launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    command = [sys.executable, "-m", *([*launcher, "--"] if processes > 1 else []), "crnn_ctc"]
    sets = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    subprocess.run(
        [*command, "train", "digits-nano", "--data", str(data), "--run", str(run), *sets],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
        check=True,
    )
    rows = read_rows(run / "metrics.jsonl")
    last = [row for row in rows if row["kind"] == "validation"][-1]
    loss = [row["loss"] for row in rows if row["kind"] == "train"][-1]
    return {"exact_match": last["exact_match"], "cer": last["cer"], "loss": loss}


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation, in %."""
    return f"{100 * statistics.mean(values):.2f} ± {100 * statistics.stdev(values):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    found: list[dict[str, float]] = []
    print(f"{'seed':>4} {'processes':>9} {'exact, %':>9} {'CER, %':>7} {'loss':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, options.seeds + 1):
            for count in (1, options.processes):
                run = Path(folder) / f"{seed}-{count}"
                row = train(options.data, run, count, seed, options.images)
                found.append({"seed": seed, "processes": count, **row})
                exact, cer = 100 * row["exact_match"], 100 * row["cer"]
                print(f"{seed:>4} {count:>9} {exact:>9.2f} {cer:>7.2f} {row['loss']:>7.4f}")
                sys.stdout.flush()
    for count in (1, options.processes):
        rows = [row for row in found if row["processes"] == count]
        exact, cer = (spread([row[key] for row in rows]) for key in ("exact_match", "cer"))
        print(f"{count} processes: exact match {exact} %, CER {cer} %")
    values = {
        "name": "processes",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "torch": torch.__version__,
        "images": options.images,
        "batch": BATCH,
        "rows": found,
    }
    file = Path(__file__).parent / "results" / "processes.json"
    file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
