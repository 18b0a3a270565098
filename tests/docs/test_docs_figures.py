"""Figures and outputs that pages show are those of the result files and of the code.

``<!-- generated: NAME -->`` stands above a block that ``docs/tables.py`` generates from result
files. ``<!-- figures: FILE[#KEY/KEY] ... -->`` stands above a table or paragraph that is written by
hand: each of its figures must be a number of these files, or of the part of a file that the keys
name.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.data import ROOT
from helpers.pages import Page, pages

#: Confidences differ from machine to machine.
DECIMAL = re.compile(r"\d\.\d+")

SOURCE = re.compile(r"<!-- figures: (.+) -->")
MARKED = re.compile(r"<!-- (?:generated|figures|no measurements): .+ -->")
FIGURE = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)")
NO_FIGURES = re.compile(r"`[^`]*`|\]\([^)]*\)")
"""Code and the targets of links."""

MEASURED = re.compile(r"(?<![\w.])(?!0\.\d\b)\d+\.\d+(?![\w.])|± ?\d|\d ?%|\d ms\b")
"""What a table of measurements holds; plain counts, versions such as 0.1 and thresholds do not."""


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("tables")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_generated_blocks_are_those_of_the_result_files(page: Page, tables: Any) -> None:
    assert tables.refreshed(page.text) == page.text, "python docs/tables.py"


def test_every_generated_block_is_on_a_page(tables: Any) -> None:
    used = [found[2] for page in pages() for found in tables.MARK.finditer(page.text)]
    assert sorted(used) == sorted(tables.BLOCKS)


def test_another_number_in_a_result_file_changes_a_page(
    tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("bench/results", "docs/results"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.png"))
    before = {name: make() for name, make in tables.BLOCKS.items()}
    for file in tmp_path.rglob("*.json"):
        file.write_text(json.dumps(changed(json.loads(file.read_text()))))
    monkeypatch.setattr(importlib.import_module("figures"), "ROOT", tmp_path)
    same = [name for name, make in tables.BLOCKS.items() if make() == before[name]]
    assert same == ["folder memory"]  # whose figures are text in the file


def changed(node: Any) -> Any:
    """The JSON value with all numbers changed, except those that name a row."""
    if isinstance(node, dict):
        names = ("batch", "frames", "processes")
        return {k: v if k in names else changed(v) for k, v in node.items()}
    if isinstance(node, list):
        return [changed(value) for value in node]
    if isinstance(node, float):
        return 0.9 * node
    return node + 1 if isinstance(node, int) and not isinstance(node, bool) else node


def tokens_with_comment(page: Page) -> Iterator[tuple[Any, str]]:
    """Each table and paragraph of a page with the comment directly above it, or with none."""
    top = [t for t in page.tokens if t.level == 0 and not t.type.endswith("_close")]
    blocks = [t for t in top if t.type not in {"inline"}]
    for before, token in zip([None, *blocks], blocks, strict=False):
        if token.type in {"table_open", "paragraph_open"}:
            is_comment = before is not None and before.type == "html_block"
            yield token, before.content.strip() if is_comment else ""


def text_of(page: Page, token: Any) -> str:
    first, last = token.map
    return "\n".join(page.text.splitlines()[first:last])


def test_tables_of_measurements_name_their_source() -> None:
    """Generated, compared, or said to hold no measurements."""
    bare = [
        f"{page.path}:{token.map[0] + 1}"
        for page in pages()
        if page.path not in {"docs/cli.md", "docs/recipe-keys.md", "CHANGELOG.md"}
        for token, comment in tokens_with_comment(page)
        if token.type == "table_open"
        and MEASURED.search(NO_FIGURES.sub("", text_of(page, token)))
        and not MARKED.fullmatch(comment)
    ]
    assert not bare


def compared() -> Iterator[Any]:
    for page in pages():
        for token, comment in tokens_with_comment(page):
            if said := SOURCE.fullmatch(comment):
                name = f"{page.path}:{token.map[0] + 1}"
                yield pytest.param(text_of(page, token), said[1].split(), id=name)


@pytest.mark.parametrize(("text", "sources"), list(compared()))
def test_figures_written_by_hand_are_those_of_their_files(text: str, sources: list[str]) -> None:
    known = [number for source in sources for number in numbers(part(source))]
    assert unfounded(text, known) == []


def part(source: str) -> Any:
    """The part of a result file that ``FILE#KEY/KEY`` names."""
    file, _, keys = source.partition("#")
    value = json.loads((ROOT / file).read_text(encoding="utf-8"))
    for key in filter(None, keys.split("/")):
        value = value[int(key) if isinstance(value, list) else key]
    return value


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


def stands_for(figure: str, number: float) -> bool:
    """Whether a figure is a number, or a share as a percentage, rounded to the places shown."""
    half = 0.500001 * 10.0 ** -len(figure.partition(".")[2])
    shown = float(figure.replace(",", ""))
    return any(
        abs(value - shown) <= half for value in (number, 100 * number if number <= 1 else number)
    )


def unfounded(text: str, known: list[float]) -> list[str]:
    """The figures of a text that are none of the known numbers."""
    return [
        figure
        for figure in FIGURE.findall(NO_FIGURES.sub("", text))
        if not any(stands_for(figure, number) for number in known)
    ]


def test_a_wrong_figure_is_found() -> None:
    known = list(numbers({"ms": 0.5953, "right": 0.979, "of": "1,250 pictures", "ok": True}))
    assert unfounded("0.60 ms, 97.9 % of 1,250 (`7 of 8`)", known) == []
    assert unfounded("0.61 ms, 97.8 % of 1,251", known) == ["0.61", "97.8", "1,251"]


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
