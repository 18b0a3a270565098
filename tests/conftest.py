"""Data that several tests share."""

from __future__ import annotations

import gzip
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from crnn_ctc.data.digits import Digits, enlarge

SHARED = Path(__file__).parents[2] / "shared" / "data"
EXAMPLES = Path(__file__).parents[1] / "examples"


def shared_data(name: str) -> Path:
    """A folder of the real data: absent, it skips; with CRNN_CTC_REQUIRE_DATA=1, it fails."""
    folder = SHARED / name
    if not folder.is_dir():
        missing(f"real data is not here: {name} beside the project in shared/data")
    return folder


def missing(reason: str) -> NoReturn:
    """Skip, or with CRNN_CTC_REQUIRE_DATA=1 fail: what a test needs is not here."""
    if os.environ.get("CRNN_CTC_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def emnist() -> Path:
    return shared_data("emnist")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser: absent, it skips; with CRNN_CTC_REQUIRE_DATA=1, it fails."""
    found = shutil.which("chromium")
    if found:
        return found
    missing("no chromium here to open pages with; install it with: apt-get install chromium")


def idx(array: NDArray[np.uint8]) -> bytes:
    header = struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape)
    return header + array.tobytes()


def printed_digits(count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Digits of a font, upright: enough like handwriting to exercise the code."""
    labels = (np.arange(count) * 7 % 10).astype(np.uint8)
    images = np.zeros((count, 28, 28), np.uint8)
    font = ImageFont.load_default(24)
    for i, label in enumerate(labels):
        picture = Image.new("L", (28, 28))
        ImageDraw.Draw(picture).text((14 + i % 3 - 1, 14), str(label), 255, font, "mm")
        images[i] = np.asarray(picture)
    return images, labels


def write_emnist(folder: Path, train: int = 400, test: int = 100, zipped: bool = True) -> Path:
    """A folder in EMNIST's layout, its pictures transposed as EMNIST's are."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("test", test)):
        images, labels = printed_digits(count)
        files = {"images-idx3": images.transpose(0, 2, 1), "labels-idx1": labels}
        for what, array in files.items():
            content = idx(np.ascontiguousarray(array))
            name = f"emnist-digits-{split}-{what}-ubyte"
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
            else:
                (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def small_emnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_emnist(tmp_path_factory.mktemp("emnist"))


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


@pytest.fixture(scope="session")
def small_run(small_emnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder, trained for long enough to read a printed digit."""

    def train(run: Path) -> None:
        done = run_cli(
            "train", "digits-tiny", "--data", small_emnist, "--run", run, *sets(*SMALL, *EASY)
        )
        assert done.returncode == 0, done.stderr.decode()

    return once(tmp_path_factory, "small", train)


@pytest.fixture(scope="session")
def small_model(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its model file, and with it a test that exporting works."""

    def export(out: Path) -> None:
        done = run_cli("export", small_run, "--out", out)
        assert done.returncode == 0, done.stderr.decode()

    return once(tmp_path_factory, "small.onnx", export)


@pytest.fixture(scope="session")
def small_digits() -> Digits:
    images, labels = printed_digits(200)
    return Digits(enlarge(images), labels)


def write_lines(folder: Path, texts: tuple[str, ...], copies: int = 1) -> None:
    """Labelled pictures of printed lines, TEXT_n.png, dark on white, each a little different."""
    folder.mkdir(parents=True, exist_ok=True)
    font = ImageFont.load_default(22)
    for i, text in enumerate(texts):
        for n in range(copies):
            picture = Image.new("L", (64, 32), 255)
            at = (32 + (i + n) % 5 - 2, 16 + n % 3 - 1)
            ImageDraw.Draw(picture).text(at, text, 16 * (n % 4), font, "mm")
            picture.save(folder / f"{text}_{n}.png")
