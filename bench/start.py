"""Seconds from nothing to an answer: whole processes, one picture.

python bench/start.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from timing import in_turn, milliseconds, report

PLATE = Path(__file__).parents[1] / "examples" / "plates" / "苏D18RL9_blue.jpg"
COMMANDS = {
    "python -c 'import torch'": ["-c", "import torch"],
    "python -c 'import onnxruntime'": ["-c", "import onnxruntime"],
    "crnn-ctc predict plate.jpg": ["-m", "crnn_ctc", "predict", str(PLATE)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()

    def run(arguments: list[str]) -> float:
        return milliseconds(
            lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        )

    contenders = {name: (lambda a=a: run(a)) for name, a in COMMANDS.items()}
    report("start", "ms", in_turn(contenders, options.rounds, warmup=2))


if __name__ == "__main__":
    main()
