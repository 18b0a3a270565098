"""Where a picture's time goes, from the bytes of its file to its text; of two versions, in turn.

python bench/parts.py DIR/dev.csv --against CHECKOUT

Thread time of each part within a complete reading, at batch sizes 1 and 64, and the time of the
slowest pictures relative to the median. CHECKOUT is another version of this package: both are
measured round by round, in separate processes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
BATCHES = (1, 64)
#: Functions of each part, in this version and in 0.1: module, name, part.
PARTS = [
    ("crnn_ctc.reader", "open_picture", "open"),
    ("crnn_ctc.image", "open_picture", "open"),
    ("crnn_ctc.image", "load", "open"),  # 0.1
    ("crnn_ctc.model_file.card", "fit", "fit"),
    ("crnn_ctc.recognize", "fit", "fit"),  # the rectifier's view; in 0.1, all
    ("crnn_ctc.recognize", "fit_two_rows", "fit"),
    ("crnn_ctc.recognize", "rectify", "rectify"),
]
CHECKED = "network and checks"
METHODS = [
    ("log_probs", CHECKED),
    ("find_plates", CHECKED),
    ("_fields", "objects"),
    ("_reading", "objects"),
]


class Watch:
    """Sums the thread time of wrapped functions; calls nested in the same part count once."""

    def __init__(self) -> None:
        self.spent: dict[str, int] = {}
        self._inside = ""

    def wrap(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            if self._inside == part:
                return work(*arguments, **options)
            outer, self._inside = self._inside, part
            started = time.thread_time_ns()
            try:
                return work(*arguments, **options)
            finally:
                self.spent[part] = self.spent.get(part, 0) + time.thread_time_ns() - started
                self._inside = outer

        return watched


class Session:
    """An ONNX Runtime session whose ``run`` is timed."""

    def __init__(self, session: Any, watch: Watch) -> None:
        self._session = session
        self.run = watch.wrap("network", session.run)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def serve_rounds(model: str, files: list[str]) -> None:
    """Run as a worker: answer each input line with a round's microseconds as a line of JSON."""
    import importlib

    from crnn_ctc import Reader

    contents = [Path(file).read_bytes() for file in files]
    reader, watch = Reader(model), Watch()
    plain = Reader(model)
    for module, name, part in PARTS:
        place = importlib.import_module(module)
        if hasattr(place, name):
            setattr(place, name, watch.wrap(part, getattr(place, name)))
    runtime: Any = reader.runtime
    runtime._session = Session(runtime._session, watch)
    own: Any = reader
    own._decode = watch.wrap("decode", own._decode)
    for name, part in METHODS:
        if hasattr(own, name):
            setattr(own, name, watch.wrap(part, getattr(own, name)))
    for _ in sys.stdin:
        found: dict[str, Any] = {}
        for batch in BATCHES:
            watch.spent.clear()
            started = time.thread_time_ns()
            if batch == 1:
                for content in contents:
                    reader(content)
            else:
                list(reader.read(contents, batch_size=batch))
            whole = time.thread_time_ns() - started
            spent = dict(watch.spent)
            spent["checks of its output"] = spent.pop(CHECKED) - spent["network"]
            spent["rest"] = whole - sum(spent.values())
            found[str(batch)] = {
                name: ns / 1e3 / len(contents) for name, ns in {"whole": whole, **spent}.items()
            }
        each = []
        for content in contents:
            started = time.thread_time_ns()
            plain(content)
            each.append((time.thread_time_ns() - started) / 1e3)
        found["each"] = each
        print(json.dumps(found), flush=True)


class Worker:
    """A process that measures one version."""

    def __init__(self, checkout: Path, model: str, files: list[str]) -> None:
        env = {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--worker", "--model", model, *files],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )

    def round(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", help="a CSV file of crops")
    parser.add_argument("--model", default="plates-nano")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--every", type=int, default=1, help="take each so many-th crop")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve_rounds(options.model, options.files)
        return

    import onnxruntime

    from crnn_ctc.benchmark.machine import processor
    from crnn_ctc.data.labelled import read_labelled
    from timing import Row, report

    samples = read_labelled(Path(options.files[0]))
    files = [str(sample.path) for sample in islice(samples, 0, None, options.every)]
    versions = {"0.1": options.against} if options.against else {}
    versions["now"] = HERE
    workers = {name: Worker(path, options.model, files) for name, path in versions.items()}
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
    for number in range(options.rounds + 1):
        for name, worker in workers.items():
            measured = worker.round()
            if number:
                rounds[name].append(measured)
    for worker in workers.values():
        worker.close()

    rows, facts = [], {}
    for name, found in rounds.items():
        for batch in map(str, BATCHES):
            networks = [each[batch]["network"] for each in found]
            for part in found[0][batch]:
                values = [each[batch].get(part, 0.0) for each in found]
                ratios = [v / n for v, n in zip(values, networks, strict=True)]
                rows.append(
                    Row(
                        f"{name}, batch {batch}, {part}",
                        statistics.median(values) / 1e3,
                        min(values) / 1e3,
                        max(values) / 1e3,
                        statistics.median(ratios),
                    )
                )
        # median over the rounds for each picture, to exclude other load
        times = sorted(map(statistics.median, zip(*(each["each"] for each in found), strict=True)))
        middle = statistics.median(times)
        facts[f"{name}: 99 % of pictures within, times the median"] = round(
            times[int(0.99 * (len(times) - 1))] / middle, 2
        )
        facts[f"{name}: slowest picture, times the median"] = round(times[-1] / middle, 2)
    facts |= {
        "model": options.model,
        "pictures": f"{len(files)} of {Path(options.files[0]).name}",
        "ratio": "to the network's time in the same round",
        "onnxruntime": onnxruntime.__version__,
        "processor": processor(),
        "threads": 1,
    }
    report("parts", "thread ms a picture", rows, facts)


if __name__ == "__main__":
    main()
