"""Hooks of the mkdocs build.

- A link to a file of the repository leads to a page under ``repository/`` that shows it, so the
  site works offline.
- Pages that ``mkdocs.yml`` does not name are listed under "More".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
#: Shown whether a page links to them or not.
SHOWN = ("README.zh-CN.md", "CONTRIBUTING.md")
FOLDER = "repository/"
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
FENCE = re.compile(r"^ *(```|~~~)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put pages without a place into the navigation."""
    docs = Path(config.docs_dir)
    named = set(_named(config.nav))
    rest = sorted(
        name for f in docs.rglob("*.md") if (name := f.relative_to(docs).as_posix()) not in named
    )
    if rest:
        config.nav.append({"More": rest})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Make the pages of repository files that pages link to, and of those that these link to."""
    waiting = list(SHOWN) + [f"docs/{f.src_uri}" for f in files.documentation_pages()]
    seen = set(waiting)
    while waiting:
        origin = waiting.pop()
        place = _page_of(origin)
        if not place.endswith(".md"):
            files.append(File.generated(config, place, abs_src_path=str(ROOT / origin)))
            continue
        text = (ROOT / origin).read_text(encoding="utf-8")
        markdown = origin.endswith(".md")
        if not origin.startswith("docs/"):
            content = text if markdown else _source(origin, text)
            files.append(File.generated(config, place, content=content))
        for target in _targets(origin, text) if markdown else ():
            if target not in seen and not target.startswith("docs/"):
                seen.add(target)
                waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Point links to files of the repository at the pages that show them."""
    here = page.file.src_uri
    origin = here.removeprefix(FOLDER) if here.startswith(FOLDER) else f"docs/{here}"
    return _relinked(markdown, origin, here)


def _named(nav: Any) -> Iterator[str]:
    for entry in nav.values() if isinstance(nav, dict) else nav:
        if isinstance(entry, str):
            yield entry
        else:
            yield from _named(entry)


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it belongs to a block of code."""
    code = False
    for line in text.splitlines():
        fence = bool(FENCE.match(line))
        yield line, code or fence
        code ^= fence


def _targets(origin: str, text: str) -> Iterator[str]:
    """Files of the repository that the links of ``origin`` lead to; a folder is its README."""
    for line, code in _lines(text):
        for link in [] if code else LINK.findall(line):
            if target := _target(origin, link):
                yield target


def _target(origin: str, link: str) -> str | None:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))
    if (ROOT / path).is_dir():
        path += "/README.md"
    return path if (ROOT / path).is_file() else None


def _relinked(text: str, origin: str, here: str) -> str:
    def lead(found: re.Match[str]) -> str:
        target = _target(origin, found[1])
        if target is None:
            return found[0]  # what leads nowhere is mkdocs's to report
        return posixpath.relpath(_page_of(target), posixpath.dirname(here) or ".")

    return "\n".join(line if code else LINK.sub(lead, line) for line, code in _lines(text))


def _page_of(path: str) -> str:
    """Where the site has a file of the repository: text as a page, a picture as it is."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return FOLDER + path + ("" if path.endswith((".md", ".jpg", ".png", ".svg")) else ".md")


def _source(path: str, text: str) -> str:
    language = {".py": "python", ".toml": "toml", ".json": "json"}.get(Path(path).suffix, "text")
    head = "---\nsearch:\n  exclude: true\n---\n"
    return f"{head}# {path}\n\n~~~~~~{language}\n{text}\n~~~~~~\n"
