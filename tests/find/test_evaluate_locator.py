"""crnn-ctc evaluate of a locator: photographs with boxes, some of them broken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from helpers.cli import run_cli
from helpers.data import ROOT
from helpers.streets import street

LOCATOR = ROOT / "src/crnn_ctc/models/plates-find.onnx"


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A table of a good photograph and a broken one."""
    street(("yellow", (560, 380), 180)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    table = tmp_path / "set.csv"
    table.write_text(
        "file,label,bbox\na.png,鲁D89239,560 380 740 437\nb.png,鲁D89239,1 1 90 30\n", "utf-8"
    )
    return table


def test_a_broken_photograph_costs_only_itself(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "measures.json"
    done = run_cli("evaluate", "plates-find", photographs, "--json", out)
    assert done.returncode == 2
    (line,) = [row for row in done.stderr.decode().splitlines() if row.startswith("error: ")]
    assert "b.png: not a picture" in line
    measures = json.loads(out.read_text("utf-8"))["measures"]["all"]
    assert (measures["photographs"], measures["read"]) == (1, 1.0)


def test_photographs_that_are_all_broken(photographs: Path) -> None:
    (photographs.parent / "a.png").unlink()
    done = run_cli("evaluate", "plates-find", photographs)
    assert done.returncode == 2
    assert "a.png: no such file" in done.stderr.decode()
    assert done.stdout == b""


def test_what_a_locator_cannot_be_asked(photographs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other name"
    shutil.copy(LOCATOR, other)
    for models, options, says in (
        ([other], ["--report", tmp_path / "r.html"], "--report: not for a locator"),
        ([other], ["--grammar", "plates"], "--grammar: not for a locator"),
        (["plates-find", other], [], "a second locator"),
    ):
        done = run_cli("evaluate", *models, photographs, *options)
        assert done.returncode == 2
        assert says in done.stderr.decode()
    assert not (tmp_path / "r.html").exists()
