from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from crnn_ctc import InputError, Reader
from crnn_ctc.bulk.items import items
from crnn_ctc.bulk.places import place
from crnn_ctc.bulk.shards import shards
from crnn_ctc.bulk.work import BulkJob, Done, Worker
from helpers.cli import run_cli
from helpers.data import EXAMPLES, ROOT

PLATES = sorted(path for path in (EXAMPLES / "plates").iterdir() if path.suffix in {".jpg", ".png"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures at two depths, one of them broken, and what is no picture."""
    source = tmp_path / "source"
    (source / "inner 内").mkdir(parents=True)
    for number in range(10):
        plate = PLATES[number % len(PLATES)]
        shutil.copy(plate, source / ("inner 内" if number % 2 else ".") / f"{number}{plate.suffix}")
    (source / "broken.jpg").write_bytes(PLATES[0].read_bytes()[:100])
    (source / "notes.txt").write_text("no picture")
    (source / "._0.jpg").write_text("of macOS")
    return source


def rows(out: Path) -> list[dict[str, object]]:
    """All rows of the parts, in order."""
    parts = sorted(out.glob("part-*.parquet"))
    return [row for part in parts for row in parquet.ParquetFile(part).read().to_pylist()]


def jpeg(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 168, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("workers", [1, 2])
def test_each_picture_is_a_row(folder: Path, tmp_path: Path, workers: int) -> None:
    out = tmp_path / "out"
    done = run_cli(
        "bulk", folder, "--out", out, "--workers", workers, "--shard-size", 4,
        "--model", "plates-nano",
    )  # fmt: skip
    assert done.returncode == 2
    said = done.stderr.decode()
    assert "11 pictures in 3 parts" in said
    assert "1 could not be read" in said
    found = rows(out)
    assert len(found) == 11
    reader = Reader("plates-nano")
    for row in found:
        if row["path"] == str(folder / "broken.jpg"):
            assert str(row["error"]).startswith(f"{folder / 'broken.jpg'}: ")
            assert (row["text"], row["accepted"]) == ("", False)
        else:
            reading = reader(str(row["path"]))
            assert row["text"] == reading.text
            assert row["confidence"] == pytest.approx(reading.confidence, abs=1e-4)
            assert row["error"] is None
    assert [path.name for path in sorted(out.iterdir())] == [
        f"part-{n:06d}.parquet" for n in range(3)
    ]


def test_what_is_done_is_not_done_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("bulk", folder, "--out", out, "--shard-size", 4, "--model", "digits-nano")
    run_cli(*arguments)
    (out / "part-000001.parquet").unlink()
    (out / f".part-000001.parquet.{'0' * 32}").write_bytes(b"half")
    kept = (out / "part-000000.parquet").stat().st_mtime_ns
    done = run_cli(*arguments)
    assert "11 pictures in 3 parts" in done.stderr.decode()
    assert "2 of them there before" in done.stderr.decode()
    assert (out / "part-000000.parquet").stat().st_mtime_ns == kept
    assert len({row["path"] for row in rows(out)}) == len(rows(out)) == 11
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: (folder / "00.jpg").write_bytes(jpeg()), "holds other pictures"),
        (lambda folder: shutil.rmtree(folder / "inner 内"), "belongs to no shard"),
    ],
)
def test_a_source_that_changed(folder: Path, tmp_path: Path, change: object, says: str) -> None:
    out = tmp_path / "out"
    arguments = ("bulk", folder, "--out", out, "--shard-size", 3, "--model", "digits-nano")
    run_cli(*arguments)
    change(folder)  # type: ignore[operator]
    done = run_cli(*arguments)
    assert done.returncode == 2
    assert says in done.stderr.decode()


def test_other_settings_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_cli("bulk", folder, "--out", out, "--model", "digits-nano")
    done = run_cli("bulk", folder, "--out", out, "--model", "plates-nano")
    assert done.returncode == 2
    assert "was read with another model, grammar, list of known texts" in done.stderr.decode()
    assert all("·" not in str(row["text"]) for row in rows(out))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_workers_that_are_killed(tmp_path: Path, engine: str) -> None:
    if engine == "ray":
        pytest.importorskip("ray", reason="ray takes over a minute to install: crnn-ctc[ray]")
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    names = []
    for tar in ("a.tar", "b.tar", "deadly.tar", "once.tar", "z.tar"):
        with tarfile.open(source / tar, "w") as archive:
            for number in range(40 if len(tar) == 5 else 400):
                plate = PLATES[number % len(PLATES)]
                archive.add(plate, f"{number}{plate.suffix}")
                names.append(f"{source / tar}/{number}{plate.suffix}")
    script = ROOT / "tests" / "helpers" / "bulk_killed.py"
    done = subprocess.run(
        [sys.executable, script, engine, source, out],
        capture_output=True, timeout=240, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    said = done.stdout.decode().splitlines()  # Ray may say something too
    (killed,) = [line.split()[1:] for line in said if line.startswith("killed ")]
    assert sorted(killed) == [*["deadly.tar"] * 3, "once.tar"]
    errors = [line for line in said if line.startswith("error ")]
    assert len(errors) == 1
    assert f"{source}/deadly.tar and what follows: 3 workers died over it" in errors[0]
    kept = [name for name in names if "deadly" not in name]
    assert sorted(str(row["path"]) for row in rows(out)) == sorted(kept)
    # what is missing is read by the next run, whoever reads
    again = run_cli("bulk", source, "--out", out, "--model", "plates-nano")
    assert again.returncode == 0, again.stderr.decode()
    assert "4 of them there before" in again.stderr.decode()
    assert sorted(str(row["path"]) for row in rows(out)) == sorted(names)
    parts = [f"part-{number:06d}.parquet" for number in range(5)]
    assert [path.name for path in sorted(out.iterdir())] == parts


def test_tar_shards(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a.tar", "b.tar.gz"):
        with tarfile.open(source / name, "w:gz" if name.endswith("gz") else "w") as archive:
            for number, plate in enumerate(PLATES[:3]):
                archive.add(plate, f"{number}/plate{plate.suffix}")
                archive.addfile(tarfile.TarInfo(f"{number}/label.txt"))
    cut = (source / "a.tar").read_bytes()
    (source / "c.tar").write_bytes(cut[: len(cut) // 2])
    found = [list(items(shard)) for shard in shards([place(str(source))], 100)]
    assert [item.name for item in found[0]] == [
        f"{source}/a.tar/{n}/plate{plate.suffix}" for n, plate in enumerate(PLATES[:3])
    ]
    assert [item.content for item in found[1]] == [plate.read_bytes() for plate in PLATES[:3]]
    assert 1 <= len(found[2]) <= 3
    assert "cannot be read to its end" in str(found[2][-1].content)
    assert found[2][0].content == PLATES[0].read_bytes()


def test_parquet_shards(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "there.jpg").write_bytes(jpeg(1))
    tables = {
        "1": {"image": [jpeg(0), None], "id": ["x", "y"]},
        "2": {"image": [{"bytes": jpeg(0), "path": "z.jpg"}]},
        "3": {"path": ["there.jpg", "gone.jpg"], "other": [1, 2]},
        "4": {"other": [1]},
    }
    for name, columns in tables.items():
        parquet.write_table(pyarrow.table(columns), source / f"{name}.parquet")
    (source / "5.parquet").write_bytes(b"PAR1 but no more")
    found = [list(items(shard)) for shard in shards([place(str(source))], 100)]
    at = str(source)
    assert found[0][0] == (f"{at}/1.parquet#0/x", jpeg(0))
    assert found[0][1].name == f"{at}/1.parquet#1/y"
    assert str(found[0][1].content) == f"{at}/1.parquet#1/y: no picture in this row"
    assert found[1] == [(f"{at}/2.parquet#0/z.jpg", jpeg(0))]
    assert found[2][0] == (f"{at}/there.jpg", jpeg(1))
    assert str(found[2][1].content).startswith(f"{at}/gone.jpg: cannot be read")
    assert "4.parquet: no column of pictures" in str(found[3][0].content)
    assert "5.parquet: cannot be read to its end" in str(found[4][0].content)
    # pictures that lie beside are one more shard
    assert [item.name for item in found[5]] == [f"{at}/there.jpg"]


def test_another_file_system(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec comes with the extra ray")
    memory = fsspec.filesystem("memory")
    for number, plate in enumerate(PLATES[:3]):
        memory.pipe(f"/bulk/{number}{plate.suffix}", plate.read_bytes())
    source = place("memory://bulk")
    out = place("memory://read")
    done = Worker(BulkJob(out, "plates-nano"))(next(shards([source], 10)))
    assert done == Done(0, pictures=3)
    with out.system.open_input_file(out.path + "/part-000000.parquet") as file:
        texts = [row["text"] for row in parquet.ParquetFile(file).read().to_pylist()]
    assert texts == [Reader("plates-nano")(str(plate)).text for plate in PLATES[:3]]
    assert Worker(BulkJob(out, "plates-nano"))(next(shards([source], 10))).found


def test_a_missing_source_stops_no_reading(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run_cli("bulk", "nowhere", folder, "--out", out, "--model", "plates-nano")
    assert done.returncode == 2
    said = done.stderr.decode()
    assert "error: nowhere: no such file or folder" in said
    assert "1 source missing" in said
    assert [part.name for part in out.iterdir()] == ["part-000000.parquet"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "--out", "OUT"), "nowhere: no such file or folder"),
        (("FOLDER", "--out", "FOLDER/out"), "lies in"),
        (("FOLDER", "-", "--out", "OUT"), "leave - away"),
        (("FOLDER", "--out", "OUT", "--model", "nobody"), "no such model"),
        (("FOLDER", "--out", "nosuch://x"), "no such file system"),
        (("EMPTY", "--out", "OUT"), "no pictures, Parquet or tar files"),
    ],
)
def test_bad_requests(folder: Path, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "empty").mkdir()
    if "nosuch" in says or "nosuch://x" in arguments:
        pytest.importorskip("fsspec", reason="fsspec comes with the extra ray")
    names = {"FOLDER": str(folder), "OUT": str(tmp_path / "out"), "EMPTY": str(tmp_path / "empty")}
    given = [names.get(a, a.replace("FOLDER", str(folder))) for a in arguments]
    done = run_cli("bulk", *given)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert len(done.stderr.decode().strip().splitlines()) == 1


def test_a_part_that_is_none_of_ours(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "part-000000.parquet").write_bytes(b"something else")
    done = run_cli("bulk", folder, "--out", out, "--shard-size", 8, "--model", "digits-nano")
    assert done.returncode == 2
    assert "not a part of a reading" in done.stderr.decode()
    assert (out / "part-000000.parquet").read_bytes() == b"something else"
    assert len(rows_of(out / "part-000001.parquet")) == 3


def rows_of(part: Path) -> list[dict[str, object]]:
    return list(parquet.ParquetFile(part).read().to_pylist())


def test_a_link_to_itself_is_a_row_with_its_error(folder: Path, tmp_path: Path) -> None:
    (folder / "loop.jpg").symlink_to("loop.jpg")
    done = run_cli("bulk", folder, "--out", tmp_path / "out", "--model", "digits-nano")
    assert done.returncode == 2
    errors = {Path(str(row["path"])).name: row["error"] for row in rows(tmp_path / "out")}
    assert errors.pop("loop.jpg")
    assert not all(errors.values())


def test_shards_are_listed_one_at_a_time(folder: Path) -> None:
    listed = shards([place(str(folder))], 2)
    first = next(listed)
    assert [Path(file.path).stem for file in first.files] == ["0", "2"]
    with pytest.raises(InputError, match="no pictures"):
        next(shards([place(str(folder / "nowhere"))], 2))


def test_a_readers_options_are_kept(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run_cli("bulk", folder, "--out", out, "--min-confidence", "1", "--grammar", "none")
    said = done.stderr.decode()
    assert "refused" in said
    assert not any(row["accepted"] for row in rows(out))
    mark = json.loads(parquet.read_metadata(out / "part-000000.parquet").metadata[b"crnn_ctc"])
    assert (mark["grammar"], mark["min_confidence"]) == ("none", 1.0)
