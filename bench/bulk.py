"""Pictures a second of reading in bulk, beside a Reader in a loop: processes and Ray, 1 and 2.

    python bench/bulk.py [--pictures 4000] [--rounds 3] [--model plates-nano] [--no-ray]

Draws 200 plates and links them as often as needed. Times are wall time of the whole command in
turn with the loop's, from a process of its own too; for Ray it includes starting a cluster on
this machine, which ``start`` shows by itself: a folder of one picture.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from folder import DRAWN, drawn
from timing import in_turn, report

LOOP = """
import sys
from pathlib import Path
from crnn_ctc import Reader
for reading in Reader(sys.argv[2]).read(sorted(Path(sys.argv[1]).iterdir()), batch_size=32):
    assert reading.error is None
"""


def linked(drawings: list[Path], folder: Path, count: int) -> Path:
    """A folder of ``count`` pictures."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:07d}.jpg").hardlink_to(drawings[number % DRAWN])
    return folder


def seconds(command: list[str], fresh: bool) -> float:
    """Wall time of a command; ``fresh`` gives it a folder to write to."""
    with tempfile.TemporaryDirectory() as out:
        whole = [*command, "--out", str(Path(out) / "parts")] if fresh else command
        environment = {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
        started = time.perf_counter()
        subprocess.run(whole, check=True, capture_output=True, env={**os.environ, **environment})
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="plates-nano")
    parser.add_argument("--ray", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        drawings = drawn(Path(name))
        many = linked(drawings, Path(name) / "many", options.pictures)
        one = linked(drawings, Path(name) / "one", 1)
        loop = [sys.executable, "-c", LOOP, str(many), options.model]
        contenders = {"Reader in a loop": partial(seconds, loop, False)}
        shard = str(options.pictures // 8)
        for engine in ["processes", "ray"] if options.ray else ["processes"]:
            for workers, folder in ((1, many), (2, many), (1, one)):
                command = [sys.executable, "-m", "crnn_ctc", "predict", str(folder)]
                command += ["--model", options.model, "--engine", engine]
                command += ["--workers", str(workers), "--shard-size", shard]
                title = f"{engine}, {workers} workers" if folder is many else f"{engine}, start"
                contenders[title] = partial(seconds, command, True)
        rows = in_turn(contenders, options.rounds, warmup=0)
    speeds = {
        row.name: f"{options.pictures / row.median:.0f} pictures a second"
        for row in rows
        if "start" not in row.name
    }
    facts = {"pictures": options.pictures, "model": options.model, **speeds}
    report("bulk", "seconds of a whole command; ratio to the loop", rows, facts)


if __name__ == "__main__":
    main()
