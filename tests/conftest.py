"""Fixtures that several test files share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crnn_ctc.data.digits import Digits, enlarge
from helpers.cli import EASY, SMALL, once, run_cli, sets
from helpers.data import missing, printed_digits, shared_data, write_emnist


@pytest.fixture(scope="session")
def emnist() -> Path:
    return shared_data("emnist")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser: absent, it skips; with CRNN_CTC_REQUIRE_DATA=1, it fails."""
    found = shutil.which("chromium")
    if not found:
        missing("no chromium here to open pages with; install it with: apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def small_emnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_emnist(tmp_path_factory.mktemp("emnist"))


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
