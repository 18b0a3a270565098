"""Network time of the plate models against plates-tiny and 0.1's plates-nano, as ratios.

python bench/network_times.py --old FILE [--rounds 40]

FILE is ``src/crnn_ctc/models/plates-nano.onnx`` of 0.1 (``git show 6dea2f5:...``). The network is
the reader and, if a model has one, its rectifier; batch size 1, one thread. CPU time, measured in
turn so that other load affects all equally. Writes bench/results/network-times.json.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from crnn_ctc import Reader, __version__
from crnn_ctc.benchmark.machine import processor
from timing import in_turn, milliseconds, report

OURS = ("plates-small", "plates-nano", "plates-nano-int8")
REPEATS = 20


def network(model: str) -> Callable[[], float]:
    """Create a function that measures one pass of a model's whole network, in milliseconds."""
    reader = Reader(model, threads=1)
    card = reader.card
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (1, card.height, card.width, card.channels), np.uint8)
    part = card.rectifier
    view = random.integers(0, 256, (1, part.height, part.width, 3), np.uint8) if part else None

    def work() -> None:
        if view is not None:
            reader.find_plates(view)
        reader.log_probs(image)

    return lambda: milliseconds(work, REPEATS, time.process_time)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--old", required=True, help="model file of 0.1's plates-nano")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    contenders = {"plates-tiny": network("plates-tiny"), "plates-nano of 0.1": network(options.old)}
    contenders |= {name: network(name) for name in OURS}
    rows = in_turn(contenders, options.rounds, warmup=3)
    times = {row.name: row.median for row in rows}
    facts: dict[str, object] = {
        "command": f"python bench/network_times.py --rounds {options.rounds}",
        "version": __version__,
        "processor": processor(),
    }
    for name in OURS:
        facts[f"{name} / plates-tiny"] = round(times[name] / times["plates-tiny"], 2)
        facts[f"{name} / plates-nano of 0.1"] = round(times[name] / times["plates-nano of 0.1"], 2)
    report("network-times", "ms of processor time a picture", rows, facts)


if __name__ == "__main__":
    main()
