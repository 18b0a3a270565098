"""What reading in bulk costs beside a Reader in a loop: processes and Ray, one worker and two.

    python bench/bulk.py [--data DIR] [--pictures 3000] [--rounds 2] [--model plates-nano]

Links the pictures of DIR, or 200 synthetic plates, as often as needed, and reads them by complete
commands in turn. CPU time is that of all their processes, polled in /proc five times a second.
``start`` reads a folder of one picture and measures the fixed cost of a command; for Ray, this
includes starting and stopping a cluster. Quote ratios and CPU time; wall time depends on the load
of the machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median

from crnn_ctc.benchmark.machine import processor
from crnn_ctc.cli.inputs import expand
from folder import drawn
from timing import Row, report

LOOP = """
import os, sys
from crnn_ctc import Reader
paths = sorted(entry.path for entry in os.scandir(sys.argv[1]))
for reading in Reader(sys.argv[2]).read(paths, batch_size=32):
    assert reading.error is None
"""


def linked(pictures: list[Path], folder: Path, count: int) -> Path:
    """Create a folder of ``count`` links to pictures."""
    folder.mkdir()
    for number in range(count):
        picture = pictures[number % len(pictures)]
        (folder / f"{number:07d}{picture.suffix}").symlink_to(picture.absolute())
    return folder


def spent(mark: bytes) -> dict[str, float]:
    """CPU seconds of each process that has ``mark`` in its environment."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if mark in (entry / "environ").read_bytes():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                ticks = int(fields[11]) + int(fields[12])
                found[entry.name] = ticks / os.sysconf("SC_CLK_TCK")
        except OSError:  # not a process, or it has ended
            continue
    return found


def measured(command: list[str]) -> tuple[float, float]:
    """Measure CPU and wall seconds of a command; ``OUT`` in it is replaced by a new folder."""
    mark = f"BENCH_BULK={uuid.uuid4().hex}"
    environment = {"OMP_NUM_THREADS": "1", **dict([mark.split("=")])}
    with tempfile.TemporaryDirectory() as out:
        whole = [out if part == "OUT" else part for part in command]
        seconds: dict[str, float] = {}
        started = time.perf_counter()
        with subprocess.Popen(
            whole, stdout=subprocess.DEVNULL, env={**os.environ, **environment}
        ) as process:
            while process.poll() is None:
                seconds |= spent(mark.encode())
                time.sleep(0.2)
        wall = time.perf_counter() - started
        if process.returncode:
            sys.exit(f"{' '.join(whole)}: exit code {process.returncode}")
    return sum(seconds.values()), wall


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--model", default="plates-nano")
    options = parser.parse_args()
    count, loop, start = options.pictures, "Reader in a loop", "one picture: "
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        if options.data:
            pictures = [Path(str(named.source)) for named in expand([str(options.data)])]
        else:
            pictures = drawn(place)
        many, one = linked(pictures, place / "many", count), linked(pictures, place / "one", 1)

        commands = {}
        for folder, said in ((many, ""), (one, start)):
            commands[said + loop] = [sys.executable, "-c", LOOP, str(folder), options.model]
            for engine, workers in (("processes", 1), ("processes", 2), ("ray", 1), ("ray", 2)):
                if folder is one and workers > 1:
                    continue
                commands[f"{said}{engine}, --workers {workers}"] = [
                    *(sys.executable, "-m", "crnn_ctc", "bulk", str(folder), "--out", "OUT"),
                    *("--model", options.model, "--engine", engine, "--workers", str(workers)),
                    *("--shard-size", str(count // 8)),
                ]
        all_spent: dict[str, list[tuple[float, float]]] = {each: [] for each in commands}
        for _ in range(options.rounds):
            for each, command in commands.items():
                all_spent[each].append(measured(command))
                print(each, all_spent[each][-1], file=sys.stderr)
    rows, facts = [], {"processor": processor(), "pictures": count, "model": options.model}
    facts |= {"batch": 32, "shard": count // 8, "load": f"{os.getloadavg()[1]:.1f} on 2 cores"}
    first = median(cpu for cpu, _ in all_spent[loop])
    for each, values in all_spent.items():
        # ms per picture, of the whole command
        ms = sorted(1e3 * cpu / (1 if start in each else count) for cpu, _ in values)
        ratio = median(ms) / (1e3 * first / (1 if start in each else count))
        rows.append(Row(each, median(ms), ms[0], ms[-1], ratio))
        wall = median(wall for _, wall in values)
        facts[f"wall, {each}"] = f"{wall:.1f} s"
    for each in ("processes", "ray"):
        for workers in (1, 2):
            begins = f"{start}{each}, --workers 1"
            steady = median(
                (cpu - least) / (base - begun)
                for (cpu, _), (least, _), (base, _), (begun, _) in zip(
                    all_spent[f"{each}, --workers {workers}"],
                    all_spent[begins],
                    all_spent[loop],
                    all_spent[start + loop],
                    strict=True,
                )
            )
            facts[f"beyond the start, {each}, --workers {workers}"] = (
                f"{steady:.2f} times the loop's processor time"
            )
    report("bulk", "processor ms a picture; ratio to the loop", rows, facts)


if __name__ == "__main__":
    main()
