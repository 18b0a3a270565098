"""crnn-ctc bench and what it measures with; no time is tested."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from crnn_ctc import Reader
from crnn_ctc.benchmark.machine import peak_memory, processor
from crnn_ctc.benchmark.specimens import specimens
from crnn_ctc.benchmark.speed import measure_speed
from crnn_ctc.grammar import open_grammar
from crnn_ctc.model_file.opening import shipped_models
from helpers.cli import TRAINING, run_cli, run_without
from helpers.data import EXAMPLES


@pytest.mark.parametrize("name", shipped_models())
def test_specimens_can_be_read(name: str) -> None:
    reader = Reader(name)
    pictures = specimens(16, reader.card)
    np.testing.assert_array_equal(pictures, specimens(16, reader.card))
    readings = list(reader.read(pictures))
    assert np.median([reading.confidence for reading in readings]) > 0.5
    assert len({reading.text for reading in readings}) > 8
    if reader.card.grammar:
        grammar = open_grammar(reader.card.grammar, reader.card.alphabet)
        assert all(grammar.accepts(reading.text) for reading in readings)


def test_each_reader_and_batch_is_a_row() -> None:
    readers = {"one": Reader("digits-tiny"), "two": Reader("digits-tiny", threads=2)}
    seen: list[int] = []

    def watch(rounds: object) -> object:
        for number in rounds:  # type: ignore[attr-defined]
            seen.append(number)
            yield number

    sources = specimens(3, readers["one"].card)
    rows = measure_speed(readers, sources, batches=(1, 5), rounds=2, watch=watch)  # type: ignore[arg-type]
    assert [(row.batch, row.contender) for row in rows] == [
        (1, "one"), (1, "two"), (5, "one"), (5, "two"),
    ]  # fmt: skip
    assert seen == [0, 1, 2]
    for row in rows:
        assert row.network_ms > 0
        assert row.pictures_per_second == pytest.approx(1000 / row.ms)


def test_the_machine() -> None:
    assert processor()
    memory = peak_memory()
    if sys.platform != "win32":
        assert memory is not None
        assert 20 < memory < 100_000  # MB


def test_bench(tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    arguments = ("bench", "digits-tiny", "--rounds", 1, "--json", file)
    done = run_without(TRAINING, *arguments)  # no torch
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[0].split()[:2] == ["model", "batch"]
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["digits-tiny", n] for n in ("1", "8", "64")
    ]
    summary = lines[-1]
    for part in ("crnn-ctc 0.", "digits-tiny", "batch 64", "ONNX Runtime", "1 thread", processor()):
        assert part in summary
    values = json.loads(file.read_text())
    assert [row["batch"] for row in values["rows"]] == [1, 8, 64]
    assert values["rows"][0]["ratio_to_batch_1"] == 1
    assert values["threads"] == 1
    assert values["peak_memory_mb"] > 20


def test_bench_of_several_models_on_ones_own_pictures(tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    folder = EXAMPLES / "digits"
    done = run_cli(
        "bench", "digits-tiny", "plates-tiny", "--data", folder, "--threads", 2,
        "--rounds", 1, "--json", file,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"of first" in done.stdout
    assert b"2 threads" in done.stdout
    values = json.loads(file.read_text())
    assert [row["contender"] for row in values["rows"]] == ["digits-tiny", "plates-tiny"] * 3
    assert [row["ratio_to_first"] for row in values["rows"][::2]] == [1, 1, 1]
    assert values["pictures"] == "6 of digits"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "no such model"),
        (["--data", "missing.png"], "missing.png: no such file"),
        (["--data", "missing.csv"], "missing.csv: no such file"),
        (["--data", "text.png"], "text.png: not a picture"),
        (["--data", "none.csv"], "none.csv: lists no pictures"),
        (["--device", "tpu"], "device 'tpu': give one of auto, cpu, cuda"),
        (["--threads", "0"], "--threads"),
    ],
)
def test_bench_says_what_is_wrong(tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "none.csv").write_text("file,label\n")
    done = run_cli("bench", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
