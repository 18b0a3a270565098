"""crnn-ctc watch: files and streams in, one line a vehicle out."""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc.cli.main import run
from helpers.receiver import Receiver
from helpers.streets import PLATES, street
from helpers.videos import SIZE, passing, write_video

BLUE, YELLOW = PLATES["blue"][0], PLATES["yellow"][0]


def run_cli(*arguments: str) -> int:
    """The command line in this process; its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["crnn-ctc", *arguments])
        with pytest.raises(SystemExit) as ended:
            run()
    return int(ended.value.code or 0)


def rows_of(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds: a plate comes, stops and goes."""
    path = tmp_path_factory.mktemp("video") / "pass.mkv"
    comes = list(passing(("blue", (60, 120), (250, 200), 120), frames=15))
    goes = list(passing(("blue", (250, 200), (420, 260), 120), frames=10))
    empty = list(passing(frames=5))
    write_video(path, [*empty, *comes, *[comes[-1]] * 15, *goes, *empty], rate=10)
    return path


def test_a_vehicle_of_a_video_is_one_line(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved"
    with Receiver() as receiver:
        args = ["watch", str(video), "--every", "5", "--format", "jsonl", "--save", str(saved)]
        assert run_cli(*args, "--webhook", receiver.url) == 0
    (row,) = rows_of(capsys.readouterr().out)
    assert row["text"] == BLUE
    assert row["accepted"]
    assert 0.5 <= float(str(row["first"])) <= 1.5
    assert 3.0 <= float(str(row["last"])) <= 4.5
    assert receiver.got == [row]
    (file,) = saved.iterdir()
    assert BLUE in file.name
    with Image.open(file) as sheet:
        assert sheet.width > SIZE[0]


def test_a_file_cut_in_the_middle_answers_what_it_has(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = video.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(content[: len(content) * 6 // 10])
    assert run_cli("watch", str(cut), "--every", "5", "--format", "jsonl") == 2
    found = capsys.readouterr()
    assert [row["text"] for row in rows_of(found.out)] == [BLUE]
    assert "cut.mkv" in found.err
    assert "copy it again" in found.err


def test_a_stream_that_ends_is_opened_again(video: Path) -> None:
    content, asked = video.read_bytes(), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    from crnn_ctc.watch.video import Camera

    said: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        camera = Camera(f"http://me:secret@127.0.0.1:{server.server_port}/live", 5, said.append)
        frames = iter(camera)
        before = time.time()
        seen = []
        while len(asked) < 2 or not seen:
            frame = next(frames)
            if frame is not None:
                seen.append(frame)
    finally:
        frames.close()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
    assert seen[0].picture.size == SIZE
    assert seen[0].time >= before - 60
    assert said[0].startswith(f"http://127.0.0.1:{server.server_port}/live: ")
    assert said[0].endswith("; opened again in 1 s")
    assert said[0].count("http://") == 1
    assert "secret" not in said[0]


def test_a_vehicle_that_is_not_known_is_refused(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    residents = tmp_path / "residents.txt"
    args = ["watch", str(video), "--every", "5", "--format", "jsonl", "--min-confidence", "0.9"]
    for listed, accepted in ((f"{BLUE}\n{YELLOW}\n", [(BLUE, True)]), (f"{YELLOW}\n", [])):
        residents.write_text(listed, encoding="utf-8")
        assert run_cli(*args, "--known", str(residents)) == 0
        rows = rows_of(capsys.readouterr().out)
        assert [(row["text"], row["accepted"]) for row in rows if row["accepted"]] == accepted


def test_a_video_without_frames_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed (extra [video])")
    path = tmp_path / "empty.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    assert run_cli("watch", str(path), "--format", "jsonl") == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert "empty.avi: a video without frames" in found.err


def test_a_damaged_video_is_told(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = video.read_bytes()
    middle = len(content) // 2
    damaged = tmp_path / "damaged.mkv"
    noise = np.random.default_rng(1).bytes(4096)
    damaged.write_bytes(content[:middle] + noise + content[middle + 4096 :])
    assert run_cli("watch", str(damaged), "--every", "5", "--format", "jsonl") == 2
    found = capsys.readouterr()
    assert "damaged.mkv: damaged, " in found.err
    assert BLUE in {row["text"] for row in rows_of(found.out)}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("nothing.mp4", b"", "cannot be read as a video"),
        ("text.mp4", b"no video at all " * 40, "cannot be read as a video"),
        (None, b"", "no such file, folder, stream or camera"),
    ],
)
def test_what_is_no_video_is_one_line(
    name: str | None,
    content: bytes,
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra [video])")
    path = tmp_path / (name or "missing.mp4")
    if name:
        path.write_bytes(content)
    assert run_cli("watch", str(path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert path.name in line
    assert reason in line


def test_a_password_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra [video])")
    assert run_cli("watch", "rtsp://admin:secret@127.0.0.1:9/stream") == 2
    err = capsys.readouterr().err
    assert "rtsp://127.0.0.1:9/stream" in err
    assert "secret" not in err
    assert len(err.splitlines()) == 1


def test_ctrl_c_answers_the_vehicles_in_sight(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    street(("blue", (250, 180), 130), size=SIZE).save(tmp_path / "frame.png")

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("crnn_ctc.watch.sources.time.sleep", interrupted)
    args = ["watch", str(tmp_path), "--gap", "1e9", "--format", "jsonl"]
    assert run_cli(*args) == 0
    (row,) = rows_of(capsys.readouterr().out)
    assert row["text"] == BLUE
    assert str(row["first"]).endswith("Z")
    assert row["best"]["file"] == "frame.png"  # type: ignore[index]


def test_a_broken_picture_of_a_folder_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.png").write_bytes(b"never a picture")

    left = iter(range(10))  # it is told after five tries

    def until_told(seconds: float) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr("crnn_ctc.watch.sources.time.sleep", until_told)
    assert run_cli("watch", str(tmp_path)) == 2
    assert capsys.readouterr().err.count("broken.png") == 1


def test_the_watched_folder_is_no_place_for_best_frames(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli("watch", str(tmp_path), "--save", f"{tmp_path}/") == 2
    assert "the watched folder itself" in capsys.readouterr().err


def test_an_rtsp_camera_is_read_and_opened_again(video: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra [video])")
    from crnn_ctc import Reader
    from crnn_ctc.watch.video import Camera
    from helpers.rtsp import RtspServer

    said: list[str] = []
    texts: set[str] = set()
    reader = Reader("plates-nano")
    with RtspServer(video, rate=10) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        host, port = server.server_address[:2]
        camera = Camera(f"rtsp://me:secret@{host!s}:{port}/live", 1, said.append)
        frames = iter(camera)
        try:
            while server.played < 2 or BLUE not in texts:
                frame = next(frames)
                if frame is not None:
                    assert frame.picture.size == SIZE
                    texts |= {plate.text for plate in reader.find(frame.picture)}
        finally:
            frames.close()  # type: ignore[attr-defined]
            server.shutdown()
    assert said[0] == f"rtsp://{host!s}:{port}/live: the stream ended; opened again in 1 s"
