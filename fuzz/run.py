"""Fuzz one target by coverage (atheris): ``python fuzz/run.py images -max_total_time=600``.

What follows the name is libFuzzer's. Needs Linux and ``pip install ".[train,fuzz]"``.
Inputs that were worth keeping are in ``runs/fuzz/TARGET``, those that break the promise in the
folder that it runs in, as ``crash-...``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import atheris

NAMES = ("images", "ccpd_names", "idx_files", "manifests", "recipes", "model_files")


def main() -> None:
    """Fuzz until libFuzzer has had its time or something breaks."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in NAMES:
        sys.exit(f"usage: python fuzz/run.py {'|'.join(NAMES)} [libFuzzer's options]")
    with atheris.instrument_imports(include=["crnn_ctc", "PIL", "tomllib", "csv", "json"]):
        target = import_module(name).TARGET
    corpus = Path("runs", "fuzz", name)
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    # libFuzzer's own limit of 2 GB counts what onnxruntime and Pillow hold too
    atheris.Setup([sys.argv[0], *sys.argv[2:], "-timeout=60", str(corpus)], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
