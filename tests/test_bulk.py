from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import EXAMPLES, command, run_cli
from crnn_ctc import InputError, Reader

pyarrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402

from crnn_ctc.bulk.items import items  # noqa: E402
from crnn_ctc.bulk.places import place  # noqa: E402
from crnn_ctc.bulk.processes import read_with_processes  # noqa: E402
from crnn_ctc.bulk.shards import shards  # noqa: E402
from crnn_ctc.bulk.work import Done, Job, Worker  # noqa: E402

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
        "predict", folder, "--out", out, "--workers", workers, "--shard-size", 4,
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
    arguments = ("predict", folder, "--out", out, "--shard-size", 4, "--model", "digits-nano")
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
    arguments = ("predict", folder, "--out", out, "--shard-size", 3, "--model", "digits-nano")
    run_cli(*arguments)
    change(folder)  # type: ignore[operator]
    done = run_cli(*arguments)
    assert done.returncode == 2
    assert says in done.stderr.decode()


def test_other_settings_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_cli("predict", folder, "--out", out, "--model", "digits-nano")
    done = run_cli("predict", folder, "--out", out, "--model", "plates-nano")
    assert done.returncode == 2
    assert "was read with another model, grammar or least confidence" in done.stderr.decode()
    assert all("·" not in str(row["text"]) for row in rows(out))


