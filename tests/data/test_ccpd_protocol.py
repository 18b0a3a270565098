"""The commands of docs/plates-data.md, on the part of CCPD that is here."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from helpers.cli import run_cli, sets
from helpers.data import shared_data

pytest.importorskip("torch")

from crnn_ctc.data.source import open_training_data
from crnn_ctc.recipe import load_recipe

# the smallest pictures and the fewest steps that go through it all
SMALL = (
    "input.height=16", "input.width=64", "training.images=64", "training.batch_size=16",
    "training.validations=1", "training.precision=float32", "data.synthetic=0.25",
)  # fmt: skip


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, target = shared_data("ccpd"), tmp_path_factory.mktemp("ccpd") / "crops"
    done = run_cli("data", "ccpd", source, target, "--workers", 1)
    assert done.returncode == 0, done.stderr.decode()
    return target


@pytest.mark.parametrize(
    ("name", "train", "held"),
    [
        ("plates-tiny-ccpd", {"train"}, {"val"}),
        ("plates-tiny-ccpd-trainval", {"train", "val"}, {"val"}),
    ],
)
def test_no_recipe_sees_the_test(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, train: set[str],
    held: set[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    plates: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    with (crops / "manifest.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            plates[row["split"]].append(row["label"])
    source, validation = open_training_data(load_recipe(name), crops)
    (pool,) = source.pools  # type: ignore[attr-defined]
    assert sorted(pool.texts) == sorted(t for split in train for t in plates[split])
    assert sorted(validation.texts) == sorted(t for split in held for t in plates[split])
    assert not set(pool.texts) & set(plates["test"])


@pytest.mark.slow
def test_the_protocol_from_end_to_end(crops: Path, tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "measures.json"
    recipe = "plates-tiny-ccpd-trainval"
    done = run_cli("train", recipe, "--data", crops, "--run", run, *sets(*SMALL),
                   XDG_CACHE_HOME=str(tmp_path / "cache"))  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    # each subset by itself, as --subset and as a group of the whole
    done = run_cli("evaluate", run, crops, "--split", "test", "--json", file)
    assert done.returncode == 0, done.stderr.decode()
    values = json.loads(file.read_text())
    assert values["n"] == 31
    assert {name: group["n"] for name, group in values["by_subset"].items()} == {
        "base": 30,
        "green": 1,
    }
    assert {name: group["n"] for name, group in values["by_length"].items()} == {"7": 30, "8": 1}
    done = run_cli(
        "evaluate", run, crops, "--split", "test", "--subset", "ccpd2020", "--json", file
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(file.read_text())["n"] == 1


@pytest.mark.parametrize(
    ("subset", "count"), [("ccpd2019", 30), ("ccpd2020", 1), ("base", 30), ("green", 1)]
)
def test_subsets_of_the_test(crops: Path, subset: str, count: int) -> None:
    from crnn_ctc.data.labelled import read_labelled
    from crnn_ctc.evaluation.collection import in_subset

    found = [
        item
        for item in read_labelled(crops)
        if item.attributes["split"] == "test" and in_subset(item.attributes["subset"], subset)
    ]
    assert len(found) == count
