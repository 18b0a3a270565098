"""Figures and outputs that pages show are those of the result files and of the code.

``<!-- generated: NAME -->`` stands above a block that ``docs/tables.py`` generates from result
files. Other tables and paragraphs hold no measurements.
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

MARKED = re.compile(r"<!-- (?:generated|no measurements): .+ -->")
CODE = re.compile(r"`[^`]*`|\]\([^)]*\)")
"""Code and the targets of links."""

MEASURED = {
    # plain counts, versions such as 0.1 and thresholds are no measurements
    "table_open": re.compile(
        r"(?<![\w.])(?!0\.\d\b)\d+\.\d+(?![\w.])|± ?\d|\d ?%|\d ms\b",
    ),
    "paragraph_open": re.compile(r"\d\.\d+ ?%|± ?\d+\.|\d ms\b"),
}
"""What measurements look like, by the token of the block."""


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


def blocks_with_comment(page: Page) -> Iterator[tuple[Any, str]]:
    """Each table and paragraph of a page with the comment directly above it, or with none."""
    top = [t for t in page.tokens if t.level == 0 and not t.type.endswith("_close")]
    blocks = [t for t in top if t.type != "inline"]
    for before, token in zip([None, *blocks], blocks, strict=False):
        if token.type in {"table_open", "paragraph_open"}:
            is_comment = before is not None and before.type == "html_block"
            yield token, before.content.strip() if is_comment else ""


def text_of(page: Page, token: Any) -> str:
    first, last = token.map
    return "\n".join(page.text.splitlines()[first:last])


def unmarked(page: Page) -> list[str]:
    """The blocks of a page that hold measurements and are not generated."""
    return [
        f"{page.path}:{token.map[0] + 1}"
        for token, comment in blocks_with_comment(page)
        if MEASURED[token.type].search(CODE.sub("", text_of(page, token)))
        and not MARKED.fullmatch(comment)
    ]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_measurements_are_generated(page: Page) -> None:
    if page.path not in {"docs/cli.md", "docs/recipe-keys.md", "CHANGELOG.md"}:
        assert not unmarked(page)


def test_measurements_written_by_hand_are_found() -> None:
    page = Page("README.md")
    page.text = (
        "It reads 97.9 %.\n\n| a | b |\n| --- | --- |\n| c | 3.75 |\n\n0.1 has 3 files.\n\n"
        "<!-- generated: x -->\n\nIt reads 97.9 %.\n"
    )
    assert unmarked(page) == ["README.md:1", "README.md:3"]


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
