"""Links of README and docs lead to what is there, and the site shows it without a network."""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import crnn_ctc
from helpers.browser import browser
from helpers.pages import ROOT, Page, pages

#: What fetches as soon as a page is shown, and by which attribute.
FETCHED = {
    "audio": "src", "iframe": "src", "img": "src", "link": "href", "object": "data",
    "script": "src", "source": "src", "video": "src",
}  # fmt: skip


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_links_lead_somewhere(page: Page) -> None:
    assert not list(broken(page))


def beside(page: str, path: str) -> str:
    """Where a path leads that stands on a page; empty, to the page itself."""
    if not path:
        return page
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(path)))


def broken(page: Page) -> Iterator[str]:
    for line, link in page.links:
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = beside(page.path, parts.path)
        if parts.path and not (ROOT / target).exists():
            yield f"{page.path}:{line}: {link}: no such file"
            continue
        other = Page(target) if parts.path and parts.fragment else page
        if parts.fragment and unquote(parts.fragment) not in other.anchors:
            yield f"{page.path}:{line}: {link}: no such heading"


def test_broken_links_are_found() -> None:
    page = Page("README.md")
    page.text = "# Here\n[a](docs/nosuch.md) [b](#nosuch) ![c](nosuch.png) [d](#here) [e](docs)\n"
    page.text += "[f](docs/serving.md#nosuch) [g](docs/serving.md#limits)\n"
    found = [line.split(": ")[1] for line in broken(page)]
    assert found == ["docs/nosuch.md", "#nosuch", "nosuch.png", "docs/serving.md#nosuch"]


@dataclass
class Html(HTMLParser):
    """What one page of the site holds."""

    file: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids.add(values.get("id", ""))
        if tag == "a":
            self.links.append(values.get("href", ""))
        elif values.get(FETCHED.get(tag, "")):
            self.fetched.append(values[FETCHED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Documentation built" in done.stderr  # what is not logged, --strict does not count
    return folder


@pytest.fixture(scope="module")
def shown(site: Path) -> dict[str, Html]:
    files = {f.relative_to(site).as_posix(): f for f in site.rglob("*.html")}
    del files["404.html"]  # is for a server's root
    return {name: Html(file) for name, file in files.items()}


def test_links_of_the_site_lead_somewhere(site: Path, shown: dict[str, Html]) -> None:
    wrong = []
    for name, page in shown.items():
        for link in [*page.links, *page.fetched]:
            parts = urlsplit(link)
            if parts.scheme or link in {"", "."}:
                continue
            target = beside(name, parts.path)
            ids = shown[target].ids if target in shown else set()
            lost = parts.fragment and unquote(parts.fragment) not in ids
            if lost or not (site / target).is_file():
                wrong.append(f"{name}: {link}")
    assert not wrong
    assert len(shown) > 15


def test_the_site_fetches_nothing_from_elsewhere(site: Path, shown: dict[str, Html]) -> None:
    fetched = [link for page in shown.values() for link in page.fetched]
    assert fetched
    assert not [link for link in fetched if urlsplit(link).scheme not in {"", "data"}]
    assert not [link for link in fetched if link.startswith("//")]
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", sheet.read_text())


def test_every_page_is_shown(shown: dict[str, Html]) -> None:
    expected = [p.path for p in pages() if p.path.startswith("docs/")]
    names = {re.sub(r"(README|index)\.md$", "index.md", p)[5:-3] + ".html" for p in expected}
    assert names <= set(shown)
    assert "repository/README.zh-CN.html" in shown


def test_the_api_page_has_every_public_name(shown: dict[str, Html]) -> None:
    public = {f"crnn_ctc.{name}" for name in crnn_ctc.__all__ if name != "__version__"}
    assert public <= shown["api.html"].ids


def test_a_browser_shows_the_pages_from_their_folder(
    site: Path, chromium: str, tmp_path: Path
) -> None:
    with browser(chromium, tmp_path) as tab:
        for width, phone in ((1280, False), (390, True)):
            tab.device(width, 844, phone)
            for name in ("index.html", "api.html", "architecture.html", "benchmarks.html"):
                tab.open((site / name).as_uri())
                wide = tab.run("document.documentElement.scrollWidth")
                assert wide <= width, f"{name} is wider than {width} pixels"
        tab.device(1280, 844)
        tab.open((site / "index.html").as_uri())
        tab.run("document.querySelector('[data-md-component=search-query]').focus()")
        tab.send("Input.insertText", text="grammar")
        tab.wait("document.querySelector('.md-search-result__item a')")
        assert not tab.complaints()
        elsewhere = [a for a in tab.addresses() if not a.startswith(("file:", "data:", "about:"))]
        assert not elsewhere