def test_a_worker_that_is_killed(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    for number in range(240):
        (source / f"{number:03d}.jpg").write_bytes(PLATES[number % len(PLATES)].read_bytes())
    with subprocess.Popen(
        command(
            "predict", source, "--out", out, "--workers", 2, "--shard-size", 40,
            "--model", "plates-nano",
        ),
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        victim = None
        until = time.monotonic() + 60
        while victim is None and time.monotonic() < until:
            # only readers begin parts
            if list(out.glob(".part-*")):
                victim = next(iter(readers_of(process.pid)), None)
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        said = process.communicate(timeout=120)[1].decode()
    assert process.returncode == 0, said
    names = [row["path"] for row in rows(out)]
    assert sorted(names) == [str(source / f"{number:03d}.jpg") for number in range(240)]


def test_a_ray_cluster_whose_actor_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray comes with the extra ray")
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    for number in range(240):
        (source / f"{number:03d}.jpg").write_bytes(PLATES[number % len(PLATES)].read_bytes())
    script = Path(__file__).with_name("ray_cluster.py")
    done = subprocess.run(
        [sys.executable, script, source, out], capture_output=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "killed 1" in done.stdout.decode()
    names = [row["path"] for row in rows(out)]
    assert sorted(names) == [str(source / f"{number:03d}.jpg") for number in range(240)]
    # what an actor left is taken away by the next run, here one of processes, with nothing to do
    again = run_cli("predict", source, "--out", out, "--shard-size", 40, "--model", "plates-nano")
    assert again.returncode == 0, again.stderr.decode()
    assert "6 of them there before" in again.stderr.decode()
    assert [path.name for path in sorted(out.iterdir())] == [
        f"part-{n:06d}.parquet" for n in range(6)
    ]


def readers_of(parent: int) -> list[int]:
    """Processes that ``parent`` spawned to read."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            status = (entry / "stat").read_text().rpartition(")")[2].split()
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if status[1] == str(parent) and b"spawn_main" in line:
            found.append(int(entry.name))
    return found


class Deadly(Worker):
    """Dies over one shard."""

    def __call__(self, shard: object) -> Done:
        if shard.number == 1:  # type: ignore[attr-defined]
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(shard)  # type: ignore[arg-type]


def test_a_shard_that_kills_is_given_up(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import crnn_ctc.bulk.processes as module

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(module, "_work", _deadly)
    job = Job(place(str(tmp_path / "out")), "digits-nano")
    reports = sorted(
        read_with_processes(job, shards(place(str(folder)), 4), 1), key=lambda done: done.shard
    )
    assert [report.error is None for report in reports] == [True, False, True]
    assert "3 workers died over it" in str(reports[1].error)
    assert len(list((tmp_path / "out").glob("part-*"))) == 2


def _deadly(line: object, job: Job) -> None:
    import crnn_ctc.bulk.processes as module

    module.Worker = Deadly  # type: ignore[misc,assignment]
    module._work(line, job)  # type: ignore[arg-type]


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
    found = [list(items(shard)) for shard in shards(place(str(source)), 100)]
    assert [item.name for item in found[0]] == [
        f"{source}/a.tar/{n}/plate{plate.suffix}" for n, plate in enumerate(PLATES[:3])
    ]
    assert [item.content for item in found[1]] == [plate.read_bytes() for plate in PLATES[:3]]
    assert 1 <= len(found[2]) <= 3
    assert "cannot be read to its end" in str(found[2][-1].error)
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
    found = [list(items(shard)) for shard in shards(place(str(source)), 100)]
    at = str(source)
    assert [(item.name, item.content) for item in found[0]] == [
        (f"{at}/1.parquet#0/x", jpeg(0)),
        (f"{at}/1.parquet#1/y", None),
    ]
    assert found[0][1].error == f"{at}/1.parquet#1/y: no picture in this row"
    assert found[1] == [(f"{at}/2.parquet#0/z.jpg", jpeg(0), None)]
    assert found[2][0] == (f"{at}/there.jpg", jpeg(1), None)
    assert str(found[2][1].error).startswith(f"{at}/gone.jpg: cannot be read")
    assert "4.parquet: no column of pictures" in str(found[3][0].error)
    assert "5.parquet: cannot be read to its end" in str(found[4][0].error)
    # pictures that lie beside are one more shard
    assert [item.name for item in found[5]] == [f"{at}/there.jpg"]


def test_another_file_system(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec comes with the extra ray")
    memory = fsspec.filesystem("memory")
    for number, plate in enumerate(PLATES[:3]):
        memory.pipe(f"/bulk/{number}{plate.suffix}", plate.read_bytes())
    source = place("memory://bulk")
    out = place("memory://read")
    done = Worker(Job(out, "plates-nano"))(next(shards(source, 10)))
    assert done == Done(0, pictures=3)
    with out.system.open_input_file(out.path + "/part-000000.parquet") as file:
        texts = [row["text"] for row in parquet.ParquetFile(file).read().to_pylist()]
    assert texts == [Reader("plates-nano")(str(plate)).text for plate in PLATES[:3]]
    assert Worker(Job(out, "plates-nano"))(next(shards(source, 10))).found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "--out", "OUT"), "nowhere: no such file or folder"),
        (("FOLDER", "--out", "FOLDER/out"), "lies in"),
        (("FOLDER", "FOLDER", "--out", "OUT"), "reads one folder"),
        (("FOLDER", "--out", "OUT", "--format", "json"), "leave --format"),
        (("FOLDER", "--out", "OUT", "--model", "nobody"), "no such model"),
        (("FOLDER", "--workers", "2"), "--workers and --engine are for --out"),
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
    done = run_cli("predict", *given)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert len(done.stderr.decode().strip().splitlines()) == 1


def test_a_part_that_is_none_of_ours(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "part-000000.parquet").write_bytes(b"something else")
    done = run_cli("predict", folder, "--out", out, "--shard-size", 8, "--model", "digits-nano")
    assert done.returncode == 2
    assert "not a part of a reading" in done.stderr.decode()
    assert (out / "part-000000.parquet").read_bytes() == b"something else"
    assert len(rows_of(out / "part-000001.parquet")) == 3


def rows_of(part: Path) -> list[dict[str, object]]:
    return list(parquet.ParquetFile(part).read().to_pylist())


def test_shards_are_listed_one_at_a_time(folder: Path) -> None:
    listed = shards(place(str(folder)), 2)
    first = next(listed)
    assert [Path(file.path).stem for file in first.files] == ["0", "2"]
    with pytest.raises(InputError, match="no such file"):
        next(shards(place(str(folder / "nowhere")), 2))


def test_a_readers_options_are_kept(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run_cli("predict", folder, "--out", out, "--min-confidence", "1", "--grammar", "none")
    said = done.stderr.decode()
    assert "refused" in said
    assert not any(row["accepted"] for row in rows(out))
    mark = json.loads(parquet.read_metadata(out / "part-000000.parquet").metadata[b"crnn_ctc"])
    assert (mark["grammar"], mark["min_confidence"]) == ("none", 1.0)
