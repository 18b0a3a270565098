from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import InputError
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.data.packed import Size, pack
from crnn_ctc.image import fit, load
from helpers.cli import run_cli, sets
from helpers.data import shared_data

PLATES = Size(48, 168, 3, "any")
TEXTS = ("皖A12345", "京B00000", "粤C6789D", "苏E11111")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four plates of noise, and a broken one."""
    root = tmp_path / "车牌"
    for split in ("train", "dev"):
        (root / split).mkdir(parents=True)
        for i, text in enumerate(TEXTS):
            noise = np.random.default_rng(i).integers(0, 256, (20, 60, 3), np.uint8)
            Image.fromarray(noise).save(root / split / f"{text}_{i}.jpg")
    (root / "train" / "浙F00000_9.jpg").write_bytes(b"no picture")
    return root


def test_packed_pictures_are_those_of_the_folder(folder: Path, tmp_path: Path) -> None:
    samples = list(read_labelled(folder / "train"))
    packed = pack(samples, PLATES, tmp_path / "cache")
    good = [sample for sample in samples if sample.text != "浙F00000"]
    assert packed.texts == [sample.text for sample in good]
    for image, sample in zip(packed.images, good, strict=True):
        np.testing.assert_array_equal(image, fit(load(sample.path), 48, 168, 3))
    assert len(packed.errors) == 1
    assert "浙F00000_9.jpg" in packed.errors[0]


def test_the_cache_is_used_until_a_file_changes(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    samples = list(read_labelled(folder / "dev"))
    first = np.array(pack(samples, PLATES, cache).images)
    (kept,) = cache.iterdir()
    before = (kept / "pixels").stat().st_mtime_ns
    pack(samples, PLATES, cache)
    assert (kept / "pixels").stat().st_mtime_ns == before
    Image.new("RGB", (60, 20), "white").save(samples[0].path)
    second = pack(samples, PLATES, cache).images
    assert (second[0] == 255).all()
    np.testing.assert_array_equal(second[1:], first[1:])
    grey = pack(samples, Size(32, 160, 1, "light"), cache)
    assert grey.images.shape == (4, 32, 160, 1)


def test_nothing_to_pack(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no labelled picture can be read"):
        pack([], PLATES, tmp_path)


def test_real_plates_pack(tmp_path: Path) -> None:
    samples = list(read_labelled(shared_data("plates") / "dev.csv"))
    packed = pack(samples, PLATES, tmp_path)
    assert packed.images.shape == (439, 48, 168, 3)
    assert not packed.errors


SMALL = (
    "data.train=train", "data.validation=dev", "training.images=32", "training.batch_size=8",
    "training.log_steps=1", "training.validations=1", "training.precision=float32",
)  # fmt: skip


def test_a_plate_reader_trains_and_is_evaluated(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    run = tmp_path / "run"
    done = run_cli("train", "plates-tiny", "--data", folder, "--run", run, *sets(*SMALL),
                   XDG_CACHE_HOME=str(tmp_path / "cache"))  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert "left out: " in done.stderr.decode()  # the broken picture
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["loss"]) for row in rows if row["kind"] == "train")
    file = tmp_path / "measures.json"
    done = run_cli("evaluate", run, folder / "dev", "--json", file)
    assert done.returncode == 0, done.stderr.decode()
    values = json.loads(file.read_text())
    assert values["n"] == 4
    assert set(values["by_province"]) == {"皖", "京", "粤", "苏"}


def test_labels_that_no_plate_has_are_named(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    for name, says in (("皖I00000_1.jpg", "'I' is not in the alphabet"),
                       ("皖A000000000000_1.jpg", "longer than any plate")):  # fmt: skip
        extra = folder / "train" / name
        Image.new("RGB", (60, 20)).save(extra)
        done = run_cli("train", "plates-tiny", "--data", folder, "--run", tmp_path / "run",
                       *sets(*SMALL))  # fmt: skip
        assert done.returncode == 2
        assert says in done.stderr.decode()
        assert name in done.stderr.decode()
        extra.unlink()
