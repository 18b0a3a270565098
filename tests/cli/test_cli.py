from __future__ import annotations

import csv
import io
import json
import os
import pty
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from helpers.cli import TRAINING, command, run_cli, run_without
from helpers.data import EXAMPLES

DIGITS = EXAMPLES / "digits"
PICTURES = sorted(DIGITS.iterdir())
TEXTS = [p.name[:5] for p in PICTURES]
PREDICT = ("predict", "--model", "digits-tiny")
PLATE = EXAMPLES / "plates" / "鲁D89239_yellow.jpg"


def test_table_of_a_folder() -> None:
    done = run_cli(*PREDICT, DIGITS)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == ["text", "confidence", "ms", "path"]
    assert [line.split()[0] for line in lines[1:]] == TEXTS
    assert all(str(p) in line for p, line in zip(PICTURES, lines[1:], strict=True))
    assert f"{len(PICTURES)} pictures read with digits-tiny".encode() in done.stderr
    assert b"ms a picture" in done.stderr
    assert b"\x1b" not in done.stdout + done.stderr  # no colours, no bar in a pipe


def test_json() -> None:
    done = run_cli(*PREDICT, "--format", "json", *PICTURES, "missing.png")
    assert done.returncode == 2
    items = json.loads(done.stdout)
    assert [item["text"] for item in items] == [*TEXTS, ""]
    assert [item["display"] for item in items] == [*TEXTS, ""]
    for item, path in zip(items, PICTURES, strict=False):
        assert item["path"] == str(path)
        assert 0.9 < item["confidence"] <= 1
        assert item["ms"] > 0
        assert [c["text"] for c in item["characters"]] == list(item["text"])
        assert item["error"] is None
        assert item["alternatives"] == []
    assert items[-1]["path"] == "missing.png"
    assert "no such file" in items[-1]["error"]
    assert b"1 could not be read" in done.stderr


def test_text_and_csv() -> None:
    done = run_cli(*PREDICT, "--format", "text", *PICTURES[:2], "missing.png")
    assert done.stdout.decode() == f"{TEXTS[0]}\n{TEXTS[1]}\n\n"
    done = run_cli(*PREDICT, "--format", "csv", *PICTURES[:2], "missing.png")
    table = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert [row["text"] for row in table] == [*TEXTS[:2], ""]
    assert [row["display"] for row in table] == [*TEXTS[:2], ""]
    assert [bool(row["error"]) for row in table] == [False, False, True]


def test_standard_input_globs_and_odd_paths(tmp_path: Path) -> None:
    folder = tmp_path / "车牌 and spaces" / "内"
    folder.mkdir(parents=True)
    shutil.copy(PICTURES[0], folder / "数字 一.png")
    shutil.copy(PICTURES[1], folder / "b.PNG")
    (folder / "notes.txt").write_text("not a picture, and not named like one")
    for name in ("._b.PNG", ".hidden.png"):  # the first as macOS leaves them
        (folder / name).write_bytes(b"\0\5\x16\7 no picture")
    done = run_cli(*PREDICT, "--format", "json", "-", "车牌*/内/*.png", tmp_path, cwd=tmp_path,
                   stdin=PICTURES[2].read_bytes())  # fmt: skip
    assert done.returncode == 0, done.stderr
    items = json.loads(done.stdout)
    assert [item["text"] for item in items] == [TEXTS[2], TEXTS[0], TEXTS[1], TEXTS[0]]
    assert items[0]["path"] == "-"
    assert items[1]["path"] == "车牌 and spaces/内/数字 一.png"


@pytest.mark.parametrize(
    ("name", "says"),
    [("missing.png", "no such file"), ("*.none", "no such file"), (".", "a folder"),
     ("text.png", "not a picture"), ("empty.png", "empty file"), ("cut.jpg", "broken picture")],
)  # fmt: skip
def test_bad_pictures_are_one_line_and_exit_code_2(tmp_path: Path, name: str, says: str) -> None:
    photo = next(p for p in PICTURES if p.suffix == ".jpg")
    if name != ".":
        (tmp_path / "text.png").write_text("hello")
        (tmp_path / "empty.png").write_bytes(b"")
        (tmp_path / "cut.jpg").write_bytes(photo.read_bytes()[:2000])
    done = run_cli(*PREDICT, photo, name, photo, cwd=tmp_path)
    errors = done.stderr.decode().splitlines()
    assert done.returncode == 2
    assert len([line for line in errors if line.startswith("error:")]) == 1
    assert says in errors[0]
    assert name in errors[0]
    assert "2 pictures read" in errors[1]
    assert "1 could not be read" in errors[1]
    rows = done.stdout.decode().splitlines()[1:]
    assert [row.split()[0] for row in rows] == [photo.name[:5], "(error)", photo.name[:5]]


