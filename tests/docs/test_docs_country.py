"""docs/plates-of-a-country.md, word for word: from synthetic crops to readings."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from helpers.cli import run_cli
from helpers.pages import pages

pytest.importorskip("torch")

(PAGE,) = (page for page in pages() if page.path == "docs/plates-of-a-country.md")


@pytest.mark.slow
def test_the_worked_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (draw,) = (block.code for block in PAGE.blocks if block.language == "python")
    exec(draw, {})
    (console,) = (block.code for block in PAGE.blocks if block.language == "console")
    commands = console.replace("\\\n", " ").splitlines()
    for command in commands[:-1]:  # the last one serves until it is stopped
        words = shlex.split(command.removeprefix("$ crnn-ctc "))
        done = run_cli(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr.decode()
    table = done.stdout.decode()
    assert " ".join(table.splitlines()[1].split()[:2]) in {
        f"{path.name[:4]} {path.name[4:7]}" for path in (tmp_path / "spain" / "val").iterdir()
    }
    done = run_cli("predict", "--model", "spain.onnx", "--format", "json", "spain/val")
    items = json.loads(done.stdout)
    right = sum(item["text"] == Path(item["path"]).name[:7] for item in items)
    assert right > 0.8 * len(items)
    assert all(
        item["display"] == f"{item['text'][:4]} {item['text'][4:]}"
        for item in items
        if item["text"]
    )
