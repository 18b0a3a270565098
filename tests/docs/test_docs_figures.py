"""Figures and outputs that README.md shows are those of bench/results and of the code."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from typing import Any

import pytest

from helpers.pages import ROOT, Page

#: Confidences differ from machine to machine.
DECIMAL = re.compile(r"\d\.\d+")


def _tables() -> Any:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("page", "language"), [("README.md", 0), ("README.zh-CN.md", 1)])
def test_the_table_of_subsets_is_that_of_the_results(page: str, language: int) -> None:
    assert _tables().subsets(language) in Page(page).text, "paste: python docs/tables.py"


def test_readme_is_short() -> None:
    for page in ("README.md", "README.zh-CN.md"):
        assert len(Page(page).text.splitlines()) <= 150


def test_the_first_example_prints_what_the_readme_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = Page("README.md").blocks
    first = next(i for i, block in enumerate(blocks) if block.language == "python")
    shown = blocks[first + 1]
    assert shown.language == "text"
    monkeypatch.chdir(ROOT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(blocks[first].code, "README.md", "exec"), {})
    assert DECIMAL.sub("N", printed.getvalue()) == DECIMAL.sub("N", shown.code)
