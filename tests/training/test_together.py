"""Training by several processes: together, stopped, one of them lost."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from helpers.cli import SMALL, run_cli, sets
from helpers.runs import rows_so_far

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

psutil = pytest.importorskip("psutil")
torch = pytest.importorskip("torch")

from crnn_ctc.training.checkpoint import load_tensors  # noqa: E402

LONG = (*SMALL, "training.images=320000", "training.validations=1")
"""A run that does not end by itself while a test waits."""

_IMPATIENT = """
from datetime import timedelta
import crnn_ctc.training.run_start as run_start
run_start.PATIENCE = timedelta(seconds=10)
from crnn_ctc.cli.main import run
run()
"""


class Together:
    """A run by several processes, as torchrun starts them; ended with the test."""

    def __init__(self, count: int, data: Path, run: Path, *changes: str, main: str = "") -> None:
        self.run = run
        self.said = run.parent / f"said-{count}"
        program = ["-m", "--", "crnn_ctc"]
        if main:
            program = ["--shutdown_timeout", "1", "--", str(run.parent / "main.py")]
            Path(program[-1]).write_text(main)
        launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(count)]
        arguments = ["train", "digits-tiny", "--data", str(data), "--run", str(run), "--resume"]
        with self.said.open("wb") as file:
            self.launcher = psutil.Popen(
                [sys.executable, "-m", *launcher, *program, *arguments, *sets(*changes)],
                stderr=file,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def __enter__(self) -> Together:
        return self

    def __exit__(self, *_: object) -> None:
        if self.launcher.poll() is None:
            for process in [*self.launcher.children(), self.launcher]:
                process.kill()
        self.launcher.wait()

    def worker(self, rank: int) -> psutil.Process:
        found = {child.environ().get("RANK"): child for child in self.launcher.children()}
        return found[str(rank)]

    def wait_for_step(self, step: int) -> None:
        deadline = time.monotonic() + 200
        while not any(row["step"] >= step for row in rows_so_far(self.run)):
            assert self.launcher.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(0.05)

    def end(self, seconds: float) -> tuple[int, list[str]]:
        """Its exit code, and the lines that it and the processes said."""
        code = self.launcher.wait(seconds)
        return code, self.said.read_text().splitlines()


def losses(run: Path) -> list[Any]:
    return [row["loss"] for row in rows_so_far(run) if row["kind"] == "train"]


@pytest.mark.slow
def test_stopped_by_one_it_goes_on_with_another_number(small_emnist: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    plan = (*SMALL, "training.images=960", "training.validations=2")  # 60 steps
    for count, upto in ((2, 10), (1, 25)):
        with Together(count, small_emnist, run, *plan) as together:
            together.wait_for_step(upto)
            together.worker(count - 1).send_signal(signal.SIGTERM)  # of two, not the main one
            said = together.end(60)[1]
        # one of them says it, and none complains of the others
        saved = "the state is saved; go on with the same command and --resume"
        assert len([line for line in said if saved in line]) == 1
        assert not [line for line in said if line.startswith(("error:", "[rank"))]
        assert upto <= load_tensors(run / "last" / "state.safetensors")[1]["step"] < 60
    with Together(2, small_emnist, run, *plan) as together:
        code, said = together.end(200)
        assert code == 0, said
    rows = [row for row in rows_so_far(run) if row["kind"] == "train"]
    assert [row["step"] for row in rows] == list(range(5, 65, 5))
    assert rows[-1]["loss"] < rows[0]["loss"]


@pytest.mark.slow
def test_one_killed_ends_the_others_with_a_checkpoint(small_emnist: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Together(2, small_emnist, run, *LONG) as together:
        together.wait_for_step(15)  # 10 is saved by then
        together.worker(0).kill()  # the main one
        code, said = together.end(60)
    assert code != 0
    errors = [line for line in said if line.startswith("error:")]
    assert len(errors) == 1
    assert "another process of this run died" in errors[0]
    assert "--resume" in errors[0]
    assert not [line for line in said if line.startswith("[rank")]  # no traceback of ours
    assert load_tensors(run / "last" / "state.safetensors")[1]["step"] >= 10


@pytest.mark.slow
def test_one_that_hangs_is_not_waited_for_without_end(small_emnist: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Together(2, small_emnist, run, *LONG, main=_IMPATIENT) as together:
        together.wait_for_step(10)
        together.worker(1).send_signal(signal.SIGSTOP)
        said = together.end(60)[1]
    assert [line for line in said if line.startswith("error: another process of this run")]
    assert not [line for line in said if line.startswith("[rank")]


@pytest.mark.slow
def test_two_train_as_one_does(small_emnist: Path, tmp_path: Path) -> None:
    # what differs are the statistics of the norms, each process's over its half of the batch
    plan = (*SMALL, "training.images=1280", "training.batch_size=64", "training.log_steps=1")
    for count in (1, 2):
        with Together(count, small_emnist, tmp_path / str(count), *plan) as together:
            code, said = together.end(200)
            assert code == 0, said
        versions = tomllib.loads((tmp_path / str(count) / "versions.toml").read_text())
        assert versions["processes"] == count
    one, two = losses(tmp_path / "1"), losses(tmp_path / "2")
    assert len(one) == len(two) == 20
    assert two == pytest.approx(one, rel=0.1)


def test_an_error_of_its_own_is_not_blamed_on_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from crnn_ctc import InputError
    from crnn_ctc.training.distributed import missing_is_an_error

    with pytest.raises(RuntimeError, match="gloo"), missing_is_an_error():
        raise RuntimeError("gloo: a process that trains alone misses nobody")
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    with pytest.raises(RuntimeError, match="allocate"), missing_is_an_error():
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
    with pytest.raises(InputError, match="--resume"), missing_is_an_error():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:537] Connection reset by peer")


def test_the_command_starts_several_processes_itself(small_emnist: Path, tmp_path: Path) -> None:
    few = sets(*SMALL, "training.images=160", "training.validations=1")
    train = ["train", "digits-tiny", "--data", small_emnist, "--run", tmp_path / "run", *few]
    done = run_cli(*train, "--processes", 2)
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert "2 processes; --processes 1 for one" in said
    assert said.count("next: crnn-ctc export") == 1  # one of them speaks
    assert tomllib.loads((tmp_path / "run" / "versions.toml").read_text())["processes"] == 2
    # what is wrong is one line, as in one process
    for arguments, says in (
        ((*train, "--processes", 2), "holds a run already"),
        ((*train, "--processes", 3), "cannot be shared by 3 processes"),
    ):
        wrong = run_cli(*arguments)
        assert (wrong.returncode, wrong.stderr.count(b"\n")) == (2, 1)
        assert says in wrong.stderr.decode()


@pytest.mark.parametrize(
    ("cores", "changes", "count"),
    [
        (4, [], 4),
        (3, [], 2),  # a batch of 128
        (1, [], 1),
        (4, ["training.images=100000"], 1),  # starting them would take longer than it saves
    ],
)
def test_a_long_run_on_a_cpu_takes_a_process_a_core(
    cores: int, changes: list[str], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crnn_ctc.recipe import load_recipe
    from crnn_ctc.training import distributed

    monkeypatch.setattr(distributed, "cores", lambda: cores)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    recipe = load_recipe("digits-tiny", changes)
    assert distributed.process_count(recipe, None) == count
    assert distributed.process_count(recipe, 1) == 1
    monkeypatch.setenv("WORLD_SIZE", "2")  # one of several already
    assert distributed.process_count(recipe, None) == 1
