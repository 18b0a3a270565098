"""A service under good and bad requests for half an hour: its memory, and whether each is answered.

    python bench/soak.py --minutes 30

The service is a separate process of `crnn-ctc serve` on the same machine. Plates and rows of digits
must get the text that Reader reads in them. In between are broken files, truncated forms, wrong
types and parameters, oversized requests, and clients that disconnect half-way. Writes
`bench/results/soak.json` and `docs/images/soak.png`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import sys
import threading
import time
import urllib.request
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from crnn_ctc import Reader
from load import Request, Tally, load
from serve import as_jpeg, drawn_plates, service

MODELS = ("plates-nano", "plates-tiny", "digits-tiny")
WARM_UP = 120.0
"""Warm-up in seconds, during which memory may grow."""
EVERY = 5.0
"""Interval of memory measurements in seconds."""
PLOT = Path(__file__).parents[1] / "docs" / "images" / "soak.png"
DIGITS = Path(__file__).parents[1] / "examples" / "digits"
JPEG, FORM = "image/jpeg", "multipart/form-data; boundary=x"


def form(*files: bytes) -> bytes:
    parts = (
        b'--x\r\nContent-Disposition: form-data; name="p"; filename="../%d.jpg"\r\n\r\n%b\r\n'
        % (place, content)
        for place, content in enumerate(files)
    )
    return b"".join(parts) + b"--x--\r\n"


def good_and_bad() -> dict[str, list[Request]]:
    """Build requests by kind."""
    files = drawn_plates()
    digits = [path.read_bytes() for path in sorted(DIGITS.iterdir())]
    texts = {name: [r.text for r in Reader(name).read(files)] for name in MODELS[:2]}
    assert len(set(texts["plates-nano"])) > 0.9 * len(files)
    large = as_jpeg(np.asarray(Image.effect_noise((2000, 2000), 60).convert("RGB")))
    huge = as_jpeg(np.zeros((4100, 4000, 3), np.uint8))
    [of_large] = Reader("plates-nano").read([large])
    found: dict[str, list[Request]] = {}

    def add(what: str, *values: Any, **named: Any) -> None:
        found.setdefault(what, []).append(Request(*values, **named))

    for n, file in enumerate(files):
        other, nano, tiny = (n + 1) % len(files), texts["plates-nano"], texts["plates-tiny"]
        add("a plate", file, JPEG, 200, (nano[n],))
        add("a plate, alternatives", file, JPEG, 200, (nano[n],), "alternatives=2")
        add("a plate, least confidence", file, JPEG, 200, (nano[n],), "min_confidence=0.99")
        add("a plate, another model", file, JPEG, 200, (tiny[n],), "model=plates-tiny")
        mixed = form(file, file[:300], files[other])
        add("a form, one file broken", mixed, FORM, 200, (nano[n], None, nano[other]))
        add("a form, cut short", mixed[:-900], FORM, 400)
        add("a broken picture", file[: len(file) // 2], JPEG, 422)
        add("too many files", form(*[file[:50]] * 65), FORM, 413)
        add("a client that leaves", file, JPEG, 0)
    for content, reading in zip(digits, Reader("digits-tiny").read(digits), strict=True):
        add("digits", content, "image/png", 200, (reading.text,), "model=digits-tiny")
    add("4 megapixels of noise", large, JPEG, 200, (of_large.text,))
    add("too many pixels", huge, JPEG, 422)
    add("no picture", b"no picture", "image/png", 422)
    add("nothing", b"", "image/png", 400)
    add("a wrong type", b"a=b", "text/plain", 415)
    add("no such model", files[0], JPEG, 404, (), "model=none")
    add("a wrong parameter", files[0], JPEG, 422, (), "alternatives=many")
    return found


SHARES = {
    "a plate": 6, "a plate, another model": 2, "digits": 2, "a form, one file broken": 2,
    "a plate, alternatives": 1, "a plate, least confidence": 1,
}  # fmt: skip
"""Relative frequency of kinds; 1 for the others."""


def in_order(kinds: dict[str, list[Request]], rounds: int) -> list[Request]:
    """Build a sequence of requests with each kind by its share, shuffled with a fixed seed."""
    row = []
    for number in range(rounds):
        for what, requests in kinds.items():
            if what == "4 megapixels of noise" and number % 10:
                continue  # takes as long as ten plates
            share = SHARES.get(what, 1)
            row += [requests[(number * share + k) % len(requests)] for k in range(share)]
    return [row[place] for place in np.random.default_rng(0).permutation(len(row))]


class Watch:
    """Polls a service's metrics in a thread.

    Args:
        port: port of the service.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._started = time.perf_counter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on)
        self.seconds: list[float] = []
        self.megabytes: list[float] = []
        self.processor: list[float] = []

    def __enter__(self) -> Watch:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def _look_on(self) -> None:
        while not self._over.wait(EVERY):
            self._look()

    def _look(self) -> None:
        text = metrics(self._port)
        self.seconds.append(time.perf_counter() - self._started)
        self.megabytes.append(value(text, "process_resident_memory_bytes") / 1e6)
        self.processor.append(value(text, "process_cpu_seconds_total"))

    def after(self, seconds: float) -> tuple[list[float], list[float]]:
        """Seconds and megabytes of the measurements after ``seconds``."""
        pairs = [p for p in zip(self.seconds, self.megabytes, strict=True) if p[0] >= seconds]
        return [s for s, _ in pairs], [m for _, m in pairs]


def metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return str(answer.read().decode())


def value(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def received(text: str) -> dict[str, int]:
    """The service's own count of requests to /v1/read, by status."""
    pattern = r'^crnn_ctc_requests_total\{method="POST",path="/v1/read",status="(\d+)"\} (\S+)$'
    return {status: int(float(n)) for status, n in re.findall(pattern, text, re.MULTILINE)}


def summary(watch: Watch, tally: Tally, warm_up: float) -> dict[str, Any]:
    seconds, megabytes = watch.after(warm_up)
    quarter = max(1, len(megabytes) // 4)
    slope = np.polyfit(np.asarray(seconds) / 3600, megabytes, 1)[0]
    processor = (watch.processor[-1] - watch.processor[0]) / watch.seconds[-1]
    return {
        "answered_as_expected": tally.answered,
        "pictures": tally.pictures,
        "statuses": {str(k): v for k, v in sorted(tally.statuses.items())},
        "left_half_way": tally.left,
        "wrong": tally.wrong,
        "lost": tally.lost,
        "busy_503": tally.busy,
        "p50_ms": round(tally.milliseconds(0.5), 1),
        "p95_ms": round(tally.milliseconds(0.95), 1),
        "p99_ms": round(tally.milliseconds(0.99), 1),
        "processor_cores": round(processor, 3),
        "mb_at_start": round(watch.megabytes[0], 1),
        "mb_after_warm_up": round(megabytes[0], 1),
        "mb_first_quarter_median": round(statistics.median(megabytes[:quarter]), 1),
        "mb_last_quarter_median": round(statistics.median(megabytes[-quarter:]), 1),
        "mb_at_end": round(megabytes[-1], 1),
        "mb_most": round(max(watch.megabytes), 1),
        "mb_an_hour_after_warm_up": round(float(slope), 2),
    }


def draw(watch: Watch, warm_up: float, file: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 2.8), layout="constrained")
    axes.plot(np.asarray(watch.seconds) / 60, watch.megabytes, color="#1f6fd0", linewidth=1.2)
    axes.axvspan(0, warm_up / 60, color="#0001", linewidth=0)
    axes.text(0.01, 0.04, "warm-up", transform=axes.transAxes, fontsize=8)
    axes.set(xlabel="minutes", ylabel="resident memory, MB", xlim=(0, watch.seconds[-1] / 60))
    axes.set_ylim(0, 1.15 * max(watch.megabytes))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--per-second", type=float, default=40, help="requests, all together")
    options = parser.parse_args()
    requests = in_order(good_and_bad(), 200)
    before, seconds = os.getloadavg()[0], 60 * options.minutes
    warm_up = min(WARM_UP, seconds / 4)
    with service(8, *MODELS) as port:
        with Watch(port) as watch:
            tally = load(port, requests, options.connections, seconds, options.per_second)
        counted = received(metrics(port))
    found = summary(watch, tally, warm_up)
    expected = {**found["statuses"]}
    # clients that disconnect may or may not have been answered
    gone = {s: n for s, n in counted.items() if s not in expected}
    values = {
        "name": "soak",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "command": " ".join(["python", "bench/soak.py", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "cores": os.cpu_count(),
        "load_average_before": round(before, 1),
        "onnxruntime": onnxruntime.__version__,
        "models": MODELS,
        "minutes": options.minutes,
        "connections": options.connections,
        "per_second_at_most": options.per_second,
        **found,
        "service_counts": counted,
        "service_counts_the_same": all(counted.get(s) == n for s, n in expected.items()),
        "service_counts_besides": gone,
        "seconds_and_mb": [
            [round(s), round(m, 1)] for s, m in zip(watch.seconds, watch.megabytes, strict=True)
        ],
    }
    print(json.dumps({k: v for k, v in values.items() if k != "seconds_and_mb"}, indent=2))
    file = Path(__file__).parent / "results" / "soak.json"
    text = json.dumps(values, indent=2)
    text = re.sub(r"\[\s+([\d.]+),\s+([\d.]+)\s+\]", r"[\1, \2]", text)
    file.write_text(text + "\n", encoding="utf-8")
    draw(watch, warm_up, PLOT)


if __name__ == "__main__":
    main()
