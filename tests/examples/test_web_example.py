"""``examples/web`` in a headless browser, with ONNX Runtime Web from npm."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crnn_ctc import Reader, recognize
from crnn_ctc.model_file.opening import model_path
from helpers.browser import Tab, browser
from helpers.data import EXAMPLES, missing

WEB = EXAMPLES / "web"
PLATES = sorted(p for p in (EXAMPLES / "plates").iterdir() if "泥" not in p.name)  # one row
STATUS = "document.querySelector('#status').textContent"
TEXT = "document.querySelector('#text').textContent"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def tab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(chromium, tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The page as a static server gives it: its address and its folder."""
    if not (WEB / "node_modules" / "onnxruntime-web").is_dir():
        missing("no ONNX Runtime Web here; install it with: npm install --prefix examples/web")
    folder = tmp_path / "site"
    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns("node_modules", "*.onnx"))
    (folder / "node_modules").symlink_to(WEB / "node_modules")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", folder
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["plates-nano", "plates-tiny"])
def test_plates_are_read(
    name: str, tab: Tab, site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognize, "AGAIN", 0.0)  # the page finds the corners once
    address, folder = site
    with model_path(name) as model:
        shutil.copy(model, folder / "model.onnx")
    tab.events.clear()
    tab.open(address)
    tab.wait(f"{STATUS}.startsWith('Ready: {name}')")
    reader = Reader(name, grammar="none")
    for plate in PLATES:
        tab.run("document.querySelector('#text').textContent = ''")
        tab.give("#file", plate)
        tab.wait(f"{TEXT} !== ''")
        expected = reader(plate)
        assert tab.run(TEXT) == expected.text
        # a browser scales pictures in its own way
        shown = float(tab.run(STATUS).split()[0]) / 100
        assert shown == pytest.approx(expected.confidence, abs=0.1)
    assert not [c for c in tab.complaints() if "favicon" not in c]
    assert all(a.startswith((address, "blob:", "data:")) for a in tab.addresses())


def test_a_missing_model_is_said(tab: Tab, site: tuple[str, Path]) -> None:
    tab.open(site[0])
    tab.wait(f"{STATUS}.startsWith('model.onnx is missing')")


def test_a_file_that_is_no_picture_is_said(tab: Tab, site: tuple[str, Path]) -> None:
    address, folder = site
    with model_path("plates-nano") as model:
        shutil.copy(model, folder / "model.onnx")
    (folder / "a.jpg").write_text("no picture")
    tab.open(address)
    tab.wait(f"{STATUS}.startsWith('Ready')")
    tab.give("#file", folder / "a.jpg")
    tab.wait(f"!{STATUS}.startsWith('Ready')")
    assert "decode" in tab.run(STATUS)
