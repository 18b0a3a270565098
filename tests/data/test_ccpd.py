from __future__ import annotations

import csv
import math
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.data.ccpd import CHARACTERS, LETTERS, PROVINCES, find_pictures, parse_name
from crnn_ctc.errors import InputError
from helpers.ccpd import QUARTERS, photo, photo_name, write_ccpd
from helpers.cli import command, run_cli
from helpers.data import shared_data

#: The example of CCPD's own README.
README = "025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15.jpg"


def test_the_readme_example_by_hand() -> None:
    name = parse_name(f"ccpd_base/{README}")
    assert name.area == 0.025
    assert name.tilt == (95, 113)
    assert name.box == ((154, 383), (386, 473))
    assert name.corners == ((386, 473), (177, 454), (154, 383), (363, 402))
    assert name.plate == "皖AY339S"
    assert (name.brightness, name.blur) == (37, 15)
    assert name.complete


def test_a_green_plate_has_eight_characters() -> None:
    name = parse_name(
        "02625-94_253-242&460_494&565-494&565_256&530_242&460_485&480-0_0_3_24_24_29_25_32-76-47"
    )
    assert name.plate == "皖AD00518"
    assert name.tilt == (94, 253)


def named(
    plate: str, corners: str = "386&473_177&454_154&383_363&402", box: str = "154&383_386&473"
) -> str:
    return f"025-95_113-{box}-{corners}-{plate}-37-15.jpg"


def test_tables_end_with_the_placeholder() -> None:
    assert [len(t) for t in (PROVINCES, LETTERS, CHARACTERS)] == [34, 25, 35]
    assert parse_name(named("31_0_22_27_27_33_16")).plate == "警AY339S"
    assert parse_name(named("32_23_0_23_24_33_25")).plate == "学ZAZ091"
    for plate in ("33_0_22_27_27_33_16", "0_24_22_27_27_33_16", "0_0_22_27_27_33_34"):
        assert not parse_name(named(plate)).complete


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("025-95_113-154&383_386&473.jpg", "not a CCPD name"),
        (named("0_0_22_27_27_33_16").replace("95_113", "x"), "not a CCPD name"),
        (named("0_0_22_27_27_33_16").replace("37-15", "37"), "not a CCPD name"),
        (named("0_0_22_27_27_33_16", "386&473_177&454_154&383"), "not a CCPD name"),
        ("plate.jpg", "not a CCPD name"),
        (named("34_0_22_27_27_33_16"), "character 34 is not among CCPD's 34"),
        (named("0_25_22_27_27_33_16"), "character 25 is not among CCPD's 25"),
        (named("0_0_22_27_27_33_35"), "character 35 is not among CCPD's 35"),
        (named("0_0_22_27_27_33"), "6 characters"),
        (named("0_0_22_27_27_33_16_1_1"), "9 characters"),
        (named("0_0_22_27_27_33_16", box="386&473_154&383"), "is empty"),
        (named("0_0_22_27_27_33_16", "10&10_20&20_30&30_40&40"), "no convex quadrilateral"),
        (named("0_0_22_27_27_33_16", "300&100_0&100_0&0_20&90"), "no convex quadrilateral"),
    ],
)
def test_bad_names(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says.replace("(", r"\(")) as error:
        parse_name(name)
    assert name in str(error.value)


@st.composite
def plates(draw: st.DrawFn) -> tuple[list[tuple[int, int]], str, str]:
    """Corners of a turned and slanted plate, its string, and the name that CCPD would give it."""
    degrees = draw(st.integers(-50, 50))
    slant = draw(st.integers(-20, 20))
    height = draw(st.integers(20, 60))
    width = draw(st.integers(2 * height, 4 * height))
    turn, lean = math.radians(degrees), math.tan(math.radians(slant))
    corners = []
    for x, y in ((1, 1), (0, 1), (0, 0), (1, 0)):
        along, down = x * width + lean * y * height, y * height
        corners.append(
            (
                round(500 + along * math.cos(turn) - down * math.sin(turn)),
                round(500 + along * math.sin(turn) + down * math.cos(turn)),
            )
        )
    count = draw(st.sampled_from([5, 6]))
    indices = [draw(st.integers(0, 32)), draw(st.integers(0, 23))]
    indices += [draw(st.integers(0, 33)) for _ in range(count)]
    text = PROVINCES[indices[0]] + LETTERS[indices[1]] + "".join(CHARACTERS[i] for i in indices[2:])
    return corners, text, "_".join(map(str, indices))


