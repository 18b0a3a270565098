from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crnn_ctc import InputError
from helpers.cli import run_cli
from helpers.data import write_emnist

pytest.importorskip("pooch")

from crnn_ctc.data import emnist


class Mirror(BaseHTTPRequestHandler):
    """Serves one archive; knows ranges; can break off or be wrong."""

    content = b""
    breaks_after: int | None = None
    ranges: bool = True
    asked: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        if self.path == "/missing.zip":
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if wanted and self.ranges:
            if start >= len(self.content):
                self.send_error(416)
                return
            self.send_response(206)
        else:
            start = 0
            self.send_response(200)
        body = self.content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/wrong.zip":
            body = body[::-1]
        cut = type(self).breaks_after
        type(self).breaks_after = None
        self.wfile.write(body if cut is None else body[:cut])
        self.close_connection = True

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    files = write_emnist(tmp_path / "source")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in files.iterdir():
            archive.write(path, f"gzip/{path.name}")
        archive.writestr("gzip/emnist-letters-mapping.txt", "not wanted")
    Mirror.content, Mirror.asked = buffer.getvalue(), []
    Mirror.breaks_after, Mirror.ranges = None, True
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fetch(folder: Path, urls: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    monkeypatch.setattr(emnist, "MIRRORS", ())  # nothing outside this machine
    digest = hashlib.sha256(Mirror.content).hexdigest()
    return dict(emnist.fetch(folder / "digits", urls, digest, folder / "cache"))


def test_the_digits_are_kept_and_the_archive_is_not(
    mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = fetch(tmp_path, [f"{mirror}/gzip.zip"], monkeypatch)
    assert counts == {"train": 400, "test": 100}
    assert sorted(p.name for p in (tmp_path / "digits").iterdir()) == sorted(emnist._FILES)
    assert not list((tmp_path / "cache").iterdir())
    assert fetch(tmp_path, [f"{mirror}/gzip.zip"], monkeypatch) == counts
    assert len(Mirror.asked) == 1  # what is there is not fetched again


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_broke_off_goes_on(
    mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranges: bool
) -> None:
    Mirror.breaks_after, Mirror.ranges = 1000, ranges
    monkeypatch.setattr(emnist, "_CHUNK", 100)
    with pytest.raises(InputError, match="could not be fetched"):
        fetch(tmp_path, [f"{mirror}/gzip.zip"], monkeypatch)
    assert fetch(tmp_path, [f"{mirror}/gzip.zip"], monkeypatch)["train"] == 400
    assert Mirror.asked == [None, "bytes=1000-"]


def test_the_next_mirror_is_tried(
    mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [f"{mirror}/missing.zip", f"{mirror}/wrong.zip", f"{mirror}/gzip.zip"]
    assert fetch(tmp_path, urls, monkeypatch)["test"] == 100
    assert Mirror.asked == [None, None, None]  # a wrong file is not gone on with


def test_no_mirror_is_one_line_with_the_reasons(
    mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"404.*--mirror") as caught:
        fetch(tmp_path, [f"{mirror}/missing.zip"], monkeypatch)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "digits").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_folder_that_holds_them_is_used_as_it_is(tmp_path: Path, zipped: bool) -> None:
    folder = write_emnist(tmp_path / "mine", zipped=zipped)
    done = run_cli("data", "emnist", folder)
    assert done.returncode == 0, done.stderr
    assert b"400 train digits" in done.stdout


def test_broken_files_in_the_folder_are_not_overwritten(tmp_path: Path) -> None:
    folder = write_emnist(tmp_path / "mine")
    (folder / "emnist-digits-test-images-idx3-ubyte.gz").write_bytes(b"mine")
    done = run_cli("data", "emnist", folder)
    assert done.returncode == 2
    assert b"emnist-digits-test-images" in done.stderr
    assert (folder / "emnist-digits-test-images-idx3-ubyte.gz").read_bytes() == b"mine"
