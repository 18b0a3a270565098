"""Blocks of the pages that are generated from result files; see ``docs/tables.py``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BLOCKS: dict[str, Callable[[], str]] = {}
"""What makes each block of Markdown, by the name in the comment above it."""


def block(name: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Register a function that returns a table or a paragraph without blank lines."""

    def register(function: Callable[[], str]) -> Callable[[], str]:
        BLOCKS[name] = function
        return function

    return register


def load(path: str) -> Any:
    """A result file.

    Args:
        path: relative to the repository's root.
    """
    return json.loads((ROOT / path).read_text(encoding="utf-8"))


def bench(name: str) -> Any:
    """A file of ``bench/results`` by its stem."""
    return load(f"bench/results/{name}.json")


def medians(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The rows of a timing by their names."""
    return {row["name"]: row for row in rows}


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table.

    Args:
        head: titles of the columns.
        rows: cells.
        left: number of columns aligned to the left; the others are aligned to the right.
    """
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def bold_best(values: Sequence[float], best: Callable[[Sequence[float]], float] = max) -> list[str]:
    """The values as text, the best ones in bold."""
    return [f"**{v:g}**" if v == best(values) else f"{v:g}" for v in values]


def percent(share: float, places: int = 1) -> str:
    """A share from 0 to 1 as a percentage."""
    return f"{100 * share:.{places}f}"


def with_interval(measured: dict[str, Any], places: int = 2) -> str:
    """Exact match in percent with its 95 % interval."""
    low, high = (percent(end, places) for end in measured["interval95"])
    return f"{percent(measured['exact_match'], places)} ({low} to {high})"
