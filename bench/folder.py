"""Where the time goes when a folder is read, and whether memory stays flat.

python bench/folder.py [--pictures 10000]

Draws 200 plates, links them as often as needed, and reads 1,000 and all in processes of their own.
The shares are of processor time, on one thread; results do not depend on what else runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from crnn_ctc import image, recognize
from crnn_ctc.cli.sources import expand
from crnn_ctc.machine import peak_memory, processor
from crnn_ctc.reader import Reader
from timing import Row, report

DRAWN = 200
STAGES = ("decoding files", "fitting", "network", "decoding texts", "the rest")


def drawn(folder: Path) -> list[Path]:
    """Plates as JPEG files, of crops' size."""
    from PIL import Image

    from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

    pictures, _ = PlateSynthesizer(1_000_003, height=64, width=200).batch(0, DRAWN)
    paths = [folder / f"drawn{i}.jpg" for i in range(DRAWN)]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path, quality=90)
    return paths


def read(folder: Path) -> list[float]:
    """Processor seconds of each stage, then all, wall seconds, and MB at most."""
    spent = dict.fromkeys(STAGES, 0.0)

    def watched(stage: str, work: Callable) -> Callable:
        @wraps(work)
        def timed(*args: object, **kwargs: object) -> object:
            started = time.process_time()
            try:
                return work(*args, **kwargs)
            finally:
                spent[stage] += time.process_time() - started

        return timed

    image.load = watched("decoding files", image.load)
    recognize.fit = watched("fitting", recognize.fit)
    recognize.fit_two_rows = watched("fitting", recognize.fit_two_rows)
    reader = Reader()
    reader.runtime.log_probs = watched("network", reader.runtime.log_probs)  # type: ignore[method-assign]
    reader._decode = watched("decoding texts", reader._decode)  # type: ignore[assignment]
    started, wall = time.process_time(), time.perf_counter()
    for _ in reader.read((named.source for named in expand([str(folder)])), batch_size=32):
        pass
    total = time.process_time() - started
    spent["the rest"] = total - sum(spent.values())
    return [*spent.values(), total, time.perf_counter() - wall, peak_memory() or 0.0]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(*read(options.read))
        return
    measured = {}
    with tempfile.TemporaryDirectory() as place:
        paths = drawn(Path(place))
        for count in (options.pictures // 10, options.pictures):
            folder = Path(place) / str(count)
            folder.mkdir()
            for i in range(count):
                os.link(paths[i % DRAWN], folder / f"{i}.jpg")
            done = subprocess.run(
                [sys.executable, __file__, "--read", folder],
                check=True,
                capture_output=True,
                text=True,
            )
            measured[count] = [float(value) for value in done.stdout.split()]
    rows, facts = [], {"processor": processor(), "threads": 1, "batch": 32}
    for count, (*stages, total, wall, memory) in measured.items():
        for name, seconds in [*zip(STAGES, stages, strict=True), ("all", total)]:
            ms = 1e3 * seconds / count
            rows.append(Row(f"{name}, folder of {count:,}", ms, ms, ms, seconds / total))
        facts[f"of {count:,}"] = (
            f"{count / total:.0f} pictures a processor second, {count / wall:.0f} a second, "
            f"{memory:.0f} MB at most"
        )
    report("folder", "processor ms a picture; ratio to all", rows, facts)


if __name__ == "__main__":
    main()
