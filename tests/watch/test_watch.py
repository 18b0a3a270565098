"""Video: vehicles followed from frame to frame, sources that break, results sent away."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.errors import InputError
from crnn_ctc.reading import Reading
from crnn_ctc.watch.follow import MOST_OPEN, VIEWS, KeptFrame, Sighting, Tracker
from crnn_ctc.watch.frame import Frame
from crnn_ctc.watch.sources import Folder, Live
from crnn_ctc.watch.vehicles import Vehicle, Watcher
from crnn_ctc.watch.webhook import WAITING, Webhook
from helpers.receiver import Receiver
from helpers.streets import PLATES, street
from helpers.videos import SIZE, passing

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


def test_a_car_parked_for_an_hour_is_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    parked = street(("blue", (250, 180), 130), size=SIZE)
    reader = Reader("plates-nano", find="always")
    (plate,) = reader.find(parked)
    rng = np.random.default_rng(0)

    def find(picture: Image.Image, turned: bool) -> list[Reading]:
        """What a real reader finds in noisy frames: the plate trembles, is missed or misread."""
        if rng.random() < 0.1:
            return []
        corners = np.array(plate.corners) + rng.normal(0, 2, (4, 2))
        text = "苏D18RL8" if rng.random() < 0.2 else plate.text
        quad = tuple((float(x), float(y)) for x, y in corners)
        return [replace(plate, text=text, confidence=float(rng.random()), corners=quad)]

    monkeypatch.setattr(reader, "find", find)
    watcher = Watcher(reader)
    frames = range(3 * 3600)  # every third of a second
    found = [gone for n in frames for gone in watcher.update(Frame(n, n / 3, parked))]
    (only,) = found + watcher.finish()
    assert only.reading.text == BLUE
    assert only.last - only.first > 3590
    assert only.reading.frames <= VIEWS


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
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for _ in range(8):
        assert next(waiting) is None
    assert sorted(Path(line.partition(": ")[0]).name for line in said) == ["d.png", "loop.png"]
    (tmp_path / "d.png").write_bytes(whole)
    os.utime(tmp_path / "d.png", (3000, 3000))
    frame = next(waiting)
    assert frame is not None  # written again
    assert frame.name == "d.png"


def test_a_folder_tells_what_it_could_not_read_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crnn_ctc.watch.sources.TICK", 0.01)
    said: list[str] = []
    (tmp_path / "a.png").write_bytes(b"half a picture")
    folder = Folder(tmp_path, said.append)
    waiting = iter(folder)
    assert next(waiting) is None
    assert said == []
    waiting.close()  # type: ignore[attr-defined]
    assert len(said) == 1
    assert folder.error == said[0]


# sending


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