@given(plates(), st.permutations(range(4)))
def test_names_round_trip_whatever_the_corners_order(
    plate: tuple[list[tuple[int, int]], str, str], order: list[int]
) -> None:
    corners, text, indices = plate
    for points in (corners, [corners[i] for i in order]):
        name = parse_name(named(indices, "_".join(f"{x}&{y}" for x, y in points)))
        assert name.plate == text
        assert list(name.corners) == corners


def test_layouts(tmp_path: Path) -> None:
    root = write_ccpd(tmp_path / "real")
    pictures = list(find_pictures(root))
    assert all(p.path.is_file() for p in pictures)
    kinds = [(p.dataset, p.split, p.subset) for p in pictures]
    assert kinds == [
        *[("CCPD2019", "train", "base")] * 2,
        *[("CCPD2019", "val", "base")] * 2,
        *[("CCPD2019", "test", "blur")] * 2,
        ("CCPD2019", "unlisted", "weather"),
        ("CCPD2020", "train", "green"),
        ("CCPD2020", "val", "green"),
        ("CCPD2020", "test", "green"),
    ]
    assert pictures[0].listed.endswith("train.txt:1")
    # the set itself may be named as well, and its pictures are called the same
    parts = [*find_pictures(root / "CCPD2019"), *find_pictures(root / "CCPD2020")]
    assert [p.source for p in parts] == [p.source for p in pictures]


def test_lists_of_subsets_stand_in_for_test(tmp_path: Path) -> None:
    root = write_ccpd(tmp_path) / "CCPD2019"
    (root / "splits" / "test.txt").rename(root / "splits" / "ccpd_blur.txt")
    assert [p.subset for p in find_pictures(root) if p.split == "test"] == ["blur", "blur"]


def test_folders_that_are_no_ccpd(tmp_path: Path) -> None:
    for folder, says in ((tmp_path / "no", "no such folder"), (tmp_path, "holds neither")):
        with pytest.raises(InputError, match=says):
            list(find_pictures(folder))
    (tmp_path / "ccpd_base").mkdir()
    with pytest.raises(InputError, match="no folder splits"):
        list(find_pictures(tmp_path))


def pixels(path: Path) -> NDArray[np.int16]:
    with Image.open(path) as image:
        return np.asarray(image, np.int16)


def quarters(image: NDArray[np.int16], inwards: float = 0.25) -> list[tuple[int, ...]]:
    """Colours of the four quarters of a crop, a share of its sides inwards from its corners."""
    height, width = image.shape[:2]
    u, v, far_u, far_v = (
        round(share * (side - 1)) for share in (inwards, 1 - inwards) for side in (width, height)
    )
    places = ((u, v), (far_u, v), (far_u, far_v), (u, far_v))
    return [tuple(image[y, x].tolist()) for x, y in places]


