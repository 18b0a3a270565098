"""How many plates a second one core draws.

    python bench/synthesis.py [--json FILE] [--glyphs FOLDER]

A run is a batch of new plates after a warm-up that fills the caches of glyphs and textures, as in
the first minute of training. Wall time includes other load on the machine; CPU time is the cost of
the code.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

WARM_UP = 3_000


def measure(synthesizer: PlateSynthesizer, plates: int, runs: int) -> dict[str, float]:
    """Median plates per second over ``runs`` batches, by wall time and by CPU time."""
    synthesizer.batch(0, WARM_UP)
    wall, processor = [], []
    for run in range(runs):
        step = WARM_UP // plates + 1 + run
        w, p = time.perf_counter(), time.process_time()
        synthesizer.batch(step, plates)
        wall.append(plates / (time.perf_counter() - w))
        processor.append(plates / (time.process_time() - p))
    return {
        "plates_per_second_wall": round(statistics.median(wall), 1),
        "plates_per_second_cpu": round(statistics.median(processor), 1),
        "lowest_cpu": round(min(processor), 1),
        "highest_cpu": round(max(processor), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers to this file too")
    parser.add_argument("--glyphs", type=Path, help="also measure with this glyph folder")
    parser.add_argument("--plates", type=int, default=1_000, help="plates a run")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    cv2.setNumThreads(1)

    cases = {"48x168": PlateSynthesizer(0), "32x112": PlateSynthesizer(0, height=32, width=112)}
    if options.glyphs:
        cases["48x168, glyph folder"] = PlateSynthesizer(0, glyphs=options.glyphs)
    results = {name: measure(case, options.plates, options.runs) for name, case in cases.items()}

    print(f"{'case':<24}{'wall/s':>10}{'cpu/s':>10}{'lowest':>10}{'highest':>10}")
    for name, row in results.items():
        print(f"{name:<24}" + "".join(f"{value:>10.0f}" for value in row.values()))
    facts = {
        "plates": options.plates,
        "runs": options.runs,
        "threads": 1,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "machine": platform.machine(),
    }
    if options.json:
        options.json.write_text(json.dumps({**facts, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
