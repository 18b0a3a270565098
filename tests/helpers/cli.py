"""The command line in a process of its own, as a user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

#: A network and a run small enough for tests: one digit a picture.
SMALL = (
    "data.per_sequence=1",
    "input.width=32",
    "data.validation=0.25",
    "data.validation_sequences=50",
    "training.batch_size=16",
    "training.log_steps=5",
    "training.checkpoint_steps=5",
    "training.validations=4",
    "training.precision=float32",
)


#: Makes a run learn printed digits completely. Processors round differently, and a run that is
#: half trained amplifies that; one that is fully trained leaves room above every threshold.
EASY = (
    "training.images=1600",
    "training.ema_decay=0.9",
    "training.flat_start=0.3",
    "training.validations=1",
    "data.clean=1.0",
)


def sets(*changes: str) -> list[str]:
    return [argument for change in changes for argument in ("--set", change)]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "crnn_ctc", *map(str, arguments)]


def run_cli(
    *arguments: object, stdin: bytes | None = None, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[bytes]:
    """The command line as a user runs it."""
    return subprocess.run(
        command(*arguments),
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
        timeout=900,  # a command that hangs; a busy machine is no reason to fail
        check=False,
    )


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A file or folder that the first worker to need it makes, and all others wait for.

    Args:
        tmp_path_factory: pytest's.
        name: the file's or folder's name.
        make: writes it; on an error nothing is kept.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of all workers
    path, making = folder / name, folder / f"making-{name}"
    with FileLock(folder / f"{name}.lock"):
        if not path.exists():
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            make(making / name)
            (making / name).rename(path)
    return path


#: Runs the command line where importing these fails, as where they are not installed.
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from crnn_ctc.cli.main import run
sys.argv = ["crnn-ctc", *{arguments!r}]
run()
"""

TRAINING = {
    "accelerate", "cv2", "matplotlib", "onnx", "onnxscript", "pooch", "safetensors",
    "scipy", "tensorboard", "tomli_w", "torch",
}  # fmt: skip


def run_without(names: set[str], *arguments: object) -> subprocess.CompletedProcess[bytes]:
    program = WITHOUT.format(names=names, arguments=[str(a) for a in arguments])
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
