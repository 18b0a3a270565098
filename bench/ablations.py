"""What each part of the training of plates is worth: short runs without it, on the dev set.

    python bench/ablations.py --data DIR [--glyphs DIR] [--synthetic DIR] [--only NAME] [--out FILE]

The recipe is that of plates-nano, shortened to two minutes per run; the averaged weights at the end
of each run are compared, not its best. Existing runs are not repeated. ``--jobs 2`` trains two at
once, with one thread each. ``--synthetic`` names a set of ``crnn-ctc data synth`` to evaluate too.
``--only`` selects one condition and may be repeated; results of others in FILE are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from short_run import BATCH, RECIPE, changes


def taught(model: str) -> tuple[str, ...]:
    """Changes of the recipe for a teacher, instead of the flat start."""
    return (
        "training.flat_start=0.0",
        f"training.teacher={model}",
        "training.distillation=0.9",
    )


#: Changes of each condition; the first changes nothing.
CONDITIONS: dict[str, tuple[str, ...]] = {
    "all": (),
    "without synthetic": ("data.synthetic=0.0",),
    "without real": ("data.synthetic=1.0",),
    "without province balance": ("data.balance=0.0",),
    "without perspective": ("data.perspective=0.0",),
    "without augmentation of real": ("data.augment=0.0",),
    "without a flat start": ("training.flat_start=0.0",),
    "synthetic cut by corners only": ('data.cut="corners"',),
    "synthetic cut by boxes only": ('data.cut="box"',),
    "without averaged weights": ("training.ema_decay=0.0",),
    "taught by plates-tiny, no flat start": taught("plates-tiny"),
    "taught by plates-nano, no flat start": taught("plates-nano"),
}


def train(name: str, seed: int, options: argparse.Namespace) -> list[dict[str, float]]:
    """Return the validations of one run, in order; train it if it does not exist."""
    run = folder(name, seed, options)
    metrics = run / "metrics.jsonl"
    command = [sys.executable, "-m", "crnn_ctc", "train", RECIPE, "--resume"]
    command += ["--data", str(options.data), "--run", str(run)]
    for change in [
        *changes(seed, options.images, options.glyphs),
        "training.validations=4",
        "data.validation_drawn=0",
        *CONDITIONS[name],
    ]:
        command += ["--set", change]
    rows = validations(metrics)
    if not rows or rows[-1]["step"] < options.images // BATCH:
        subprocess.run(
            command,
            check=True,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
        )
        rows = validations(metrics)
    print(f"{name:<38} seed {seed}: {100 * rows[-1]['exact_match']:.1f} %", flush=True)
    return rows


def on_drawn(name: str, seed: int, options: argparse.Namespace) -> float:
    """Exact match of a run's last averaged weights on the synthetic set, in %."""
    run = folder(name, seed, options)
    found = run / "drawn.json"
    if not found.is_file():
        command = [sys.executable, "-m", "crnn_ctc", "evaluate", str(run / "last")]
        command += [str(options.synthetic), "--decode", "greedy", "--json", str(found)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return 100 * float(json.loads(found.read_text(encoding="utf-8"))["exact_match"])


def folder(name: str, seed: int, options: argparse.Namespace) -> Path:
    """Folder of a run."""
    return Path(options.runs / f"{name.replace(',', '').replace(' ', '-')}-{seed}")


def validations(metrics: Path) -> list[dict[str, float]]:
    """Read a run's validations so far."""
    if not metrics.is_file():
        return []
    rows = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["kind"] == "validation"]


def table(
    measure: str, found: dict[tuple[str, int], float], seeds: int
) -> dict[str, dict[str, object]]:
    """Print and return mean and standard deviation over the seeds."""
    rows: dict[str, dict[str, object]] = {}
    print(f"\n{measure:<38} {'mean':>6} {'deviation':>10}   each seed")
    for name in dict.fromkeys(name for name, _ in found):
        each = [found[name, seed] for seed in range(1, seeds + 1)]
        mean, spread = statistics.mean(each), statistics.stdev(each) if seeds > 1 else 0.0
        rows[name] = {"mean": mean, "deviation": spread, "each": each}
        shown = "  ".join(f"{value:.1f}" for value in each)
        print(f"{name:<38} {mean:>6.2f} {spread:>10.2f}   {shown}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="holds train.csv and dev.csv")
    parser.add_argument("--glyphs", type=Path, help="pictures of characters to draw with")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=32_000, help="that a run trains on")
    parser.add_argument(
        "--synthetic", type=Path, metavar="DIR", help="synthetic plates to read, too"
    )
    parser.add_argument("--only", action="append", choices=CONDITIONS, metavar="NAME")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    options = parser.parse_args()

    with ThreadPoolExecutor(options.jobs) as pool:
        waiting = {  # by seed first, so that an interrupted comparison has all conditions
            (name, seed): pool.submit(train, name, seed, options)
            for seed in range(1, options.seeds + 1)
            for name in options.only or CONDITIONS
        }
        ends = {key: 100 * run.result()[-1]["exact_match"] for key, run in waiting.items()}

    measured = {"dev": ends}
    if options.synthetic:
        measured["drawn"] = {key: on_drawn(*key, options) for key in ends}
    tables = {name: table(name, found, options.seeds) for name, found in measured.items()}
    if options.out:
        facts = {"images": options.images, "measure": "exact match, %"}
        known = json.loads(options.out.read_text("utf-8")) if options.out.is_file() else {}
        if facts.items() <= known.items():
            tables = {name: known.get(name, {}) | rows for name, rows in tables.items()}
        facts |= tables
        options.out.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
