"""Every case of shared/cases, as a user runs it today: README.md there says what was wrong in 0.1.

Cases 20 (8 bits) and 22 (ncnn) are tests/export, 21 (PyInstaller) is tests/project.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import Reader
from helpers.cli import run_cli
from helpers.data import EXAMPLES, SHARED, missing

PLATE = "宁A11P94"
CASES = SHARED.parent / "cases"


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """A copy of the cases; ``gbk`` has a picture whose name is in GBK."""
    if not CASES.is_dir():
        missing("the cases are not here: cases beside the project in shared")
    folder = tmp_path / "cases"
    shutil.copytree(CASES, folder, copy_function=shutil.copyfile)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    return folder


@pytest.fixture
def gbk(cases: Path) -> Path:
    if sys.platform != "linux":
        pytest.skip("names are text there")
    name = PLATE.encode("gbk") + b"_0.png"
    shutil.copy(cases / "plate.png", os.fsencode(cases / "gbk") + b"/" + name)
    return cases / "gbk"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(min_confidence=0.9)


@pytest.mark.parametrize("encoding", ["cp1252", "gbk"])
def test_01_output_is_utf8_whatever_standard_output_is(cases: Path, encoding: str) -> None:
    done = run_cli(
        "predict", cases / "plate.png", "--format", "json",
        PYTHONUTF8="0", PYTHONIOENCODING=encoding,
    )  # fmt: skip
    assert json.loads(done.stdout)[0]["text"] == PLATE


def test_01b_01d_02_a_file_name_in_gbk(gbk: Path, tmp_path: Path) -> None:
    done = run_cli("predict", gbk, "--format", "json", LC_ALL="C.UTF-8")
    assert [row["text"] for row in json.loads(done.stdout)] == [PLATE, PLATE]
    done = run_cli("bulk", gbk, "--out", tmp_path / "out", PYTHONIOENCODING="utf-8:strict")
    assert done.returncode == 0, done.stderr.decode()
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 1


def test_03_a_plate_that_no_rule_allows_has_no_confidence(cases: Path) -> None:
    other = Reader(grammar="re:苏D18RL9|皖A12345")(cases / "plate.png")
    assert other.confidence < 0.01
    assert Reader(known=["苏D18RL9", "皖A12345"])(cases / "plate.png").text == ""


def test_04_copies_of_a_frame_say_what_one_says(reader: Reader, cases: Path) -> None:
    plate = Image.open(cases / "plate.png").convert("RGB")
    small = np.asarray(plate.resize((33, 10), Image.Resampling.BOX))
    one, eight = reader(small), reader.read_track([small] * 8)
    assert (eight.text, eight.accepted) == (one.text, one.accepted)
    assert eight.confidence == pytest.approx(one.confidence, abs=1e-3)


def test_06_the_colour_order_of_opencv(reader: Reader) -> None:
    for path in sorted((EXAMPLES / "plates").iterdir()):
        rgb = np.asarray(Image.open(path).convert("RGB"))
        as_opencv = reader(rgb[..., ::-1], channel_order="bgr")
        assert as_opencv == replace(reader(rgb), ms=as_opencv.ms)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no_eoi.jpg", PLATE),  # 07
        ("scene.jpg", PLATE),  # 08
        ("rot90.png", PLATE),  # 09
        ("rot180.png", PLATE),
        ("letterbox.png", PLATE),  # 10
        ("padded_right.png", PLATE),
        ("mono16_full.png", PLATE),  # 11
        ("mono12_in_16.png", PLATE),
        ("mono10_in_16.png", PLATE),
    ],
)
def test_07_to_11_pictures_are_read(reader: Reader, cases: Path, name: str, text: str) -> None:
    reading = reader(cases / name)
    assert (reading.text, reading.accepted) == (text, True)
    assert bool(reading.warning) == (name == "no_eoi.jpg")


def test_12_the_letter_o(reader: Reader, cases: Path) -> None:
    assert reader(cases / "o_plate.png").text == "粤OA2160"


def test_13_what_is_no_picture_stops_no_stream(reader: Reader, cases: Path) -> None:
    content = (cases / "plate.png").read_bytes()
    readings = list(reader.read([content, None, io.BytesIO(content), memoryview(content)]))  # type: ignore[list-item]
    assert [reading.text for reading in readings] == [PLATE, "", PLATE, PLATE]
    assert "None is not a picture" in (readings[1].error or "")
    with pytest.raises(TypeError, match="one picture, where several are read"):
        list(reader.read("plate.png"))


def test_14_a_reader_can_be_pickled(reader: Reader, cases: Path) -> None:
    again = pickle.loads(pickle.dumps(reader))
    assert again(cases / "plate.png").text == PLATE


def test_15_17_18_data_of_ones_own(cases: Path, tmp_path: Path) -> None:
    done = run_cli("data", "check", cases / "tags")
    assert (done.returncode, b"0 errors, 0 warnings" in done.stdout + done.stderr) == (0, True)
    done = run_cli("evaluate", "plates-nano", cases / "backslash", "--json", tmp_path / "e.json")
    assert done.returncode == 0, done.stderr.decode()
    done = run_cli("data", "ccpd", cases / "ccpd_flat", tmp_path / "crops")
    assert b"1 crops" in done.stdout + done.stderr


def test_05_16_labels_of_tables_and_empty_ones_are_trained_on(cases: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    for name, expected in (("numbered", "云京"), ("empty", PLATE[0])):
        run = tmp_path / name
        done = run_cli(
            "train", "text-tiny", "--data", cases / name, "--run", run, "--from", "plates-nano",
            "--set", "network.architecture=CNN_Nano", "--set", "network.rnn=none",
            "--set", "training.images=8", "--set", "training.batch_size=4",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        assert expected in (run / "recipe.toml").read_text(encoding="utf-8")


def test_19_cut_plates_cost_a_bounded_search(cases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, asked = Reader("plates-nano-int8", find="never"), []
    compute = reader.runtime.log_probs
    monkeypatch.setattr(
        reader.runtime, "log_probs", lambda images: asked.append(len(images)) or compute(images)
    )
    plate = Image.open(cases / "plate.png").convert("RGB")
    reader(plate.crop((0, 0, int(0.6 * plate.width), plate.height)))
    assert sum(asked) <= 3  # straightened again, and upside down
