"""Milliseconds to read one picture file: ours against the model project's eager script.

python bench/reading.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

import onnxruntime
import torch

from crnn_ctc import Reader
from crnn_ctc.net.crnn import CRNN_Tiny
from crnn_ctc.reader import shipped
from model_project import read
from timing import in_turn, milliseconds, report

PICTURE = Path(__file__).parents[1] / "examples" / "digits" / "47624 small.png"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=40)
    options = parser.parse_args()
    network = CRNN_Tiny(1, 32, 11).eval()  # its weights do not matter for its time
    path = str(PICTURE)
    contenders = {
        "model project, torch eager, its threads": lambda: milliseconds(
            lambda: read(network, path), options.repeats
        )
    }
    for name in (n for n in shipped() if n.startswith("digits")):
        reader = Reader(name)
        batch = [path] * 64
        contenders[f"{name}, file to text, batch 1"] = lambda r=reader: milliseconds(  # type: ignore[misc]
            lambda: r(path), options.repeats
        )
        contenders[f"{name}, file to text, batch 64 (a picture)"] = lambda r=reader, b=batch: (  # type: ignore[misc]
            milliseconds(lambda: list(r.read(b, batch_size=64))) / 64
        )
    facts = {
        "torch": torch.__version__,
        "torch threads": torch.get_num_threads(),
        "onnxruntime": onnxruntime.__version__,
        "reader threads": 1,
    }
    report("reading", "ms", in_turn(contenders, options.rounds, warmup=2), facts)


if __name__ == "__main__":
    main()
