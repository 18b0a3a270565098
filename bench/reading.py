"""Milliseconds to read one picture file: ours against upstream crnn-ctc's eager script.

python bench/reading.py            # digits
python bench/reading.py --plates
"""

from __future__ import annotations

import argparse
from pathlib import Path

import onnxruntime
import torch

from crnn_ctc import Reader
from crnn_ctc.model_file.opening import shipped_models
from crnn_ctc.net.crnn import CRNN_Tiny
from model_project import read
from timing import in_turn, milliseconds, report

EXAMPLES = Path(__file__).parents[1] / "examples"
DIGITS = EXAMPLES / "digits" / "47624 small.png"
PLATE = EXAMPLES / "plates" / "苏D18RL9_blue.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--plates", action="store_true", help="a plate, not a row of digits")
    options = parser.parse_args()
    plates = options.plates
    # weights do not affect the time
    network = (CRNN_Tiny(3, 48, 78) if plates else CRNN_Tiny(1, 32, 11)).eval()
    path = str(PLATE if plates else DIGITS)
    contenders = {
        "upstream crnn-ctc, torch eager, its threads": lambda: milliseconds(
            lambda: read(network, path, plates), options.repeats
        )
    }
    for name in (n for n in shipped_models() if n.startswith("plates" if plates else "digits")):
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
    report(
        "reading-plates" if plates else "reading",
        "ms",
        in_turn(contenders, options.rounds, warmup=2),
        facts,
    )


if __name__ == "__main__":
    main()
