"""Video: vehicles followed from frame to frame, sources that break, results sent away."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.cli.main import run
from crnn_ctc.errors import InputError
from crnn_ctc.watch.follow import MOST_OPEN, VIEWS, KeptFrame, Sighting, Tracker
from crnn_ctc.watch.frame import Frame
from crnn_ctc.watch.sources import Folder, Live
from crnn_ctc.watch.vehicles import Vehicle, Watcher
from crnn_ctc.watch.webhook import WAITING, Webhook
from helpers.streets import PLATES, street
from helpers.videos import SIZE, passing, write_video

BLUE, YELLOW = PLATES["blue"][0], PLATES["yellow"][0]


def sighting(x: float, y: float = 300, wide: float = 100, text: str = "", p: float = 0) -> Sighting:
    low, high = (x - wide / 2, y - wide / 6), (x + wide / 2, y + wide / 6)
    corners = [low, (high[0], low[1]), high, (low[0], high[1])]
    return Sighting(np.array(corners, np.float32), text, p)


# following


def test_two_plates_that_cross_are_two_vehicles() -> None:
    tracker = Tracker()
    found = [
        tracker.update(n / 8, [sighting(100 + 60 * n, 280), sighting(820 - 60 * n, 330)])
        for n in range(13)
    ]
    assert all(pair == found[0] for pair in found)
    assert found[0][0] is not found[0][1]
    assert tracker.ended(1.6) == []
    assert tracker.ended(60) == found[0]
    assert tracker.finish() == []


def test_another_sure_text_in_the_same_place_is_another_vehicle() -> None:
    tracker = Tracker()
    (first,) = tracker.update(0, [sighting(500, text="皖A12345", p=0.95)])
    (second,) = tracker.update(0.5, [sighting(500, text="苏B98765", p=0.95)])
    (unsure,) = tracker.update(0.6, [sighting(500, text="苏B9", p=0.1)])
    assert first is not second
    assert unsure is second


def test_a_plate_that_was_hidden_is_the_same_vehicle_where_it_reads_the_same() -> None:
    tracker = Tracker(gap=3)
    (first,) = tracker.update(0, [sighting(100, text="皖A12345", p=0.9)])
    (again,) = tracker.update(2.5, [sighting(900, text="皖A12346", p=0.4)])
    (other,) = tracker.update(2.6, [sighting(100)])
    assert again is first
    assert other is not first
    assert (first.first, first.last, first.seen) == (0, 2.5, 2)


def test_vehicles_and_what_is_kept_of_each_are_bounded() -> None:
    tracker = Tracker()
    crowd = [sighting(x, y, 30) for x in range(20, 1000, 60) for y in range(20, 600, 60)]
    (track, *_) = tracker.update(0, crowd)
    assert len(tracker.ended(0)) == len(crowd) - MOST_OPEN
    for n in range(500):
        quality = 1 + n % 97
        if track.wants(quality):
            track.keep(KeptFrame(quality, n, n, track.sighting.corners, ()))
        track.add(n, sighting(20, 20, 30, text=f"皖A{n:05}", p=0.5))
    assert len(track.views) == VIEWS
    assert min(view.quality for view in track.views) > 80
    assert len(track._texts) < 40


# reading


def watched(frames: list[Image.Image], every: float = 0.12, photos: bool = False) -> list[Vehicle]:
    watcher = Watcher(Reader(find="always"), photos=photos)
    found = []
    for n, picture in enumerate(frames):
        found += watcher.update(Frame(n, n * every, picture))
    return found + watcher.finish()


def test_two_passing_vehicles_are_two_answers_with_their_times_and_best_frames() -> None:
    frames = list(
        passing(
            ("blue", (40, 150), (110, 220), 120), ("yellow", (430, 150), (390, 230), 130), frames=4
        )
    )
    found = watched(frames, photos=True)
    assert sorted(v.reading.text for v in found) == sorted([BLUE, YELLOW])
    for vehicle in found:
        assert vehicle.first == 0
        assert vehicle.last == pytest.approx(0.36)
        assert vehicle.seen == 4
        corners = vehicle.best.corners
        assert 90 < np.ptp(corners[:, 0]) < 160
        picture, reading = vehicle.photo()
        assert picture.shape == (*SIZE[::-1], 3)
        assert [plate.text for plate in reading.plates or ()] == [vehicle.reading.text]


def test_a_parked_car_is_one_answer_and_one_that_comes_back_a_second() -> None:
    parked = street(("blue", (250, 180), 130), size=SIZE)
    watcher = Watcher(Reader(find="always"))
    found = []
    for n in range(5):
        found += watcher.update(Frame(n, n * 2.5, parked))
    found += watcher.update(Frame(5, 30.0, street(size=SIZE)))
    assert [(v.reading.text, v.first, v.last) for v in found] == [(BLUE, 0, 10.0)]
    found = watcher.update(Frame(6, 100.0, parked)) + watcher.finish()
    assert [(v.reading.text, v.first) for v in found] == [(BLUE, 100.0)]


def test_a_stream_may_change_its_size() -> None:
    small = street(("blue", (250, 180), 130), size=SIZE)
    large = small.resize((SIZE[0] * 3 // 2, SIZE[1] * 3 // 2))
    (only,) = watched([small, large, small])
    assert (only.reading.text, only.seen) == (BLUE, 3)


# sources


def taken(source: Iterator[object], wanted: int) -> list[object]:
    return list(islice((item for item in source if item is not None), wanted))


def test_a_slow_reader_of_a_live_source_gets_the_newest_frame() -> None:
    looked = threading.Event()

    def frames() -> Iterator[int]:
        yield 0
        looked.wait(10)
        yield from range(1, 50)
        threading.Event().wait(10)

    live = Live("camera", frames, lambda line: None)
    waiting = iter(live)
    assert taken(waiting, 1) == [0]
    looked.set()
    while live.dropped < 48:
        time.sleep(0.005)
    assert taken(waiting, 1) == [49]
    waiting.close()  # type: ignore[attr-defined]


def test_a_stalled_source_ticks_and_a_broken_one_is_opened_again() -> None:
    said: list[str] = []
    opened = 0
    go_on = threading.Event()

    def frames() -> Iterator[str]:
        nonlocal opened
        opened += 1
        if opened == 1:
            yield "first"
            go_on.wait(30)  # it stalls
            raise InputError("connection lost")
        if opened < 5:
            raise InputError("no route")
        yield "again"
        threading.Event().wait(30)

    waiting = iter(Live("camera", frames, said.append, pause=0.001))
    assert next(waiting) == "first"
    assert next(waiting) is None
    go_on.set()
    assert taken(waiting, 1) == ["again"]
    pauses = [line.rpartition("again in ")[2] for line in said]
    assert pauses == ["0.001 s", "0.002 s", "0.004 s", "0.008 s"]
    assert said[0].startswith("camera: connection lost;")


def test_an_error_of_our_own_in_a_live_source_is_raised() -> None:
    def frames() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    waiting = iter(Live("camera", frames, lambda line: None))
    with pytest.raises(ZeroDivisionError):
        taken(waiting, 2)


def test_a_folder_gives_its_pictures_once_by_time_and_waits_for_those_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crnn_ctc.watch.sources.TICK", 0.01)
    said: list[str] = []
    for name, written in (("b.png", 1000), ("a.png", 2000)):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
        os.utime(tmp_path / name, (written, written))
    (tmp_path / "notes.txt").write_text("no picture")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "c.png").write_bytes(whole[:40])
    waiting = iter(Folder(tmp_path, said.append))
    first = [next(waiting), next(waiting)]
    assert [(f.name, f.time) for f in first if f] == [("b.png", 1000), ("a.png", 2000)]
    assert next(waiting) is None
    (tmp_path / "c.png").write_bytes(whole)
    frame = next(waiting)
    assert frame is not None
    assert frame.name == "c.png"
    assert said == []
    (tmp_path / "d.png").write_bytes(b"never a picture")
    for _ in range(8):
        assert next(waiting) is None
    assert len(said) == 1
    assert "d.png" in said[0]


# sending


class Receiver:
    """A server that answers with given statuses, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.got: list[dict[str, object]] = []
        left = list(statuses)
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = left.pop(0) if left else 200
                if status == 200:
                    got.append(json.loads(body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/plates"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_what_fails_is_sent_again_and_what_is_refused_is_not() -> None:
    said: list[str] = []
    with Receiver(503, 500, 200, 400) as receiver:
        hook = Webhook(receiver.url, said.append, pause=0.001)
        for text in ("one", "two", "three"):
            hook.send({"text": text})
        hook.close()
    assert [row["text"] for row in receiver.got] == ["one", "three"]
    assert said == ["webhook: not sent: two (HTTP 400)"]
    assert hook.unsent == 1


def test_results_that_cannot_be_sent_do_not_pile_up() -> None:
    said: list[str] = []
    with Receiver() as receiver:
        url = receiver.url
    hook = Webhook(url, said.append, pause=1000)  # nothing listens there any more
    for n in range(WAITING + 10):
        hook.send({"text": str(n)})
    assert 9 <= hook.unsent <= 10
    hook.close(seconds=0.05)
    assert "not sent in time" in said[-1]
    with pytest.raises(InputError, match="http://"):
        Webhook("ftp://somewhere", said.append)


# the command


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