def near(found: list[tuple[int, ...]]) -> bool:
    return bool(np.abs(np.array(found) - np.array(QUARTERS)).max() < 12)  # JPEG is not exact


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_crops_by_corners_come_out_straight(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    source = write_ccpd(tmp_path / "原 图")
    done = run_cli("data", "ccpd", source, tmp_path / "车 牌", "--workers", "1")
    assert done.returncode == 0, done.stderr
    made = rows(tmp_path / "车 牌")
    assert len(made) == 10
    for row in made:
        crop = pixels(tmp_path / "车 牌" / row["file"])
        # sides 383.3 and 130.4 pixels long, and both ends
        assert crop.shape == (int(row["height"]), int(row["width"]), 3) == (131, 384, 3)
        assert near(quarters(crop))
        assert near(quarters(crop, 0.02))  # up to its corners, and nothing of the grey ground
    first = made[0]
    assert re.fullmatch(r"CCPD2019/train/皖AY339S_[0-9a-f]{12}\.jpg", first["file"])
    assert first["source"] == f"CCPD2019/ccpd_base/{photo_name(0)}"
    assert {r["colour"] for r in made} == {"blue", "green"}
    assert {r["split"] for r in made} == {"train", "val", "test", "unlisted"}
    assert b"\x1b" not in done.stderr  # no bar in a pipe
    assert not (tmp_path / "车 牌" / "rejected.csv").exists()


def test_crops_by_box_keep_the_tilt(tmp_path: Path) -> None:
    done = run_cli("data", "ccpd", write_ccpd(tmp_path / "s"), tmp_path / "d", "--crop", "box")
    assert done.returncode == 0, done.stderr
    crop = pixels(tmp_path / "d" / rows(tmp_path / "d")[0]["file"])
    expected = np.asarray(photo().crop((150, 430, 530, 660)), np.int16)
    assert crop.shape == expected.shape
    assert np.abs(crop - expected).mean() < 4


def test_plates_that_are_taken_twice_are_both_kept(tmp_path: Path) -> None:
    done = run_cli("data", "ccpd", write_ccpd(tmp_path / "s", 60), tmp_path / "d", "--crop", "box")
    assert done.returncode == 0, done.stderr
    made = rows(tmp_path / "d")
    assert len({r["file"] for r in made}) == len(made) == 64
    assert len(list((tmp_path / "d").rglob("*.jpg"))) == 64
    twice = [r["file"] for r in made if r["file"].startswith("CCPD2019/train/皖AY339S_")]
    assert len(twice) > 5


def files(folder: Path) -> dict[str, bytes]:
    """All that a user sees of a folder of crops."""
    found = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def test_any_count_of_workers_makes_the_same_jitter(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    source = write_ccpd(tmp_path / "s", 40)
    runs = {
        name: run_cli("data", "ccpd", source, tmp_path / name, "--crop", "jitter", *options)
        for name, options in {
            "one": ("--workers", "1", "--copies", "2"),
            "two": ("--workers", "2", "--copies", "2"),
            "other": ("--workers", "1", "--copies", "2", "--seed", "1"),
            "single": ("--workers", "1"),
        }.items()
    }
    assert [done.returncode for done in runs.values()] == [0, 0, 0, 0]
    one, two, other = (files(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert len(one) == 2 * 44 + 1
    assert one.keys() == other.keys()
    pictures = [name for name in one if name.endswith(".jpg")]
    assert sum(one[name] != other[name] for name in pictures) > 80
    # the jitter hangs on the picture, not on how many copies of others there are
    by_source = {r["source"]: r["file"] for r in reversed(rows(tmp_path / "one"))}
    for row in rows(tmp_path / "single"):
        assert files(tmp_path / "single")[row["file"]] == one[by_source[row["source"]]]
        assert near(
            quarters(pixels(tmp_path / "single" / row["file"]))
        )  # never so far that a quarter goes


@pytest.mark.slow
def test_killed_runs_go_on_and_end_the_same(tmp_path: Path) -> None:
    source = write_ccpd(tmp_path / "s", 150, broken=True)
    arguments = ("data", "ccpd", source, tmp_path / "killed", "--crop", "box", "--workers", "2")
    crops_at_kill = []
    for enough in (1, 60):
        process = subprocess.Popen(
            command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            crops = len(list((tmp_path / "killed").glob("CCPD*/*/*.jpg")))
            if crops >= enough:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        process.wait()
        crops_at_kill.append(crops)
    assert crops_at_kill[0] < 150
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "killed").glob("CCPD*/*/*.jpg")}
    done = run_cli(*arguments)
    assert done.returncode == 2
    assert b"were there already" in done.stderr
    whole = run_cli(*arguments[:3], tmp_path / "whole", "--crop", "box", "--workers", "1")
    assert whole.returncode == 2
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert len(rows(tmp_path / "whole")) == 154
    # what was made before the kill was not made again
    assert {p: p.stat().st_mtime_ns for p in before} == before
    mtimes = {p: p.stat().st_mtime_ns for p in before}
    assert run_cli(*arguments).returncode == 2
    assert {p: p.stat().st_mtime_ns for p in before} == mtimes


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_killed_run_leaves_no_process_behind(tmp_path: Path) -> None:
    source = write_ccpd(tmp_path / "s", 120)
    target = tmp_path / "d"
    process = subprocess.Popen(
        command("data", "ccpd", source, target, "--crop", "box", "--workers", "2")
    )
    while process.poll() is None and not list(target.glob("CCPD*/*/*.jpg")):
        time.sleep(0.002)
    children = {
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _parent(entry) == process.pid
    }
    process.kill()
    process.wait()
    assert children
    waited = 0
    while any(_parent(Path(f"/proc/{child}")) is not None for child in children):
        time.sleep(0.05)
        waited += 1
        assert waited < 600, "a worker outlives its parent"


def _parent(entry: Path) -> int | None:
    """The parent of a process that still runs."""
    try:
        state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def test_what_gives_no_crop_is_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    source = write_ccpd(tmp_path / "s", broken=True)
    done = run_cli("data", "ccpd", source, tmp_path / "d", "--crop", "box")
    said = done.stderr.decode()
    assert done.returncode == 2
    assert len(rows(tmp_path / "d")) == 10
    with (tmp_path / "d" / "rejected.csv").open(encoding="utf-8", newline="") as file:
        reasons = {r["source"].rpartition("/")[2]: r["reason"] for r in csv.DictReader(file)}
    assert len(reasons) == 5
    for name, says in (
        ("gone-name.jpg", "train.txt:3: CCPD2019/ccpd_base/gone-name.jpg: not a CCPD name"),
        (photo_name(902), "no such file"),
        (photo_name(903), "picture"),
        (photo_name(904), "72x116 pixels, but its plate is at 150,430"),
        (photo_name(905, "0_0_34_27_27_33_16"), "not known to CCPD"),
    ):
        assert says in reasons[name]
        assert reasons[name] in said
    assert "5 pictures gave no crop" in said
    assert "Traceback" not in said
    # mended pictures are taken up by the next run
    for serial in (902, 903, 904):
        photo().save(source / "CCPD2019" / "ccpd_base" / photo_name(serial))
    done = run_cli("data", "ccpd", source, tmp_path / "d", "--crop", "box")
    assert done.returncode == 2
    assert len(rows(tmp_path / "d")) == 13
    assert "2 pictures gave no crop" in done.stderr.decode()
    # and what is no longer listed is no longer reported
    for split, name in (("train", "gone-name"), ("test", "_34_")):
        path = source / "CCPD2019" / "splits" / f"{split}.txt"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if name not in line))
    assert run_cli("data", "ccpd", source, tmp_path / "d", "--crop", "box").returncode == 0
    assert not (tmp_path / "d" / "rejected.csv").exists()


def test_wrong_use_is_one_line(tmp_path: Path) -> None:
    source, target = write_ccpd(tmp_path / "s"), tmp_path / "d"
    assert run_cli("data", "ccpd", source, target, "--crop", "box").returncode == 0
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    for arguments, says in (
        ((source, target, "--crop", "corners"), "made with --crop box, not corners"),
        ((source, tmp_path / "e", "--crop", "box", "--copies", "2"), "use --crop jitter"),
        ((tmp_path, tmp_path / "e"), "holds neither CCPD2019"),
        ((tmp_path / "no", tmp_path / "e"), "no such folder"),
        ((source, blocked / "x", "--crop", "box"), "cannot be written"),
        ((source, source, "--crop", "box"), "holds other pictures already"),
    ):
        done = run_cli("data", "ccpd", *arguments)
        assert done.returncode == 2
        assert says in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()
    assert not (tmp_path / "e").exists()


def test_a_folder_of_pictures_alone(tmp_path: Path) -> None:
    folder = tmp_path / "flat"
    folder.mkdir()
    photo().save(folder / photo_name(1))
    photo().save(folder / photo_name(2))
    (folder / "notes.txt").write_text("no picture")
    done = run_cli("data", "ccpd", folder, tmp_path / "d", "--crop", "box")
    assert done.returncode == 0, done.stderr
    made = rows(tmp_path / "d")
    assert len(made) == 2
    assert {(r["split"], r["subset"], r["label"]) for r in made} == {("unlisted", "", "皖AY339S")}
    # a picture of another name is rejected, and the rest goes on
    photo().save(folder / "holiday.jpg")
    done = run_cli("data", "ccpd", folder, tmp_path / "d", "--crop", "box")
    assert done.returncode == 2
    assert b"holiday.jpg: not a CCPD name" in done.stderr
    assert rows(tmp_path / "d") == made


def test_real_pictures(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    source = shared_data("ccpd")
    done = run_cli("data", "ccpd", source, tmp_path, "--workers", "2")
    assert done.returncode == 0, done.stderr
    made = rows(tmp_path)
    counts: dict[str, int] = {}
    for row in made:
        folder = row["file"].rpartition("/")[0]
        counts[folder] = counts.get(folder, 0) + 1
        assert len(row["label"]) == (8 if row["subset"] == "green" else 7)
        with Image.open(tmp_path / row["file"]) as crop:
            assert crop.size == (int(row["width"]), int(row["height"]))
            # plates are 3.1 and 3.4 times as wide as high
            assert 1.5 < crop.width / crop.height < 6
    assert counts == {
        "CCPD2019/train": 140, "CCPD2019/val": 30, "CCPD2019/test": 30,
        "CCPD2020/train": 2, "CCPD2020/val": 1, "CCPD2020/test": 1,
    }  # fmt: skip
    assert all((source / row["source"]).is_file() for row in made)
