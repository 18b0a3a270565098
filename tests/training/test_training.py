from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crnn_ctc import InputError
from helpers.cli import SMALL, command, run_cli, sets
from helpers.runs import rows_so_far

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

torch = pytest.importorskip("torch")

from crnn_ctc.training.checkpoint import (  # noqa: E402
    load_tensors,
    save_tensors,
    write_atomically,
)

# dropout and several checkpoints: what a resumed run could get wrong
PLAN = (
    *SMALL,
    "training.images=1600",
    "network.dropout=0.2",
    "training.checkpoint_steps=3",
    "training.restarts=[800]",
    "training.warmup=0.3",
)


def rows(run: Path) -> list[dict[str, float]]:
    """The rows of a run's metrics, but for its speed."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    for row in kept:
        row.pop("images_per_second", None)
    return kept


def start(data: Path, run: Path, *extra: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command("train", "digits-tiny", "--data", data, "--run", run, *sets(*PLAN), *extra),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def uninterrupted(small_emnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "whole"
    with start(small_emnist, run) as process:
        assert process.wait(300) == 0
    return run


def test_a_run_leaves_all_that_it_promises(uninterrupted: Path) -> None:
    assert (uninterrupted / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((uninterrupted / "tensorboard").iterdir())
    recipe = tomllib.loads((uninterrupted / "recipe.toml").read_text())
    assert recipe["seed"] == 1
    assert recipe["training"]["images"] == 1600
    versions = tomllib.loads((uninterrupted / "versions.toml").read_text())
    assert versions["torch"] == torch.__version__
    train = [row for row in rows(uninterrupted) if row["kind"] == "train"]
    assert [row["step"] for row in train] == list(range(5, 101, 5))
    rates = [row["learning_rate"] for row in train]
    assert rates[0] < max(rates)
    assert rates[9] < 1e-5  # the end of the first cycle
    assert max(rates[10:]) == pytest.approx(1.5e-3, rel=0.1)  # the second is half as high
    assert rates[-1] < 1e-5
    assert train[-1]["loss"] < train[0]["loss"]
    assert {"network", "averaged", "optimizer"} == {
        name.split(".")[0] for name in load_tensors(uninterrupted / "last/state.safetensors")[0]
    }


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_as_if_nothing_had_been(
    uninterrupted: Path, small_emnist: Path, tmp_path: Path
) -> None:
    run = tmp_path / "killed"
    moments = random.Random(1)
    for kills, upto in enumerate((10, 40)):
        with start(small_emnist, run, "--resume") as process:
            while process.poll() is None:
                if (run / "metrics.jsonl").exists() and any(
                    r["step"] >= upto for r in rows_so_far(run)
                ):
                    break
                time.sleep(0.01)
            time.sleep(moments.uniform(0, 0.2))
            assert process.poll() is None, f"it ended before kill {kills}"
            process.kill()
    with start(small_emnist, run, "--resume") as process:
        assert process.wait(300) == 0
    assert rows(run) == rows(uninterrupted)
    for name in ("best.safetensors", "last/state.safetensors"):
        ours, theirs = load_tensors(run / name)[0], load_tensors(uninterrupted / name)[0]
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_ctrl_c_saves_and_says_how_to_go_on(
    uninterrupted: Path, small_emnist: Path, tmp_path: Path, number: signal.Signals
) -> None:
    run = tmp_path / "stopped"
    with start(small_emnist, run) as process:
        assert process.stderr is not None
        while b"step 10 of" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        message = process.stderr.read().decode()
        assert process.wait(60) == 130
    assert "the state is saved" in message
    assert "--resume" in message
    assert "Traceback" not in message
    facts = load_tensors(run / "last/state.safetensors")[1]
    assert facts["step"] >= 10
    with start(small_emnist, run, "--resume") as process:
        assert process.wait(300) == 0
    assert rows(run) == rows(uninterrupted)


def test_a_run_is_not_overwritten_and_keeps_its_recipe(
    uninterrupted: Path, small_emnist: Path
) -> None:
    again = ["train", "digits-tiny", "--data", small_emnist, "--run", uninterrupted]
    before = (uninterrupted / "metrics.jsonl").read_bytes()
    done = run_cli(*again, *sets(*PLAN))
    assert done.returncode == 2
    assert b"holds a run already" in done.stderr
    done = run_cli(*again, *sets(*PLAN, "seed=2"), "--resume")
    assert done.returncode == 2
    assert b"another recipe (seed differ" in done.stderr
    assert (uninterrupted / "metrics.jsonl").read_bytes() == before


def test_a_batch_that_processes_cannot_share(
    small_emnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate import Accelerator

    from crnn_ctc.recipe import load_recipe
    from crnn_ctc.training.reader import train_reader

    monkeypatch.setattr(Accelerator, "num_processes", 3)
    with pytest.raises(InputError, match="cannot be shared by 3 processes"):
        train_reader(load_recipe("digits-tiny", list(SMALL)), small_emnist, tmp_path / "run")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["digits-tiny", "--set", "training.imagse=3"], "unknown key"),
        (["nothing"], "no such recipe"),
        (["digits-tiny", "--data", "nowhere"], "no such folder"),
    ],
)
def test_what_cannot_be_trained(tmp_path: Path, arguments: list[str], says: str) -> None:
    data = [] if "--data" in arguments else ["--data", tmp_path]
    done = run_cli("train", *arguments, *data, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert not (tmp_path / "runs").exists()


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_a_checkpoint_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    with pytest.raises(InputError, match="no such checkpoint"):
        load_tensors(path)
    path.write_bytes(b"not tensors at all")
    with pytest.raises(InputError, match="not a checkpoint"):
        load_tensors(path)
    save_tensors(path, {"a": torch.zeros(3)}, {"step": 1})
    content = path.read_bytes()
    path.write_bytes(content[:-2])
    with pytest.raises(InputError, match="not a checkpoint"):
        load_tensors(path)


def test_tensors_that_share_storage_are_kept(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    save_tensors(tmp_path / "x", {"a": whole[:4], "b": whole[2:]}, {"名": "值"})
    tensors, facts = load_tensors(tmp_path / "x")
    assert tensors["b"].tolist() == [2, 3, 4, 5]
    assert facts == {"名": "值"}


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11])
def test_a_run_may_be_as_short_as_a_step(steps: int) -> None:
    from crnn_ctc.recipe import load_recipe
    from crnn_ctc.training.optimization import one_cycle

    changes = ["training.batch_size=10", f"training.images={10 * steps}", "training.warmup=0.1"]
    plan = load_recipe("digits-tiny", changes).training
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    schedule, rates = one_cycle(optimizer, plan, 0), []
    for step in range(1, steps + 1):
        rates.append(schedule.get_last_lr()[0])
        if step < steps:
            optimizer.step()
            schedule.step()
    assert all(0 < rate <= plan.learning_rate for rate in rates)


def test_batches_come_in_order_and_once() -> None:
    from crnn_ctc.training.loop import batches_ahead

    composed: list[int] = []

    def compose(step: int) -> int:
        composed.append(step)
        return 2 * step

    assert list(batches_ahead(compose, range(3, 8))) == [6, 8, 10, 12, 14]
    assert composed == [3, 4, 5, 6, 7]
    assert list(batches_ahead(compose, range(3, 3))) == []
