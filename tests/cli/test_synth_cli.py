"""crnn-ctc data synth: the same files from any number of processes, kills or not."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cv2", reason="synthesis comes with the extra [train]")

from PIL import Image

from crnn_ctc.cli.data.synth import HELD_OUT_SEED
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.data.synthetic_set import COLUMNS, SyntheticSet
from crnn_ctc.errors import InputError
from crnn_ctc.plates.scheme import plate_label
from crnn_ctc.recipe import load_recipe, shipped_recipes
from crnn_ctc.synthesis.scene import COLOURS
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import KIND_WEIGHTS, PROVINCES, TWO_ROW
from helpers.cli import TRAINING, command, run_cli, run_without


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}


def write(folder: Path, count: int, **settings: Any) -> SyntheticSet:
    """A set of small pictures, without a process of its own."""
    start = settings.pop("start", 0)
    suffix = settings.pop("suffix", "png")
    seed = settings.pop("seed", 5)
    plates = SyntheticSet(folder, PlateSynthesizer(seed, 24, 84, **settings), start, suffix)
    assert len(list(plates.write(count))) == count
    return plates


def test_a_set_is_what_the_synthesizer_draws(tmp_path: Path) -> None:
    folder = tmp_path / "车 牌"
    source = write(folder, 24, start=9_990).synthesizer
    assert sorted(path.name for path in folder.iterdir()) == [
        "0000", "0001", "manifest.csv", "synth.json"
    ]  # fmt: skip
    assert [len(list((folder / name).iterdir())) for name in ("0000", "0001")] == [10, 14]
    items = list(read_labelled(folder, normalise=plate_label))
    assert len(items) == 24
    assert {item.attributes["height"] for item in items} == {"24", "42"}
    for i, item in enumerate(items, 9_990):
        image, text, kind = source.picture(i)
        assert item.path.name == f"{text}_{i}.png"
        assert (item.text, item.attributes["kind"]) == (text, kind)
        assert item.attributes["colour"] == COLOURS[kind]
        height = "42" if kind in TWO_ROW else "24"
        assert (item.attributes["width"], item.attributes["height"]) == ("84", height)
        with Image.open(item.path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), image)
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == list(COLUMNS)
    # without its manifest the folder still says the same
    (folder / "manifest.csv").unlink()
    by_name = {item.path: item.text for item in read_labelled(folder)}
    assert by_name == {item.path: item.text for item in items}


def test_any_number_of_processes_writes_the_same_files(tmp_path: Path) -> None:
    folder = tmp_path / "3"
    done = run_cli(
        "data", "synth", folder, "--count", "230", "--seed", "5", "--height", "24", "--width", "84",
        "--workers", "3",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == f"{folder}: 230 plates\n"
    assert done.stderr == b""
    write(tmp_path / "1", 230)
    assert len(files(folder)) == 232
    assert files(folder) == files(tmp_path / "1")


def test_what_is_there_is_kept_and_what_is_gone_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder, 40)
    whole, before = files(folder), times(folder)
    gone = sorted(before)[::7]
    for path in gone:
        path.unlink()
    (folder / "manifest.csv").unlink()
    (folder / ".parts").mkdir()
    (folder / ".parts" / "3-1").write_bytes(b"half a plate")
    write(folder, 40)
    assert files(folder) == whole
    after = times(folder)
    assert {path for path in before if before[path] != after[path]} == set(gone)
    assert not (folder / ".parts").exists()


def test_a_set_grows_and_does_not_shrink(tmp_path: Path) -> None:
    write(tmp_path / "grown", 10)
    before = times(tmp_path / "grown")
    write(tmp_path / "grown", 30)
    assert before.items() <= times(tmp_path / "grown").items()
    write(tmp_path / "whole", 30)
    assert files(tmp_path / "grown") == files(tmp_path / "whole")
    with pytest.raises(InputError, match="holds a set of 30 plates, more than --count 29"):
        write(tmp_path / "grown", 29)
    assert files(tmp_path / "grown") == files(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    options = ("--count", "450", "--seed", "5", "--height", "24", "--width", "84", "--workers", "2")
    folder = tmp_path / "killed"
    process = subprocess.Popen(
        command("data", "synth", folder, *options), stdout=subprocess.DEVNULL
    )
    while process.poll() is None and len(times(folder)) < 20:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = times(folder)
    assert 20 <= len(before) < 450
    assert not (folder / "manifest.csv").exists()
    done = run_cli("data", "synth", folder, *options)
    assert done.returncode == 0, done.stderr.decode()
    assert b"plates were there already" in done.stderr
    assert before.items() <= times(folder).items()
    write(tmp_path / "whole", 450)
    assert files(folder) == files(tmp_path / "whole")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"seed": 6}, "generated with seed 5, not 6"),
        ({"start": 1}, "generated with start 0, not 1"),
        ({"suffix": "jpg"}, "generated with format png, not jpg"),
        ({"evenly": True}, "generated with evenly False, not True"),
        ({"kinds": {"blue": 1.0}}, "generated with other kinds"),
        ({"provinces": {"京": 1.0}}, "generated with other provinces"),
    ],
)
def test_plates_of_other_settings_are_not_mixed(
    tmp_path: Path, settings: dict[str, Any], says: str
) -> None:
    folder = tmp_path / "d"
    write(folder, 5)
    before = files(folder)
    with pytest.raises(InputError, match=says):
        write(folder, 5, **settings)
    assert files(folder) == before


def test_plates_of_another_release_are_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 5)
    monkeypatch.setattr("crnn_ctc.synthesis.synthesizer.expose", lambda *_: np.zeros((24, 84, 3)))
    with pytest.raises(InputError, match="another release"):
        write(tmp_path, 5)


def test_glyphs_are_known_by_what_they_hold(tmp_path: Path) -> None:
    glyphs = tmp_path / "glyphs"
    glyphs.mkdir()
    for number, character in enumerate("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"):
        picture = Image.new("L", (40, 80), 255)
        picture.paste(0, (5, 5, 10 + number % 6 * 5, 20 + number))
        picture.save(glyphs / f"140_{character}.png")
    folder = tmp_path / "d"
    arguments = ("data", "synth", folder, "--count", "3", "--seed", "5", "--height", "24",
                 "--width", "84", "--workers", "1", "--glyphs")  # fmt: skip
    assert run_cli(*arguments, glyphs).returncode == 0
    moved = tmp_path / "moved"
    shutil.copytree(glyphs, moved)
    write(folder, 3, glyphs=moved)
    with pytest.raises(InputError, match=r"glyph_share 0\.5, not 1\.0"):
        write(folder, 3, glyphs=glyphs, glyph_share=1.0)
    other = tmp_path / "other"
    shutil.copytree(glyphs, other)
    Image.new("L", (40, 80), 20).save(other / "140_7.png")
    with pytest.raises(InputError, match="generated with other glyphs"):
        write(folder, 3, glyphs=other)


def test_folders_with_other_things_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,label\n")
    with pytest.raises(InputError, match="holds other files"):
        write(tmp_path, 5)
    assert files(tmp_path) == {"manifest.csv": b"file,label\n"}
    (tmp_path / "synth.json").write_text('{"seed": ')
    with pytest.raises(InputError, match=r"synth\.json: damaged"):
        write(tmp_path, 5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["d"], "d: say how many plates with --count"),
        (["--count", "5"], "--count 5: name a folder"),
        ([], "name a folder for the plates, or --sheet"),
        (["d", "--count", "5", "--kind", "purple"], "kind 'purple' is not known; choose from blue"),
        (["d", "--count", "5", "--province", "台"], "province '台' is not known"),
        (["d", "--count", "5", "--height", "4"], "168x4 cannot hold a plate"),
        (["d", "--count", "5", "--glyphs", "none"], "none: no such folder"),
        (["d", "--count", "5", "--glyph-share", "0.3"], "needs a folder"),
        (["d", "--count", "5", "--start", str(2**48 - 3)], "lower --start"),
        (["file.txt", "--count", "5"], "file.txt: cannot be written"),
        (["--sheet", "none/sheet.png"], "sheet.png: cannot be written"),
        (["--sheet", "sheet.docx"], "sheet.docx: cannot be written"),
    ],
)
def test_a_bad_option_is_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "file.txt").write_text("")
    done = run_cli("data", "synth", *arguments, "--workers", "1", cwd=tmp_path)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert says in lines[0]
    assert not (tmp_path / "d").exists()


def test_kinds_and_provinces_are_chosen_and_even(tmp_path: Path) -> None:
    cells = len(KIND_WEIGHTS) * len(PROVINCES)
    done = run_cli(
        "data", "synth", tmp_path / "all", "--count", cells, "--evenly", "--height", "16",
        "--width", "56",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    items = list(read_labelled(tmp_path / "all"))
    assert set(Counter(item.attributes["kind"] for item in items).values()) == {len(PROVINCES)}
    for kind in ("blue", "green", "green_large", "police", "trailer"):
        provinces = {item.text[0] for item in items if item.attributes["kind"] == kind}
        assert provinces == set(PROVINCES)
    done = run_cli(
        "data", "synth", tmp_path / "some", "--count", "40", "--kind", "green", "--kind",
        "police", "--province", "京", "--province", "藏青", "--format", "jpg", "--workers", "1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    items = list(read_labelled(tmp_path / "some"))
    assert {item.attributes["kind"] for item in items} == {"green", "police"}
    assert {item.text[0] for item in items} == set("京藏青")
    assert all(item.path.suffix == ".jpg" and item.path.is_file() for item in items)
    with Image.open(items[0].path) as picture:
        assert (picture.format, picture.size) == ("JPEG", (168, 48))


def test_a_sheet_needs_no_set(tmp_path: Path) -> None:
    done = run_cli("data", "synth", "--sheet", "sheet.png", "--evenly", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.size == (8 * 174 + 6, 12 * 74 + 6)


def test_no_shipped_model_trains_on_the_plates_of_the_default_seed(tmp_path: Path) -> None:
    assert HELD_OUT_SEED not in {load_recipe(name).seed for name in shipped_recipes()}
    done = run_cli("data", "synth", tmp_path / "held", "--count", "1", "--workers", "1")
    assert json.loads((tmp_path / "held" / "synth.json").read_text())["seed"] == HELD_OUT_SEED
    assert done.stderr == b""
    seed = load_recipe("plates-tiny").seed
    done = run_cli(
        "data", "synth", tmp_path / "seen", "--count", "1", "--workers", "1", "--seed", seed
    )
    assert done.returncode == 0
    names, _, rest = done.stderr.decode().partition(" trains on the plates of seed ")
    assert "plates-tiny" in names.removeprefix("note: ").split(", ")
    assert rest.startswith(f"{seed}: ")


def test_a_set_goes_straight_into_check_stats_and_evaluate(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from crnn_ctc.net.build import build
    from crnn_ctc.training.checkpoint import BEST, save_tensors

    folder = tmp_path / "d"
    count = 4 * len(KIND_WEIGHTS)
    write(folder, count, evenly=True, provinces={"京": 1.0, "藏": 1.0})
    done = run_cli("data", "check", folder, "--steps", "20")
    assert done.returncode == 0, done.stdout.decode()
    assert f"{count} pictures: 0 errors" in done.stdout.decode()
    done = run_cli("data", "stats", folder)
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stdout.decode().splitlines()
    assert "kind: " + "  ".join(f"{kind} 4" for kind in KIND_WEIGHTS) in lines

    recipe = load_recipe("plates-tiny")
    facts = {"recipe": recipe.model_dump(), "step": 0, "validation": {}}
    save_tensors(tmp_path / "run" / BEST, build(recipe).state_dict(), facts)
    file = tmp_path / "measures.json"
    done = run_cli("evaluate", tmp_path / "run", folder, "--json", file)
    assert done.returncode == 0, done.stderr.decode()
    values = json.loads(file.read_text())
    assert {kind: m["n"] for kind, m in values["by_kind"].items()} == dict.fromkeys(KIND_WEIGHTS, 4)
    # embassy, airport, hazard, armed police (old and new) and army plates have no province,
    # cross-border ones are all of 粤
    assert {name: m["n"] for name, m in values["by_province"].items()} == {
        "京": 24, "藏": 24, "other": 24, "粤": 4
    }  # fmt: skip


def test_a_missing_extra_is_named() -> None:
    done = run_without(TRAINING, "data", "synth", "x", "--count", "1")
    assert done.returncode == 2
    assert b'pip install "crnn-ctc[train]"' in done.stderr
    assert b"Traceback" not in done.stderr
    assert not Path("x").exists()