def test_a_folder_without_pictures_and_a_cut_jpeg(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").write_text("nothing to read")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(next((EXAMPLES / "plates").glob("*blue.jpg")).read_bytes()[:-2])
    done = run_cli("predict", tmp_path / "none", cut, "--model", "plates-nano", "--format", "json")
    assert done.returncode == 2
    said = done.stderr.decode()
    assert f"error: {tmp_path / 'none'}: a folder without pictures (.bmp, " in said
    assert f"warning: {cut}: a JPEG file cut short: its end marker is missing" in said
    empty, read = json.loads(done.stdout)
    assert empty["error"] is not None
    assert (read["error"], read["text"]) == (None, "苏D18RL9")
    assert read["warning"].startswith(f"{cut}: a JPEG file cut short")


def test_what_is_no_model_has_its_own_remedy(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.toml").write_text("")
    for model, says in (
        (run, f"a training run, not a model file; export it first: crnn-ctc export {run}"),
        ("plates-find", "a locator, it reads nothing; give a file or one of: digits-nano"),
        ("nothing", "no such model; give a file or one of: digits-nano"),
    ):
        done = run_cli("predict", "--model", model, PICTURES[0])
        assert done.returncode == 2
        assert f"error: {model}: {says}" in done.stderr.decode()


def test_empty_standard_input() -> None:
    done = run_cli(*PREDICT, "-", stdin=b"")
    assert done.returncode == 2
    assert "error: -: standard input is empty; pipe a picture in" in done.stderr.decode()


def test_a_broken_picture_on_standard_input_is_called_by_its_name() -> None:
    done = run_cli(*PREDICT, "-", PICTURES[0], stdin=PICTURES[0].read_bytes()[:200])
    assert done.returncode == 2
    assert "error: -: " in done.stderr.decode()
    assert TEXTS[0] in done.stdout.decode()


def test_save_writes_annotated_pictures(tmp_path: Path) -> None:
    twin = tmp_path / "other" / PICTURES[0].name
    twin.parent.mkdir()
    shutil.copy(PICTURES[0], twin)
    done = run_cli(*PREDICT, PICTURES[0], twin, "--save", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    stem = PICTURES[0].stem
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{stem}-2.png", f"{stem}.png"]
    assert str(tmp_path / "out") in done.stderr.decode()


def test_a_folder_that_cannot_be_written_is_told_before_reading(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    done = run_cli(*PREDICT, *PICTURES[:2], "--save", blocked)
    assert done.returncode == 2
    assert done.stderr.decode().count("cannot be written") == 1
    assert "read with" not in done.stderr.decode()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device that never ends")
def test_devices_are_refused_and_line_breaks_in_names_escaped(tmp_path: Path) -> None:
    odd = tmp_path / "a\nb.png"
    shutil.copy(PICTURES[0], odd)
    done = run_cli(*PREDICT, "/dev/zero", odd)
    assert done.returncode == 2
    assert "/dev/zero: a device or a pipe, not a file" in done.stderr.decode()
    rows = done.stdout.decode().splitlines()
    assert len(rows) == 3
    assert rows[-1].endswith(r"a\nb.png")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_stops_no_reading(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / f"{PICTURES[0].stem}.png").symlink_to("/dev/full")
    done = run_cli(*PREDICT, PICTURES[0], "--save", full)
    assert done.returncode == 2
    assert "No space left" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_to_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command(*PREDICT, PICTURES[0]), stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    said = done.stderr.decode().splitlines()
    assert said[-1].startswith("error: output cannot be written (No space left")
    assert "Traceback" not in "".join(said)


def test_progress_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(command(*PREDICT, DIGITS), stdout=subprocess.PIPE, stderr=theirs,
                          env={**os.environ, "TERM": "xterm"}, check=True)  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 100_000)
    os.close(ours)
    assert b"\x1b[" in shown
    assert done.stdout.decode().split()[4] == TEXTS[0]


def test_a_reader_of_the_output_may_go_away() -> None:
    many = [str(PICTURES[0])] * 3000
    process = subprocess.Popen(command(*PREDICT, *many), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(60) != 0


def test_reading_needs_no_torch(small_emnist: Path, tmp_path: Path) -> None:
    done = run_without(TRAINING, "predict", PLATE, "--save", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"{PLATE.stem}.png").is_file()
    done = run_without(TRAINING, "evaluate", "digits-tiny", small_emnist)
    assert done.returncode == 0, done.stderr
    done = run_without(TRAINING, "info", "digits-tiny")
    assert done.returncode == 0, done.stderr


def test_one_picture_loads_only_what_it_needs() -> None:
    slow = TRAINING | {"rapidfuzz", "rich", "onnxscript", "tqdm", "requests"}
    for picture in ([*PREDICT[1:], PICTURES[0]], [PLATE]):
        done = run_without(slow, "predict", *picture)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["train", "digits-tiny", "--data", "x"], "train"),
        (["export", "x"], "train"),
        (["calibrate", "digits-tiny", "x", "--out", "x.onnx"], "train"),
        (["info", "digits-tiny", "--layers"], "train"),
        (["evaluate", ".", "x"], "train"),
        (["data", "emnist", "x"], "download"),
    ],
)
def test_a_missing_extra_is_named(arguments: list[str], extra: str) -> None:
    done = run_without(TRAINING, *arguments)
    assert done.returncode == 2
    assert f'pip install "crnn-ctc[{extra}]"'.encode() in done.stderr
    assert f'in a clone: pip install ".[{extra}]"'.encode() in done.stderr
    assert b"Traceback" not in done.stderr


def test_evaluate(small_emnist: Path, small_run: Path, small_model: Path, tmp_path: Path) -> None:
    measured = []
    for model in (small_model, small_run):
        file = tmp_path / "measures.json"
        done = run_cli("evaluate", model, small_emnist, "--json", file, "--protocol", "clean")
        assert done.returncode == 0, done.stderr
        values = json.loads(file.read_text())
        measured.append(values)
        assert values["n"] == 5000
        assert values["protocol"] == "clean"
        low, high = values["interval95"]
        assert 0 <= low <= values["exact_match"] <= high <= 1
        assert 0 <= values["cer"] <= 1
        assert len(values["by_position"]) == 1
        assert f"{100 * values['exact_match']:.2f} %" in done.stdout.decode()
        assert f"ECE {100 * values['confidence']['ece']:.2f} %" in done.stdout.decode()
    assert measured[0]["exact_match"] == measured[1]["exact_match"]
    assert measured[0]["exact_match"] > 0.9  # printed digits, which it was trained on


def test_evaluate_says_what_is_wrong(small_emnist: Path, tmp_path: Path) -> None:
    for arguments, says in (
        (["digits-tiny", tmp_path], "holds no pictures"),
        (["digits-tiny", small_emnist, "--split", "dev"], "the splits train and test"),
        (["nothing", small_emnist], "no such model"),
        ([tmp_path, small_emnist], "no best.safetensors"),
        (["digits-tiny", small_emnist, "--json", tmp_path], "cannot be written"),
    ):
        done = run_cli("evaluate", *arguments)
        assert done.returncode == 2
        assert says in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()


def labelled_examples(folder: Path) -> Path:
    """The examples and a wrong label, as a manifest with groups."""
    folder.mkdir()
    lines = ["file,label,colour,kind,subset"]
    for i, path in enumerate(PICTURES):
        shutil.copy(path, folder / f"{path.name[:5]}_{i}{path.suffix}")
        colour, kind, subset = (
            ("blue", "blue", "base") if i % 2 else ("green", "green_large", "green")
        )
        lines.append(f"{path.name[:5]}_{i}{path.suffix},{path.name[:5]},{colour},{kind},{subset}")
    shutil.copy(PICTURES[0], folder / "16186_9.jpg")
    lines.append("16186_9.jpg,16186,blue,police,")
    (folder / "set.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_evaluate_on_labelled_pictures(tmp_path: Path) -> None:
    folder = labelled_examples(tmp_path / "数据")
    file = tmp_path / "measures.json"
    for data in (folder, folder / "set.csv"):
        done = run_cli("evaluate", "digits-tiny", data, "--json", file)
        assert done.returncode == 0, done.stderr
        values = json.loads(file.read_text())
        assert values["n"] == 7
        assert values["exact_match"] == pytest.approx(6 / 7)
        assert values["cer"] == pytest.approx(1 / 35)
        assert values["confusions"] == [{"truth": "6", "read": "0", "count": 1}]
    assert {k: v["n"] for k, v in values["by_colour"].items()} == {"blue": 4, "green": 3}
    kinds = {k: (v["n"], v["exact_match"]) for k, v in values["by_kind"].items()}
    assert kinds == {"blue": (3, 1), "green_large": (3, 1), "police": (1, 0)}
    assert "by kind           blue 100.0 (3)  green_large 100.0 (3)  police 0.0 (1)" in (
        done.stdout.decode().splitlines()
    )
    assert {k: v["n"] for k, v in values["by_subset"].items()} == {"base": 3, "green": 3}
    for subset, count in (("ccpd2019", 3), ("ccpd2020", 3), ("others", 1), ("base", 3)):
        run_cli("evaluate", "digits-tiny", folder / "set.csv", "--subset", subset, "--json", file)
        assert json.loads(file.read_text())["n"] == count


def test_evaluate_reports_what_it_cannot_read(tmp_path: Path) -> None:
    folder = labelled_examples(tmp_path / "set")
    (folder / "16186_9.jpg").write_bytes(b"no picture")
    done = run_cli("evaluate", "digits-tiny", folder, "--json", tmp_path / "measures.json")
    assert done.returncode == 2
    assert b"16186_9.jpg: not a picture" in done.stderr
    values = json.loads((tmp_path / "measures.json").read_text())
    assert (values["n"], values["exact_match"], len(values["errors"])) == (6, 1.0, 1)
    (folder / "set.csv").write_text("file,label\n16186_9.jpg,16186\n", encoding="utf-8")
    done = run_cli("evaluate", "digits-tiny", folder / "set.csv")
    assert done.returncode == 2
    assert b"set.csv: none of its 1 pictures could be read" in done.stderr
    folder = labelled_examples(tmp_path / "other")
    (folder / "set.csv").unlink()  # it names the subsets; names of files do not
    done = run_cli("evaluate", "digits-tiny", folder, "--subset", "ccpd2019")
    assert done.returncode == 2
    assert b"no labelled picture is of that" in done.stderr


def test_info_of_a_model_and_of_a_recipe() -> None:
    done = run_cli("info", "digits-tiny")
    assert done.stdout.decode().splitlines()[0] == (
        "digits-tiny summary: 22 layers, 427467 parameters, 427467 gradients, 0.1 GFLOPs"
    )
    assert b"CRNN_Tiny, GRU" in done.stdout
    done = run_cli("info", "digits-tiny", "--json")
    assert json.loads(done.stdout)["alphabet"]["blank"] == 10
    pytest.importorskip("torch")
    done = run_cli("info", "digits", "--recipe", "--layers")
    assert done.stdout.decode().splitlines()[0] == (
        "digits summary: 29 layers, 7924363 parameters, 7924363 gradients, 2.2 GFLOPs"
    )
    assert b"GRU" in done.stdout
    done = run_cli("info", "digits-lstm")
    assert b"CRNN, LSTM" in done.stdout
    assert run_cli("info", "nothing").returncode == 2


def test_usage_errors_have_exit_code_2() -> None:
    assert run_cli("predict").returncode == 2
    assert run_cli("predict", "x", "--format", "xml").returncode == 2
    assert run_cli("predict", PICTURES[0], "--alternatives", "-1").returncode == 2
    assert run_cli("predict", PICTURES[0], "--model", "nothing").returncode == 2
    assert run_cli("--version").stdout.decode().startswith("crnn-ctc 0.")


def test_a_read_only_run_folder(small_emnist: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    done = run_cli("train", "digits-tiny", "--data", small_emnist, "--run", blocked / "run")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    if os.geteuid() != 0:  # root writes everywhere
        locked = tmp_path / "locked"
        locked.mkdir()
        locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
        done = run_cli("train", "digits-tiny", "--data", small_emnist, "--run", locked / "run")
        assert done.returncode == 2
