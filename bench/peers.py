"""Our readers of plates and others' that install from PyPI: the same pictures, in turn.

python -m venv VENV; VENV/bin/pip install rapidocr_onnxruntime==1.4.4 agentclpr==1.1.0 packaging
python bench/peers.py --data DIR/dev.csv --python VENV/bin/python [--model FILE ...]

The peers run in a separate environment, and none of their code is here. Each reads crops one by
one, from the decoded picture to its text, recognition only, with as many threads as ours. CPU time
is measured, which on one thread does not depend on other load. fast-plate-ocr is omitted: it
downloads its weights from elsewhere, and does not support Chinese.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import crnn_ctc
from crnn_ctc import Reader
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.labelled import Labelled, read_labelled
from crnn_ctc.image import load
from crnn_ctc.model_file.opening import model_path
from crnn_ctc.plates.scheme import plate_label
from peer_worker import PEERS, installed
from timing import Row, in_turn, report

GROUP = 8  # pictures per measurement
PLOT = Path(__file__).parents[1] / "docs" / "images" / "peers.png"


@dataclass
class Contender:
    """A plate reader; sizes in bytes."""

    name: str
    read: Callable[[list[str]], list[str]]
    time: Callable[[list[str]], float]
    file: int
    installed: int


def ours(model: str, threads: int, runtime: str) -> Contender:
    reader = Reader(model, threads, runtime=runtime)  # type: ignore[arg-type]

    def timed(paths: list[str]) -> float:
        images = [load(path) for path in paths]
        started = time.process_time()
        for image in images:
            reader(image)
        return (time.process_time() - started) * 1e3 / len(images)

    with model_path(model) as path:
        size = path.stat().st_size
    package = sum(f.stat().st_size for f in Path(crnn_ctc.__file__).parent.rglob("*.*"))
    needs = ("numpy", "onnxruntime", "pillow", "rapidfuzz", "rich", "typer")
    name = reader.card.name + (f", {reader.runtime.name}" if runtime != "onnxruntime" else "")
    return Contender(
        name,
        lambda paths: [reading.text for reading in reader.read(paths)],
        timed,
        size,
        package + installed(*needs, *([runtime] if runtime != "onnxruntime" else [])),
    )


def peer(python: Path, name: str, threads: int) -> Contender:
    worker = subprocess.Popen(
        [python, Path(__file__).with_name("peer_worker.py"), name, str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"OMP_NUM_THREADS": str(threads), "PYTHONUTF8": "1"},
    )

    def ask(what: str, value: object = None) -> object:
        assert worker.stdin is not None
        assert worker.stdout is not None
        print(json.dumps({what: value}), file=worker.stdin, flush=True)
        return json.loads(worker.stdout.readline())

    facts: dict = ask("facts")  # type: ignore[assignment]
    return Contender(
        facts["name"],
        lambda paths: ask("read", paths),  # type: ignore[return-value]
        lambda paths: ask("time", paths),  # type: ignore[return-value]
        facts["file"],
        facts["installed"],
    )


def accuracy(contender: Contender, samples: list[Labelled]) -> tuple[float, float]:
    """Exact match in percent, of texts and of texts without their first character."""
    texts = [plate_label(text) for text in contender.read([str(s.path) for s in samples])]
    pairs = [(text, sample.text) for text, sample in zip(texts, samples, strict=True)]
    whole = sum(text == label for text, label in pairs)
    rest = sum(text[1:] == label[1:] for text, label in pairs)
    return 100 * whole / len(pairs), 100 * rest / len(pairs)


def plot(rows: list[Row], right: dict[str, float], data: str, file: Path) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
    for place, row in enumerate(sorted(rows, key=lambda row: row.median)):
        mine = row.name.startswith("plates")
        axes.errorbar(
            row.median,
            right[row.name],
            xerr=[[row.median - row.least], [row.most - row.median]],
            fmt="o" if mine else "s",
            color="#0a7d33" if mine else "#5b6470",
        )
        axes.annotate(
            f"{row.name}\n{row.ratio:.2f} x",
            (row.median, right[row.name]),
            # alternate above and below, as our points are close together
            xytext=(0, -28 if place % 2 else 9),
            ha="center",
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_xscale("log")
    axes.set_xticks([2, 5, 10, 20, 50, 100, 200], [2, 5, 10, 20, 50, 100, 200])
    low, high = min(r.least for r in rows), max(r.most for r in rows)
    axes.minorticks_off()
    axes.set_xlim(0.6 * low, 1.9 * high)
    axes.set_ylim(min(right.values()) - 1, 100)
    axes.set_xlabel("processor ms a picture, one by one, one thread (median, least to most; log)")
    axes.set_ylabel(f"whole plates right, {data}, %")
    axes.grid(alpha=0.3)
    figure.savefig(file, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="labelled crops")
    parser.add_argument("--python", type=Path, required=True, help="of the peers' environment")
    parser.add_argument("--model", action="append", default=[], help="more models of ours")
    parser.add_argument("--runtime", action="append", default=[], help="more runtimes of ours")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--note", default="", help="what else the machine was doing, say")
    options = parser.parse_args()
    samples = list(read_labelled(options.data, normalise=plate_label))
    contenders = [
        *(ours(m, options.threads, "onnxruntime") for m in ["plates-tiny", *options.model]),
        *(ours("plates-tiny", options.threads, runtime) for runtime in options.runtime),
        *(peer(options.python, name, options.threads) for name in PEERS),
    ]
    right = {c.name: accuracy(c, samples) for c in contenders}
    # each round uses the same pictures for all
    chosen = np.random.default_rng(0).choice(len(samples), (options.rounds + 2, GROUP))
    groups = [[str(samples[i].path) for i in row] for row in chosen]
    turns = {c.name: iter(groups) for c in contenders}
    rows = in_turn(
        {c.name: (lambda c=c: c.time(next(turns[c.name]))) for c in contenders},  # type: ignore[misc]
        options.rounds,
        warmup=2,
    )
    print(f"\n{'':<32} {'right, %':>9} {'but prov.':>9} {'file, MB':>9} {'installed, MB':>13}")
    for c in contenders:
        whole, rest = right[c.name]
        sizes = f"{c.file / 1e6:>9.1f} {c.installed / 1e6:>13.0f}"
        print(f"{c.name:<32} {whole:>9.1f} {rest:>9.1f} {sizes}")
    facts: dict[str, object] = {
        "data": f"{options.data.name}, {len(samples)} pictures",
        "exact match, %": {name: round(a, 2) for name, (a, _) in right.items()},
        "without province, %": {name: round(b, 2) for name, (_, b) in right.items()},
        "file, MB": {c.name: round(c.file / 1e6, 1) for c in contenders},
        "installed with dependencies, MB": {c.name: c.installed // 10**6 for c in contenders},
        "threads": options.threads,
        "processor": processor(),
    }
    if options.note:
        facts["note"] = options.note
    report("peers", "processor ms a picture", rows, facts)
    plot(rows, {name: a for name, (a, _) in right.items()}, options.data.name, PLOT)


if __name__ == "__main__":
    main()
