"""Readings that are not sure enough, and plates read from several frames, as a user sees them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import InputError, Reader, TrackReading
from crnn_ctc.cli.tracks import tracks
from helpers.cli import run_cli
from helpers.data import EXAMPLES

PLATES = sorted((EXAMPLES / "plates").iterdir())
UNSURE = next(p for p in PLATES if "green car" in p.name)
SURE = next(p for p in PLATES if "dusk" in p.name)
YELLOW = next(p for p in PLATES if "yellow" in p.name)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(min_confidence=0.98)


def test_a_reader_refuses_what_is_less_probable(reader: Reader) -> None:
    sure, unsure = reader.read([SURE, UNSURE])
    assert (sure.accepted, unsure.accepted) == (True, False)
    assert unsure.text  # for a person to look at
    assert 0 < unsure.confidence < 0.98 <= sure.confidence
    assert not reader(UNSURE).accepted
    assert Reader()(UNSURE).accepted


def test_what_cannot_be_read_is_not_accepted(tmp_path: Path) -> None:
    (reading,) = Reader().read([tmp_path / "missing.png"])
    assert not reading.accepted


def test_a_grammar_does_not_make_a_wrong_text_surer() -> None:
    """Two plates of which the picture shows neither."""
    free = Reader()(SURE)
    forced = Reader(grammar="re:苏D18RL9|皖A12345", min_confidence=0.01)(SURE)
    assert forced.text in {"苏D18RL9", "皖A12345"}
    assert forced.confidence < 1e-3
    assert not forced.accepted
    among = Reader(grammar=f"re:皖A12345|{free.text}")(SURE)
    assert (among.text, among.confidence) == (free.text, free.confidence)


def test_noise_is_no_plate() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (20, 48, 168, 3), np.uint8)
    for reading in Reader(min_confidence=0.5).read(list(noise)):
        assert not reading.accepted


def test_nothing_read_is_nothing_accepted(tmp_path: Path) -> None:
    """Not even where everything is accepted."""
    grey = np.full((48, 168, 3), 128, np.uint8)
    for model in ("plates-tiny", "digits-tiny"):
        reading = Reader(model)(grey)
        assert (reading.text, reading.confidence, reading.accepted) == ("", 0.0, False)
        assert not reading.with_threshold(0.0).accepted
    track = Reader().read_track([grey, np.full((48, 168, 3), 120, np.uint8)])
    assert (track.text, track.confidence, track.accepted) == ("", 0.0, False)
    path = tmp_path / "grey.png"
    Image.fromarray(grey).save(path)
    done = run_cli("predict", path, "--min-confidence", 0.5)
    assert done.returncode == 3
    assert b"; 1 refused below 0.5" in done.stderr
    (line,) = done.stdout.decode().splitlines()[1:]
    assert "(no text)" in line
    assert "%" not in line
    assert "REFUSED" in line
    done = run_cli("predict", path, "--format", "json")
    assert done.returncode == 0
    (value,) = json.loads(done.stdout)
    assert (value["text"], value["confidence"], value["accepted"]) == ("", 0, False)


@pytest.mark.parametrize("least", [-0.1, 1.01, float("nan")])
def test_a_least_confidence_is_from_0_to_1(least: float) -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        Reader(min_confidence=least)
    done = run_cli("predict", SURE, "--min-confidence", least)
    assert done.returncode == 2
    assert b"from 0 to 1" in done.stderr


def test_refused_readings_are_marked_and_have_exit_code_3(tmp_path: Path) -> None:
    predict = ("predict", SURE, UNSURE, "--min-confidence", 0.98)
    done = run_cli(*predict, "--save", tmp_path)
    assert done.returncode == 3
    assert b"2 pictures read with plates-small" in done.stderr
    assert b"; 1 refused below 0.98" in done.stderr
    header, first, second = done.stdout.decode().splitlines()
    assert header.split() == ["text", "confidence", "answer", "ms", "path"]
    assert "accepted" in first
    assert "REFUSED" in second
    assert "沪D·GX2994" in second
    with Image.open(tmp_path / f"{UNSURE.stem}.png") as sheet:
        refused = np.asarray(sheet)
    run_cli("predict", UNSURE, "--save", tmp_path / "plain")
    with Image.open(tmp_path / "plain" / f"{UNSURE.stem}.png") as sheet:
        plain = np.asarray(sheet)
    assert not np.array_equal(refused[:64], plain[:64])
    assert np.array_equal(refused[64:], plain[64:])

    done = run_cli(*predict, "--format", "text")
    assert done.returncode == 3
    assert done.stdout.decode() == f"{SURE.name[:2]}·{SURE.name[2:7]}\n\n"
    done = run_cli(*predict, "--format", "json")
    values = json.loads(done.stdout)
    assert [value["accepted"] for value in values] == [True, False]
    assert values[1]["text"] == "沪DGX2994"
    assert all("mass" not in value for value in values)
    done = run_cli(*predict, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert [row["accepted"] for row in rows] == ["true", "false"]


def test_a_failure_outweighs_a_refusal() -> None:
    done = run_cli("predict", UNSURE, "missing.png", "--min-confidence", 0.98)
    assert done.returncode == 2
    assert b"1 refused below 0.98; 1 could not be read" in done.stderr


def test_nothing_refused_is_exit_code_0() -> None:
    done = run_cli("predict", SURE, "--min-confidence", 0.98)
    assert done.returncode == 0
    assert b"refused" not in done.stderr


def worse(path: Path, width: int) -> Image.Image:
    with Image.open(path) as picture:
        size = (width, round(width * picture.height / picture.width))
        return picture.convert("RGB").resize(size, Image.Resampling.BOX)


def test_identical_frames_are_one_picture() -> None:
    reader = Reader(alternatives=2)
    for source in [*PLATES, *(worse(path, 52) for path in PLATES)]:
        alone = reader(source)
        for count in (1, 8):
            track = reader.read_track([source] * count)
            assert (track.text, track.confidence) == (alone.text, alone.confidence)
            assert track.characters == alone.characters
            assert track.alternatives == alone.alternatives
            assert (track.frames, track.best, track.skipped) == (count, 0, ())


def test_frames_that_are_all_but_identical_are_hardly_surer() -> None:
    """A parked car: one view with a grain of noise."""
    random = np.random.default_rng(1)
    reader = Reader()
    for path in PLATES:
        frame = np.asarray(worse(path, 52))
        noisy = [np.clip(frame + random.integers(-1, 2, frame.shape), 0, 255) for _ in range(8)]
        frames = [image.astype(np.uint8) for image in noisy]
        alone = reader(frames[0])
        if not alone.text:
            continue
        odds = alone.confidence / (1 - alone.confidence)
        track = reader.read_track(frames)
        # eight independent frames would have the odds to the power of eight
        assert track.confidence / (1 - track.confidence) < 4 * max(odds, 1 / odds) ** 2


def test_frames_are_surer_together() -> None:
    """Of a plate with one row, and of one with two, which is read both ways."""
    two_rows = next((p for p in PLATES if "挂" in p.name), YELLOW)
    reader = Reader(alternatives=2)
    for path, widths in ((SURE, (60, 52, 44)), (two_rows, (60, 52, 44))):
        frames = [worse(path, width) for width in widths]
        text = reader(path).text
        track = reader.read_track(frames)
        assert isinstance(track, TrackReading)
        assert track.text == text
        assert "".join(c.text for c in track.characters) == text
        assert track.frames == 3
        assert len(track.alternatives) == 2
        assert 0 <= track.alternatives[1].probability <= track.alternatives[0].probability
        best = frames[track.best]
        assert all(0 <= c.start <= c.end <= best.width for c in track.characters)


def test_broken_frames_are_left_out(tmp_path: Path) -> None:
    reader = Reader()
    missing = tmp_path / "missing.png"
    track = reader.read_track([missing, SURE, tmp_path / "other"], batch_size=1)
    assert track.text == reader(SURE).text
    assert (track.frames, track.best, len(track.skipped)) == (1, 1, 2)
    assert str(missing) in track.skipped[0]
    with pytest.raises(InputError, match=r"missing.png: no such file.*and 1 more"):
        reader.read_track([missing, tmp_path / "other"])
    with pytest.raises(InputError, match="a track without pictures"):
        reader.read_track([])
    with pytest.raises(InputError, match="batch size 0"):
        reader.read_track([SURE], batch_size=0)


def test_a_model_without_a_grammar_reads_tracks() -> None:
    digits = sorted((EXAMPLES / "digits").iterdir())[0]
    track = Reader("digits-tiny").read_track([digits, digits])
    assert track.text == digits.name[:5]
    assert track.confidence > 0.95


def test_a_folder_is_a_track_and_loose_pictures_are_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(2):
            shutil.copy(SURE, tmp_path / name / f"{k}.jpg")
    loose = [str(SURE), str(YELLOW)]
    found = list(tracks([str(tmp_path / "a"), loose[0], str(tmp_path / "b"), loose[1]]))
    assert [(Path(t.name).name, len(t.frames)) for t in found] == [
        ("a", 2),
        ("b", 2),
        (SURE.name, 2),
    ]


def test_predict_reads_tracks(tmp_path: Path) -> None:
    folder = tmp_path / "车 1"
    folder.mkdir()
    for width in (120, 100, 80):
        worse(SURE, width).save(folder / f"{width}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    empty = tmp_path / "empty"
    empty.mkdir()
    out = tmp_path / "out"
    done = run_cli("predict", "--track", folder, "--format", "json", "--save", out)
    assert done.returncode == 2, done.stderr  # a frame could not be read, the others were
    assert "1 track read with plates-small" in done.stderr.decode()
    assert "broken.png: not a picture" in done.stderr.decode()
    assert "1 picture of 4 left out" in done.stderr.decode()
    (value,) = json.loads(done.stdout)
    assert value["path"] == str(folder)
    assert value["text"] == SURE.name[:7]
    assert value["frames"] == 3
    assert len(value["skipped"]) == 1
    assert [p.suffix for p in out.iterdir()] == [".png"]
    done = run_cli("predict", "--track", folder, empty)
    assert done.returncode == 2
    assert "1 could not be read" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
