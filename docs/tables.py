"""Refreshes every generated block of README.md, README.zh-CN.md and docs from the result files.

    python docs/tables.py

A comment ``<!-- generated: NAME -->`` and a blank line stand above each block, and the block ends
at the next blank line. Begin a new block with any text, which is replaced. The package
``figures`` makes the blocks.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from figures import BLOCKS, ROOT, digits, plates, speed, training  # noqa: F401

MARK = re.compile(r"(<!-- generated: (.+?) -->\n)\n(?:(?!<!--)[^\n]+\n)+")


def pages() -> Iterator[Path]:
    """The pages that may hold generated blocks."""
    yield from (ROOT / "README.md", ROOT / "README.zh-CN.md")
    yield from sorted((ROOT / "docs").rglob("*.md"))


def refreshed(text: str) -> str:
    """A page with its generated blocks as the result files have them."""
    return MARK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]]()}\n", text)


def main() -> None:
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = refreshed(text)
        if new != text:
            page.write_text(new, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
