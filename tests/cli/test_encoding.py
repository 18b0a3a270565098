"""File names and standard outputs that are not UTF-8."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from crnn_ctc.errors import printable_name
from helpers.cli import run_cli
from helpers.data import EXAMPLES

PLATE = next((EXAMPLES / "plates").glob("*blue*"))

GBK = "宁A11P94".encode("gbk") + b"\\_0.jpg"
"""A name as Chinese Windows writes it, with a backslash in it."""

needs_bytes = pytest.mark.skipif(sys.platform != "linux", reason="names are text there")


def restored(name: str) -> bytes:
    """The bytes of a name that :func:`printable_name` wrote."""
    return re.sub(
        rb"\\(x[0-9a-f]{2}|\\)",
        lambda m: b"\\" if m[1] == b"\\" else bytes.fromhex(m[1][1:].decode()),
        name.encode(),
    )


def test_names_are_written_so_that_their_bytes_can_be_restored() -> None:
    assert printable_name("皖A\\b.jpg") == "皖A\\b.jpg"
    written = printable_name(os.fsdecode(GBK))
    written.encode("utf-8")
    assert restored(written) == GBK


@pytest.fixture
def gbk(tmp_path: Path) -> Path:
    folder = tmp_path / "gbk"
    folder.mkdir()
    shutil.copy(PLATE, folder / "皖A12345_0.jpg")
    shutil.copy(PLATE, os.fsencode(folder) + b"/" + GBK)
    return folder


@needs_bytes
@pytest.mark.parametrize("form", ["table", "text", "json", "csv"])
def test_readings_are_utf8_whatever_the_locale(gbk: Path, form: str) -> None:
    # a strict cp1252 stdout, as on Windows when redirected, has none of these characters
    done = run_cli(
        "predict", gbk, "--format", form, "--model", "plates-nano",
        PYTHONUTF8="0", PYTHONIOENCODING="cp1252", LC_ALL="C",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = done.stdout.decode()
    names = []
    if form == "json":
        names = [row["path"] for row in json.loads(out)]
    elif form == "csv":
        names = [row["path"] for row in csv.DictReader(io.StringIO(out))]
    if names:
        good, other = sorted(names, key=lambda name: "x" in Path(name).name)
        assert Path(good).name == "皖A12345_0.jpg"
        assert restored(other).endswith(b"/" + GBK)
    assert out.count("苏D") >= 2
    assert "1 name not in UTF-8: such bytes are written as \\xNN" in done.stderr.decode()


@needs_bytes
def test_bulk_reading_and_evaluating_go_on(gbk: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    done = run_cli("bulk", gbk, "--out", tmp_path / "o", "--workers", "1")
    assert done.returncode == 0, done.stderr
    rows = parquet.read_table(tmp_path / "o").to_pylist()
    assert [row["error"] for row in rows] == [None, None]
    assert [row["warning"] for row in rows] == [None, None]
    assert sorted(restored(row["path"]).rpartition(b"/")[2] for row in rows) == sorted(
        [GBK, "皖A12345_0.jpg".encode()]
    )
    done = run_cli("evaluate", "plates-nano", gbk, "--json", tmp_path / "e.json")
    assert done.returncode == 2
    values = json.loads((tmp_path / "e.json").read_bytes())
    assert values["n"] == 1
    (error,) = values["errors"]
    assert "the label is not UTF-8; rename the picture" in error


def test_csv_for_excel() -> None:
    done = run_cli("predict", PLATE, "--format", "excel", "--model", "plates-nano")
    assert done.returncode == 0
    assert done.stdout.startswith(b"\xef\xbb\xbfpath,text,")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals here")
def test_a_terminal_shows_a_replacement_for_what_it_cannot_show() -> None:
    import subprocess

    from helpers.cli import command

    ours, theirs = os.openpty()
    with subprocess.Popen(
        command("predict", PLATE, "--model", "plates-nano"),
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    ) as process:
        os.close(theirs)
        assert process.wait(300) == 0
    shown = os.read(ours, 10_000).decode("ascii")
    os.close(ours)
    assert "?D" in shown
    assert "path" in shown
