"""Figures and outputs that pages show are those of the result files and of the code.

A comment above a table names the files that its figures come from:
``<!-- figures: FILE ... -->``; ``<!-- figures by row: FILE -->`` where each row of the table is a
record of the file; ``<!-- figures of COLUMN; COLUMN: FILE ... -->`` for some of its columns.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from helpers.data import ROOT
from helpers.pages import Page, pages

#: Confidences differ from machine to machine.
DECIMAL = re.compile(r"\d\.\d+")

SOURCE = re.compile(r"<!-- figures(?: of (?P<columns>.+?))?(?P<row> by row)?: (?P<files>.+) -->")
FIGURE = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)")
NO_FIGURES = re.compile(r"`[^`]*`|\]\([^)]*\)")
"""Code and the targets of links."""

SCALES = (1, 100, 1e-3, 1e-6)
"""What a figure is of the number in the file: the same, a percentage, thousands, millions."""

PUBLISHED = "as published"
"""In the first cell of a row whose figures others have published."""

MOST = 60
"""Numbers of a record; an object with more is not one."""


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


def numbers(node: Any) -> Iterator[float]:
    """All numbers of a JSON value, also within its strings."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from numbers(each)
    elif isinstance(node, str):
        yield from (float(figure.replace(",", "")) for figure in FIGURE.findall(node))
    elif node is not None and not isinstance(node, bool):
        yield float(node)


def records(node: Any, whole: bool = True) -> Iterator[list[float]]:
    """The numbers of each object within a JSON value that is small enough to be a record."""
    if isinstance(node, dict) and not whole and len(inside := list(numbers(node))) <= MOST:
        yield inside
    if isinstance(node, dict | list):
        for each in node.values() if isinstance(node, dict) else node:
            yield from records(each, whole=False)


def figures(row: list[str]) -> list[str]:
    """Those of a table's row, but for the name in its first cell."""
    return [figure for cell in row[1:] for figure in FIGURE.findall(NO_FIGURES.sub("", cell))]


def stands_for(figure: str, number: float) -> bool:
    """Whether a figure is a number, rounded to the places that are shown."""
    half = 0.500001 * 10.0 ** -len(figure.partition(".")[2])
    shown = float(figure.replace(",", ""))
    return any(abs(number * scale - shown) <= half for scale in SCALES)


def unfounded(table: list[list[str]], by_row: bool, values: list[Any]) -> list[str]:
    """The rows of a table with figures that do not stand in the files."""
    known = [list(numbers(values))] if not by_row else [r for v in values for r in records(v)]
    return [
        row[0]
        for row in table[1:]
        if PUBLISHED not in row[0]
        and not any(all(any(stands_for(f, n) for n in r) for f in figures(row)) for r in known)
    ]


def tables_with_a_source() -> Iterator[Any]:
    for page in pages():
        comments = [t for t in page.tokens if t.type in {"html_block", "table_open"}]
        tables = iter(page.tables)
        for before, token in zip([None, *comments], comments, strict=False):
            if token.type == "table_open":
                table = next(tables)
                said = SOURCE.fullmatch(before.content.strip()) if before else None
                if said:
                    if said["columns"]:
                        chosen = [0, *map(table[0].index, said["columns"].split("; "))]
                        table = [[row[place] for place in chosen] for row in table]
                    name = f"{page.path}:{(token.map or [0])[0] + 1}"
                    yield pytest.param(table, bool(said["row"]), said["files"].split(), id=name)


@pytest.mark.parametrize(("table", "by_row", "files"), list(tables_with_a_source()))
def test_figures_of_tables_are_those_of_their_files(
    table: list[list[str]], by_row: bool, files: list[str]
) -> None:
    values = [json.loads((ROOT / file).read_text(encoding="utf-8")) for file in files]
    assert unfounded(table, by_row, values) == []


def test_every_source_of_figures_stands_above_a_table() -> None:
    named = sum(len(re.findall("^<!-- figures", page.text, re.MULTILINE)) for page in pages())
    assert named == len(list(tables_with_a_source())) >= 8


def test_a_wrong_figure_is_found() -> None:
    value = {"rows": [{"name": "a", "ms": 0.5953, "right": 0.979}, {"ms": 3.75, "right": 0.989}]}
    table = [["", "ms", "right, %"], ["a", "0.60", "97.9"], ["b", "**3.75** (7.0)", "98.9"]]
    assert unfounded(table[:2], True, [value]) == []
    assert unfounded([table[0], ["a", "0.60", "98.9"]], True, [value]) == ["a"]
    assert unfounded([table[0], ["a", "0.60", "98.9"]], False, [value]) == []
    assert unfounded(table, False, [value]) == ["b"]
