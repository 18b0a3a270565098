"""The project's Markdown pages, taken apart: blocks of code, links, headings and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from markdown_it import MarkdownIt
from markdown_it.token import Token

from helpers.data import ROOT

NOT_RUN = re.compile(r"<!-- not run: (.+) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        line: of its fence, from 1.
        language: what the fence says.
        code: the lines between the fences.
        not_run: why it is not run, as a comment above it says; None where nothing says so.
    """

    line: int
    language: str
    code: str
    not_run: str | None


class Page:
    """One Markdown file of the repository.

    Args:
        path: relative to the repository's root.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.file = ROOT / path
        self.text = self.file.read_text(encoding="utf-8")

    @cached_property
    def tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.text)

    @cached_property
    def blocks(self) -> list[Block]:
        found = []
        for before, token in zip([None, *self.tokens], self.tokens, strict=False):
            if token.type != "fence" or token.map is None:
                continue
            comment = before.content.strip() if before and before.type == "html_block" else ""
            said = NOT_RUN.fullmatch(comment)
            why = said[1] if said else None
            found.append(Block(token.map[0] + 1, token.info.strip(), token.content, why))
        return found

    def _inline(self, *kinds: str) -> Iterator[tuple[int, Token]]:
        for token in self.tokens:
            for child in token.children or ():
                if child.type in kinds:
                    yield (token.map or [0])[0] + 1, child

    @property
    def code_spans(self) -> list[tuple[int, str]]:
        """Each ``code`` within a text, with its line."""
        return [(line, child.content) for line, child in self._inline("code_inline")]

    @property
    def links(self) -> list[tuple[int, str]]:
        """Where links lead and where pictures are, each with its line."""
        return [
            (line, str(child.attrs.get("href", child.attrs.get("src"))))
            for line, child in self._inline("link_open", "image")
        ]

    @cached_property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading."""
        return [
            (int(token.tag[1]), "".join(c.content for c in inline.children or ()))
            for token, inline in zip(self.tokens, self.tokens[1:], strict=False)
            if token.type == "heading_open"
        ]

    @property
    def anchors(self) -> set[str]:
        """What ``#...`` may name, as GitHub and the site make it of a heading."""
        return {
            re.sub(r"[^\w\- ]", "", text).lower().replace(" ", "-") for _, text in self.headings
        }

    @property
    def tables(self) -> list[list[list[str]]]:
        """Of each table, the rows of its cells' Markdown."""
        found: list[list[list[str]]] = []
        for before, token in zip([None, *self.tokens], self.tokens, strict=False):
            if token.type == "table_open":
                found.append([])
            elif token.type == "tr_open":
                found[-1].append([])
            elif before and before.type in {"th_open", "td_open"}:
                found[-1][-1].append(token.content)
        return found


def pages() -> list[Page]:
    """All of them: those of the root and those of ``docs``."""
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return [Page(f.relative_to(ROOT).as_posix()) for f in sorted(files)]
