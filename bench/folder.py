"""Where the time goes when a folder is read, and whether memory stays flat.

python bench/folder.py [--pictures 10000] [--crops DIR ...] [--model NAME ...]

Draws 200 plates, or takes the crops of folders, links them as often as needed, and reads a tenth of
them and all in separate processes. The shares are of CPU time on one thread, which does not depend
on other load.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from crnn_ctc import image, recognize
from crnn_ctc.benchmark.machine import peak_memory, processor
from crnn_ctc.cli.inputs import expand
from crnn_ctc.reader import Reader
from timing import Row, report

DRAWN = 200
STAGES = ("decoding files", "fitting", "network", "decoding texts", "the rest")


def drawn(folder: Path) -> list[Path]:
    """Draw plates as JPEG files of the size of crops."""
    from PIL import Image

    from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

    pictures, _ = PlateSynthesizer(1_000_003, height=64, width=200).batch(0, DRAWN)
    paths = [folder / f"drawn{i}.jpg" for i in range(DRAWN)]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path, quality=90)
    return paths


def crops(folders: list[Path]) -> list[Path]:
    """List the pictures of folders."""
    return sorted(p for folder in folders for p in folder.iterdir() if image.names_picture(p.name))


def read(folder: Path, model: str) -> list[float]:
    """CPU seconds of each stage and in total, wall seconds, and peak memory in MB."""
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
    reader = Reader(model)
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
    parser.add_argument("--crops", type=Path, nargs="*", default=[], help="folders of pictures")
    parser.add_argument("--model", nargs="*", default=["plates-tiny"])
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(*read(Path(options.read[0]), options.read[1]))
        return
    measured = {}
    with tempfile.TemporaryDirectory() as place:
        paths = crops(options.crops) or drawn(Path(place))
        for count in (options.pictures // 10, options.pictures):
            folder = Path(place) / str(count)
            folder.mkdir()
            for i in range(count):
                path = paths[i % len(paths)]
                (folder / f"{i}{path.suffix}").symlink_to(path.resolve())
            for model in options.model:
                done = subprocess.run(
                    [sys.executable, __file__, "--read", folder, model],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                measured[model, count] = [float(value) for value in done.stdout.split()]
    rows: list[Row] = []
    facts: dict[str, object] = {"processor": processor(), "threads": 1, "batch": 32}
    if options.crops:
        facts["crops"] = ", ".join(folder.name for folder in options.crops)
    for (model, count), (*stages, total, wall, memory) in measured.items():
        for name, seconds in [*zip(STAGES, stages, strict=True), ("all", total)]:
            ms = 1e3 * seconds / count
            rows.append(Row(f"{model}, {count:,}: {name}", ms, ms, ms, seconds / total))
        facts[f"{model}, {count:,}"] = (
            f"{count / total:.0f} pictures a processor second, {count / wall:.0f} a second, "
            f"{memory:.0f} MB at most"
        )
    report("folder", "processor ms a picture; ratio to all", rows, facts)


if __name__ == "__main__":
    main()
