"""How long text-nano trains on 250 labelled crops, and how well it then reads others of their kind.

    python bench/small_set.py --out bench/results/small-set.json

Crops are synthetic tags such as B7-4093, as in docs/own-data.md: 250 to train on, 100 for
validation, 500 held out. Training is the command of that page, in a separate process; CPU time is
that of the process, wall time depends on other load.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from crnn_ctc.benchmark.machine import processor

COUNTS = {"train": 250, "val": 100, "held-out": 500}


def draw(folder: Path) -> None:
    """Write the tags, PNG files named after their labels."""
    dice = random.Random(1)
    for part, count in COUNTS.items():
        (folder / part).mkdir(parents=True)
        for n in range(count):
            text = f"{dice.choice('ABCDEFGH')}{dice.randrange(10)}-{dice.randrange(10_000):04}"
            picture = Image.new("RGB", (168, 48), "wheat")
            font = ImageFont.load_default(dice.randint(26, 34))
            ink = dice.choice(["black", "navy"])
            ImageDraw.Draw(picture).text((84, 24), text, ink, font, "mm")
            angle = dice.uniform(-5, 5)
            picture = picture.rotate(angle, Image.Resampling.BILINEAR, fillcolor="wheat")
            picture.save(folder / part / f"{text}_{n}.png")


def run(*arguments: object) -> None:
    """Run crnn-ctc; it must succeed."""
    command = [sys.executable, "-m", "crnn_ctc", *map(str, arguments)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def measure(start: str | None) -> dict[str, Any]:
    """Train once, and evaluate the model on the held-out crops.

    Args:
        start: model to start from; None for random weights.
    """
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        draw(work / "tags")
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        begin = ["--from", start] if start else []
        run("train", "text-nano", "--data", work / "tags", "--run", work / "run", *begin)
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        rows = (work / "run" / "metrics.jsonl").read_text().splitlines()
        run("evaluate", work / "run", work / "tags" / "held-out", "--json", work / "e.json")
        values = json.loads((work / "e.json").read_text())
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {
        "from": start or "random weights",
        "steps": json.loads(rows[-1])["step"],
        "processor_seconds": round(used, 1),
        "wall_seconds": round(wall, 1),
        "held_out": values["n"],
        "exact_match": values["exact_match"],
        "interval95": values["interval95"],
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="JSON")
    parser.add_argument("--random", action="store_true", help="Also from random weights.")
    options = parser.parse_args()
    found = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {processor()}",
        "data": COUNTS,
        "runs": [measure(start) for start in ["plates-nano", *([None] if options.random else [])]],
    }
    options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
