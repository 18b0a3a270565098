from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from helpers.ccpd import write_ccpd
from helpers.cli import TRAINING, command, run_cli, run_without
from helpers.data import shared_data


def picture(number: int, width: int = 120, height: int = 40) -> Image.Image:
    """Pictures that no other number has, nor anything like it."""
    rng = np.random.default_rng(number)
    small = Image.fromarray(rng.integers(0, 255, (8, 16, 3), np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def write_set(folder: Path, rows: dict[str, str], header: str = "file,label") -> Path:
    """A manifest and a picture of its own for each of its rows."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [header]
    for number, (name, rest) in enumerate(rows.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(folder / name)
        lines.append(f"{name},{rest}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "labels.csv"


def check(*arguments: object) -> tuple[int, list[str], dict[str, object]]:
    """Exit code, lines, and what the JSON file says."""
    file = Path(str(arguments[0])).parent / "findings.json"
    done = run_cli("data", "check", *arguments, "--json", file)
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stdout.decode().splitlines(), json.loads(file.read_text("utf-8"))


def test_a_sound_set_has_no_findings(tmp_path: Path) -> None:
    manifest = write_set(
        tmp_path / "数 据", {"a.png": "皖AY0D83", "b.png": "皖AD00518", "c.png": "危险品"}
    )
    code, lines, values = check(manifest, "--steps", "10", "--alphabet", "PLATES")
    assert (code, lines) == (0, ["3 pictures: 0 errors, 0 warnings"])
    assert values["findings"] == []


def test_each_kind_of_fault_is_found_with_file_and_line(tmp_path: Path) -> None:
    manifest = write_set(
        tmp_path,
        {
            "ok.png": "皖AY0D83,train",
            "cut.png": "皖AY0D84,train",
            "letter.png": "皖AO0D85,train",
            "repeats.png": "皖A11111,train",
            "empty.png": " ,train",
            "twin.png": "皖AY0D83,train",
            "wrong-twin.png": "皖AY0D86,train",
            "leak.png": "皖AY0D83,test",
            "again.png": "皖AY0D83,test",
            "short.png": "皖A1234,test",
            "lower.png": "皖ay0d87,test",
            "wide.png": "皖\uff21Y0D89,test",
            "space.png": "皖A Y0D8A,test",
            "row.png": "皖AY0D8B",
        },
        "file,label,split",
    )
    for name in ("twin.png", "wrong-twin.png", "leak.png"):
        picture(0).save(tmp_path / name)
    (tmp_path / "cut.png").write_bytes(b"not a picture")
    code, lines, values = check(manifest, "--steps", "10", "--alphabet", "PLATES")
    assert code == 2
    expected = [
        (3, "error", "unreadable picture", "cut.png"),
        (4, "error", "unknown character", "'O'"),
        (5, "error", "too few steps", "11 time steps"),
        (6, "warning", "no text", ""),
        (7, "warning", "duplicate", f"{manifest}:2"),
        (8, "error", "duplicate, other label", "'皖AY0D83'"),
        (9, "warning", "plate in two splits", "in train"),
        (9, "error", "duplicate in another split", f"{manifest}:2"),
        (10, "warning", "plate in two splits", "in train"),
        (11, "warning", "suspicious label", "6 characters"),
        (12, "warning", "suspicious label", "read as '皖AY0D87'"),
        (13, "warning", "suspicious label", "read as '皖AY0D89'"),
        (14, "warning", "suspicious label", "read as '皖AY0D8A'"),
        (15, "error", "bad row", "2 fields"),
    ]
    found = [line for line in lines if line.startswith(str(manifest))]
    assert len(found) == len(expected)
    for line, (number, severity, kind, says) in zip(found, expected, strict=True):
        assert line.startswith(f"{manifest}:{number}: {severity}: {kind}: ")
        assert says in line
    assert lines[-1] == "14 pictures: 6 errors, 8 warnings"
    kinds = Counter(kind for _, _, kind, _ in expected)
    assert values["by_kind"] == dict(sorted(kinds.items()))
    assert [f["line"] for f in values["findings"]] == [n for n, *_ in expected]  # type: ignore
    assert (values["pictures"], values["errors"], values["warnings"]) == (14, 6, 8)


def test_warnings_alone_have_exit_code_0(tmp_path: Path) -> None:
    code, lines, _ = check(write_set(tmp_path, {"a.png": "皖a·Y0D83"}), "--alphabet", "PLATES")
    assert code == 0
    assert lines[-1] == "1 pictures: 0 errors, 1 warnings"


def test_steps_and_alphabet_are_the_users(tmp_path: Path) -> None:
    manifest = write_set(tmp_path, {"a.png": "00123", "b.png": "1I", "c.png": "皖AY0D83"})
    # 00123 needs a blank between its zeros: six steps
    found = {}
    for steps in ("5", "6"):
        code, lines, _ = check(manifest, "--alphabet", "DIGITS", "--steps", steps)
        assert code == 2
        assert "plates have no" not in "".join(lines)
        rows = [line.split(": ") for line in lines if line.startswith(str(manifest))]
        found[steps] = [(row[0].rpartition(":")[2], row[2]) for row in rows]
    others = [("3", "unknown character"), ("4", "unknown character"), ("4", "too few steps")]
    assert found == {"5": [("2", "too few steps"), *others], "6": others}


def test_the_labels_of_ones_own_text_are_right(tmp_path: Path) -> None:
    rows = {f"{i}.png": f"B{i % 10}-40{i:02}" for i in range(30)}
    rows |= {"lower.png": "b7-4093", "space.png": "B7 -4093", "none.png": ""}
    manifest = write_set(tmp_path, rows)
    code, lines, values = check(manifest)
    assert code == 0
    assert values["by_kind"] == {"no text": 1, "rare character": 2}
    found = {line.split(": ")[0]: line for line in lines if "rare character" in line}
    assert "'b' stands 1 times" in found[f"{manifest}:32"]
    assert "'B' stands 31 times" in found[f"{manifest}:32"]
    assert "a stray space?" in found[f"{manifest}:33"]


def test_a_cut_picture_is_a_warning(tmp_path: Path) -> None:
    manifest = write_set(tmp_path, {"a.jpg": "B7-4093"})
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[:-2])
    code, lines, values = check(manifest)
    assert code == 0
    assert values["by_kind"] == {"cut picture": 1}
    assert lines[0].startswith(f"{manifest}:2: warning: cut picture: {tmp_path / 'a.jpg'}: a JPEG")


def test_an_alphabet_in_a_file(tmp_path: Path) -> None:
    manifest = write_set(tmp_path, {"a.png": "B7-4093", "b.png": "C7-4093"})
    (tmp_path / "characters.txt").write_text("0123456789\nB-\n", "utf-8")
    code, lines, _ = check(manifest, "--alphabet", tmp_path / "characters.txt")
    assert code == 2
    assert f"{manifest}:3: error: unknown character: 'C7-4093': 'C' not in the alphabet" in lines
    done = run_cli("data", "check", manifest, "--alphabet", "plates")
    assert done.returncode == 2
    assert b"--alphabet plates: No such file or directory; give one of LABELS" in done.stderr


def test_every_command_says_where_labels_come_from(tmp_path: Path) -> None:
    manifest = write_set(tmp_path / "set", {"img_1.png": "皖AY0D83", "img_2.png": "皖AY0D84"})
    for arguments in (
        ("data", "check", tmp_path),
        ("data", "stats", tmp_path),
        ("evaluate", "plates-nano", tmp_path),
    ):
        done = run_cli(*arguments)
        assert done.returncode == 0, done.stderr
        assert f"labels: 2 from column label of {manifest}\n" in done.stderr.decode()
        assert b"warning" not in done.stderr
    manifest.unlink()
    for arguments in (
        ("data", "check", tmp_path / "set"),
        ("data", "stats", tmp_path / "set"),
        ("evaluate", "plates-nano", tmp_path / "set"),
    ):
        done = run_cli(*arguments)
        assert done.returncode == 0, done.stderr
        said = done.stderr.decode()
        assert f"labels: 2 from file names (LABEL_n) in {tmp_path / 'set'}\n" in said
        assert "warning: all 2 labels are 'img'" in said.replace("IMG", "img")


def test_stats_count_labels_as_training_reads_them(tmp_path: Path) -> None:
    manifest = write_set(tmp_path, {"a.png": "a·b c", "b.png": "a·b c"})
    done = run_cli("data", "stats", manifest)
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert "lengths: 5 2" in lines
    assert "characters:   2  a 2  b 2  c 2  · 2" in lines
    assert not any(line.startswith("provinces") for line in lines)
    done = run_cli("data", "stats", manifest, "--alphabet", "PLATES")
    assert "lengths: 3 2" in done.stdout.decode().splitlines()


def test_folders_are_checked_by_name(tmp_path: Path) -> None:
    for i, name in enumerate(("train/皖AY0D83_0.png", "val/皖AY0D83_0.png", "val/皖AY0D8_1.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture(i).save(tmp_path / name)
    code, lines, values = check(tmp_path / "train", tmp_path / "val", "--alphabet", "PLATES")
    assert code == 0
    assert values["by_kind"] == {"plate in two splits": 1, "suspicious label": 1}
    assert any(
        line.startswith(f"{tmp_path / 'val' / '皖AY0D83_0.png'}: warning: ") for line in lines
    )


def test_a_source_that_cannot_be_read_keeps_none_of_the_others_from_it(tmp_path: Path) -> None:
    manifest = write_set(tmp_path, {"a.png": "皖AY0D8"})
    done = run_cli("data", "check", tmp_path / "none.csv", manifest, "--alphabet", "PLATES")
    assert done.returncode == 2
    assert b"none.csv: no such file" in done.stderr
    assert "6 characters" in done.stdout.decode()
    assert "1 errors, 1 warnings" in done.stdout.decode()
    done = run_cli("data", "check", manifest, "--json", tmp_path)
    assert done.returncode == 2
    assert b"cannot be written" in done.stderr


def test_stats_and_their_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = {f"{i}.png": f"皖AY{i:03}S,blue,train,v2.5" for i in range(20)}
    rows |= {"g.png": "苏AD00518,green,train,a/b.jpg", "same.png": "皖AY003S,blue,test,",
             "like.png": "皖AY999S,blue,test,", "警.png": "皖A1234警,white,test,"}  # fmt: skip
    manifest = write_set(tmp_path, rows, "file,label,colour,split,source")
    retouched = picture(3).resize((90, 30))
    ImageDraw.Draw(retouched).point((2, 2), "white")
    retouched.save(tmp_path / "same.png")
    picture(4).save(tmp_path / "like.png", compress_level=0)
    chart = tmp_path / "图 表.png"
    done = run_cli("data", "stats", manifest, "--save", chart)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "24 pictures, 23 different labels"
    assert "lengths: 7 23  8 1" in lines
    assert "provinces: 皖 23  苏 1" in lines
    assert "width: 90, 120, 120 pixels (least, median, most)" in lines
    assert "colour: blue 22  green 1  white 1" in lines
    assert "split: train 21  test 3" in lines
    assert "source: v2.5 20" in lines  # a picture's own name is no group
    assert "labels that stand in both test and train: 1" in lines
    at = lines.index(
        "near-duplicates in test and train: 1 pairs with the same label (2 pictures), "
        "1 pairs with other labels"
    )
    assert lines[at + 1].split() == [str(tmp_path / "3.png"), str(tmp_path / "same.png")]
    assert lines[at + 2].split() == [str(tmp_path / "4.png"), str(tmp_path / "like.png")]
    with Image.open(chart) as drawn:
        assert drawn.size == (1350, 1170)
    assert b"Glyph" not in done.stderr  # the bundled typeface has the Chinese characters


def test_stats_say_what_could_not_be_read(tmp_path: Path) -> None:
    manifest = write_set(tmp_path, {"a.png": "皖AY0D83", "b.png": "皖AY0D84"})
    (tmp_path / "b.png").write_bytes(b"")
    done = run_cli("data", "stats", manifest)
    assert done.returncode == 2
    assert done.stdout.decode().startswith("1 pictures, 1 different labels")
    assert f"error: {manifest}:3: ".encode() in done.stderr
    (tmp_path / "a.png").unlink()
    done = run_cli("data", "stats", manifest)
    assert done.returncode == 2
    assert b"no picture could be read" in done.stderr
    assert b"Traceback" not in done.stderr


def test_crops_of_ccpd_go_straight_into_check_and_stats(tmp_path: Path) -> None:
    source = write_ccpd(tmp_path / "s")
    assert run_cli("data", "ccpd", source, tmp_path / "d", "--crop", "box").returncode == 0
    code, _, values = check(tmp_path / "d")
    # one photo stands in for all pictures: twins all of them
    assert code == 2
    assert values["pictures"] == 10
    assert "duplicate in another split" in values["by_kind"]  # type: ignore[operator]
    done = run_cli("data", "stats", tmp_path / "d")
    assert done.returncode == 0
    assert "subset: base 4  green 3  blur 2  weather 1" in done.stdout.decode().splitlines()


def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    subprocess.run(
        command("data", "ccpd", write_ccpd(tmp_path / "s"), tmp_path / "d", "--crop", "box"),
        stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}, check=True,
    )  # fmt: skip
    os.close(theirs)
    parts = []
    with contextlib.suppress(OSError):  # Linux ends a terminal that nobody holds in this way
        while part := os.read(ours, 100_000):  # a read gives no more than a few kilobytes
            parts.append(part)
    os.close(ours)
    shown = b"".join(parts).decode()
    assert "\x1b[" in shown
    assert "cropping" in shown


@pytest.mark.parametrize(
    ("names", "arguments"),
    [
        ({"cv2"}, ["data", "ccpd", "x", "y"]),
        ({"matplotlib"}, ["data", "stats", "x", "--save", "y"]),
    ],
)
def test_a_missing_extra_is_named(names: set[str], arguments: list[str]) -> None:
    done = run_without(names, *arguments)
    assert done.returncode == 2
    assert b'pip install "crnn-ctc[train]"' in done.stderr
    assert b"Traceback" not in done.stderr


def test_boxes_checks_and_counts_need_no_extra(tmp_path: Path) -> None:
    source = write_ccpd(tmp_path / "s")
    for arguments, code in (
        (("ccpd", source, tmp_path / "d", "--crop", "box", "--workers", "1"), 0),
        (("check", tmp_path / "d"), 2),
        (("stats", tmp_path / "d"), 0),
    ):
        done = run_without(TRAINING, "data", *arguments)
        assert done.returncode == code
        assert b"install" not in done.stderr
        assert b"Traceback" not in done.stderr


def test_the_real_sets_have_no_errors() -> None:
    folder = shared_data("plates")
    done = run_cli(
        "data", "check", folder / "dev.csv", folder / "test.csv",
        "--alphabet", "PLATES", "--steps", 20,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()
    assert done.stdout.decode().splitlines()[-1] == "1,438 pictures: 0 errors, 0 warnings"
