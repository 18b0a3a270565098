"""Whole photographs: our readers and others' that install from PyPI, on the same pictures in turn.

python -m venv VENV; VENV/bin/pip install rapidocr_onnxruntime==1.4.4 agentclpr==1.1.0
python bench/scenes.py --data DIR --python VENV/bin/python [--model NAME ...]

DIR is shared/data. Each reader goes from file to texts, with detection and recognition, one
photograph after another, readers in turn, on one thread. A plate counts as read if its text is
among the answers. Also counts photographs without a plate (scenes' np, negatives/cars) in which a
reading of ours has a confidence of 0.5 or more. Writes bench/results/scenes.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from pathlib import Path

from crnn_ctc import Reader
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.cli.progress import track
from crnn_ctc.data.scenes import Scene, read_scenes
from crnn_ctc.evaluation.metrics import wilson
from crnn_ctc.evaluation.scenes import CLAIMED
from crnn_ctc.plates.china import CHINA
from scene_worker import PEERS

RESULTS = Path(__file__).parent / "results" / "scenes.json"

Answer = tuple[list[str], float]
"""Texts, and CPU milliseconds from file to texts."""


def ours(reader: Reader) -> Callable[[Path], Answer]:
    def read(path: Path) -> Answer:
        started = time.process_time()
        texts = [plate.text for plate in reader(path).plates or ()]
        return texts, (time.process_time() - started) * 1e3

    return read


def peer(python: Path, name: str, threads: int) -> tuple[str, Callable[[Path], Answer]]:
    worker = subprocess.Popen(
        [python, Path(__file__).with_name("scene_worker.py"), name, str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"OMP_NUM_THREADS": str(threads), "PYTHONUTF8": "1"},
    )

    def ask(what: str, value: object = None) -> object:
        assert worker.stdin is not None
        assert worker.stdout is not None
        print(json.dumps({what: value}), file=worker.stdin, flush=True)
        return json.loads(worker.stdout.readline())

    def read(path: Path) -> Answer:
        texts, ms = ask("read", str(path.resolve()))  # type: ignore[misc]
        return [CHINA.normalise(text) for text in texts], ms

    return str(ask("facts")), read


def subset(split: str, scene: Scene) -> str:
    return f"{split} {scene.subset.partition('_')[0]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="shared/data")
    parser.add_argument("--python", type=Path, help="of the peers' environment")
    parser.add_argument("--model", action="append", default=[], help="more models of ours")
    parser.add_argument("--split", action="append", choices=("dev", "test"), help="both by default")
    options = parser.parse_args()
    splits = options.split or ["dev", "test"]
    scenes = [
        (subset(split, scene), scene)
        for split in splits
        for scene in read_scenes(options.data / "scenes" / f"{split}.csv")
    ]
    readers = {name: Reader(name) for name in ["plates-small", *options.model]}
    contenders = {f"crnn-ctc {name}": ours(reader) for name, reader in readers.items()}
    if options.python:
        contenders |= dict(peer(options.python, name, 1) for name in PEERS)
    for read in contenders.values():  # warm up what is loaded on first use
        read(scenes[0][1].path)

    right: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    times: dict[str, list[float]] = defaultdict(list)
    plates: dict[str, int] = defaultdict(int)
    for name, scene in track(scenes, "photographs"):
        for plate in scene.plates:
            plates[name] += bool(plate.text)
        for who, read in contenders.items():
            texts, ms = read(scene.path)
            times[who].append(ms)
            right[who][name] += sum(p.text in texts for p in scene.plates if p.text)

    empty = [s.path for _, s in scenes if not s.plates]
    empty += sorted((options.data / "negatives" / "cars").glob("*.jpg"))
    claims = {
        f"crnn-ctc {name}": sum(
            any(plate.confidence >= CLAIMED for plate in reader.find(path)) for path in empty
        )
        for name, reader in readers.items()
    }
    names = [name for name, n in plates.items() if n]
    width = max(map(len, contenders))
    print(f"{'right text, %':<{width}}" + "".join(f"{name:>14}" for name in names) + f"{'ms':>8}")
    for who in contenders:
        cells = "".join(f"{100 * right[who][name] / plates[name]:>14.1f}" for name in names)
        print(f"{who:<{width}}{cells}{statistics.median(times[who]):>8.0f}")
    print(f"claims on {len(empty)} photographs without a readable plate: {claims}")
    facts = {
        "what": "whole photographs, right text among the answers; processor ms from file to text",
        "command": " ".join(
            ["python bench/scenes.py --data DIR --python VENV/bin/python"]
            + [f"--model {name}" for name in options.model]
        ),
        "data": {name: plates[name] for name in names},
        "readers": {
            who: {
                "right, %": {n: round(100 * right[who][n] / plates[n], 1) for n in names},
                "interval, %": {
                    n: [round(100 * v, 1) for v in wilson(right[who][n], plates[n])] for n in names
                },
                "processor ms": round(statistics.median(times[who]), 1),
            }
            for who in contenders
        },
        "without a plate": len(empty),
        "claims without a plate": claims,
        "processor": processor(),
        "date": date.today().isoformat(),
    }
    RESULTS.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
