"""What the service costs over a bare Reader, and whether batches pay; see soak.py for a long run.

    python bench/serve.py [--seconds 3] [--rounds 3] [--model plates-nano plates-tiny]

Services with several batch sizes run at once and are measured in turn, each with 1, 8 and 64
connections, alternating with a bare ``Reader`` in a loop. The pictures are 200 synthetic plates,
each of which must be read as the Reader reads it. Quote the ratios to the Reader with batch size 1,
as the client runs on the same machine. The CPU time of the service is from its own metrics.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from load import Request, load

MODELS = ("plates-nano", "plates-tiny")
PICTURES = 200
CONNECTIONS = (1, 8, 64)
BATCHES = (1, 8, 32)
ALONE = "Reader, batch 1"


@contextlib.contextmanager
def service(batch: int, *models: str) -> Iterator[int]:
    """Run a service in a separate process; give its port."""
    command = [sys.executable, "-m", "crnn_ctc", "serve", "--port", "0"]
    for model in models:
        command += ["--model", model]
    with subprocess.Popen(
        [*command, "--batch-size", str(batch)], stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        port = re.search(rb":(\d+)/", process.stderr.readline())
        assert port is not None
        try:
            yield int(port[1])
        finally:
            process.terminate()
            sys.stderr.buffer.write(process.stderr.read())  # its error messages


def count(port: int, name: str) -> float:
    """Read a value of the service's metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    found = re.search(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def drawn_plates() -> list[bytes]:
    """Draw synthetic plates as JPEG files."""
    drawn = PlateSynthesizer(1000007)
    return [as_jpeg(drawn.picture(i)[0]) for i in range(PICTURES)]


def as_jpeg(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=90)
    return file.getvalue()


def bare(reader: Reader, files: list[bytes], batch: int, seconds: float) -> dict[str, float]:
    """Measure a bare Reader in this process."""
    done, started, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        some = [files[(done + k) % len(files)] for k in range(batch)]
        for _ in reader.read(some, batch_size=batch):
            done += 1
    spent = time.perf_counter() - started
    cpu = 1e3 * (time.process_time() - used) / done
    return {"per_second": done / spent, "cpu_ms": cpu}


def measured(
    port: int, requests: list[Request], connections: int, seconds: float
) -> dict[str, Any]:
    """Measure one service with a number of connections."""
    used, batches = count(port, "process_cpu_seconds_total"), _batches(port)
    started = time.perf_counter()
    tally = load(port, requests, connections, seconds)
    spent = time.perf_counter() - started
    assert (tally.wrong, tally.lost, tally.busy) == (0, 0, 0), tally
    used = count(port, "process_cpu_seconds_total") - used
    return {
        "per_second": tally.answered / spent,
        "cpu_ms": 1e3 * used / tally.answered,
        "p50_ms": tally.milliseconds(0.5),
        "p95_ms": tally.milliseconds(0.95),
        "p99_ms": tally.milliseconds(0.99),
        "pictures_a_batch": tally.answered / max(1.0, _batches(port) - batches),
    }


def _batches(port: int) -> float:
    try:
        return count(port, "crnn_ctc_batch_pictures_count")
    except AssertionError:
        return 0.0  # none yet


def compared(
    model: str, rounds: int, seconds: float, batches: Sequence[int], connected: Sequence[int]
) -> list[dict[str, Any]]:
    """Measure one model: medians of the rounds, relative to the Reader with batch size 1.

    ``kept`` is relative to its requests per second, ``kept_cpu`` to its pictures per second of CPU
    time.
    """
    files, reader = drawn_plates(), Reader(model)
    texts = [reading.text for reading in reader.read(files)]
    requests = [
        Request(file, "image/jpeg", 200, (text,)) for file, text in zip(files, texts, strict=True)
    ]
    found: dict[str, list[dict[str, Any]]] = {}
    with contextlib.ExitStack() as stack:
        ports = {batch: stack.enter_context(service(batch, model)) for batch in batches}
        for turn in range(rounds + 1):
            rows = {}
            for batch in sorted({1, *batches}):
                rows[f"Reader, batch {batch}"] = bare(reader, files, batch, seconds)
            for connections in connected:
                for batch, port in ports.items():
                    name = f"serve --batch-size {batch}, {connections} connections"
                    rows[name] = measured(port, requests, connections, seconds)
            for row in rows.values():
                # within a round, as other load then affects all equally
                row["kept"] = row["per_second"] / rows[ALONE]["per_second"]
                row["kept_cpu"] = rows[ALONE]["cpu_ms"] / row["cpu_ms"]
            for name, row in rows.items():
                if turn:  # the first round is a warm-up
                    found.setdefault(name, []).append(row)
    return [
        {
            "model": model,
            "name": name,
            **{k: round(statistics.median(r[k] for r in runs), 3) for k in runs[0]},
        }
        for name, runs in found.items()
    ]


COLUMNS = ("per_second", "kept", "cpu_ms", "kept_cpu", "p50_ms", "p95_ms", "p99_ms",
           "pictures_a_batch")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", nargs="+", default=MODELS)
    parser.add_argument("--batch-size", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--connections", nargs="+", type=int, default=CONNECTIONS)
    parser.add_argument("--json", default="serving", help="name of the file of results")
    options = parser.parse_args()
    before, what = os.getloadavg()[0], (options.batch_size, options.connections)
    table = [
        row
        for model in options.model
        for row in compared(model, options.rounds, options.seconds, *what)
    ]
    print(f"{'':<52}" + " ".join(f"{name.removesuffix('_ms'):>10}" for name in COLUMNS))
    for row in table:
        shown = " ".join(f"{row.get(k, float('nan')):>10.2f}" for k in COLUMNS)
        print(f"{row['model'] + ', ' + row['name']:<52}{shown}")
    values = {
        "name": options.json,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "cores": os.cpu_count(),
        "load_average_before": round(before, 1),
        "onnxruntime": onnxruntime.__version__,
        "rounds": options.rounds,
        "seconds_each": options.seconds,
        "rows": table,
    }
    file = Path(__file__).parent / "results" / f"{options.json}.json"
    file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
