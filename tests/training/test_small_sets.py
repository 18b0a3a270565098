"""Training on a few pictures of one's own: epochs, early stopping, empty labels, going on."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import tomllib
from PIL import Image

from crnn_ctc.errors import InputError
from helpers.cli import run_cli, sets
from helpers.data import write_lines

pytest.importorskip("torch")

from crnn_ctc.data.completed import with_images
from crnn_ctc.data.source import open_training_data
from crnn_ctc.recipe import load_recipe
from crnn_ctc.training import reader as training
from crnn_ctc.training import run_log
from crnn_ctc.training.early_stopping import EarlyStopping

SMALL = (
    "input.height=32", "input.width=64", "input.channels=1", "training.batch_size=4",
    "training.precision=float32",
)  # fmt: skip


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six pictures to train on, two to choose by."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_lines(tmp_path / "lines" / "train", ("bad", "cab"), copies=3)
    write_lines(tmp_path / "lines" / "val", ("bad", "dab"))
    return tmp_path / "lines"


def test_epochs_count_the_pictures(lines: Path) -> None:
    recipe = load_recipe("text-nano", [*SMALL, "training.epochs=2.5"])
    with pytest.raises(InputError, match="known once train has counted"):
        _ = recipe.training.steps
    counted = with_images(recipe, lines)
    assert (counted.training.images, counted.training.epochs) == (15, None)
    assert counted.training.steps == 3
    assert with_images(counted, lines) is counted
    # one takes the place of the other, and there is always one
    assert load_recipe("text-nano", ["training.images=80"]).training.epochs is None
    assert load_recipe("text-tiny", ["training.epochs=3"]).training.images is None
    with pytest.raises(InputError, match=r"training\.epochs counts labelled pictures"):
        with_images(load_recipe("digits-nano", ["training.epochs=3"]), lines)


def test_a_recipe_says_how_long_in_one_way(tmp_path: Path) -> None:
    text = (Path(run_log.__file__).parents[1] / "recipes" / "text-nano.toml").read_text()
    (tmp_path / "both.toml").write_text(text.replace("epochs =", "images = 100\nepochs ="))
    with pytest.raises(InputError, match=r"training: set images, .* or epochs"):
        load_recipe(tmp_path / "both.toml")


def test_early_stopping_waits_until_something_is_read() -> None:
    stopping = EarlyStopping(2)
    seen = []
    for exact, cer in (
        (0, 1.0),
        (0, 0.9),
        (0, 0.9),
        (0.5, 0.4),
        (0.5, 0.3),
        (0.5, 0.3),
        (0.4, 0.2),
    ):
        stopping.add(exact, -cer)
        seen.append(stopping.reached)
    assert seen == [False] * 6 + [True]
    other = EarlyStopping(2)
    other.load(json.loads(json.dumps(stopping.state())))
    assert other.reached
    assert not EarlyStopping(0).reached


def test_a_run_ends_where_it_gets_no_better(
    lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = iter([0.0, 0.25, 0.5, 0.5, 0.5, 0.75])
    monkeypatch.setattr(
        training, "validate", lambda *_: {"exact_match": next(measured), "cer": 0.5}
    )
    recipe = load_recipe(
        "text-nano",
        [*SMALL, "training.images=40", "training.validations=10", "training.patience=2",
         "alphabet.characters=abcd"],
    )  # fmt: skip
    best = training.train_reader(recipe, lines, tmp_path / "run")
    assert best == 0.5
    said = capsys.readouterr().err
    assert "stopped early at step 5 of 10: the last 2 validations were no better" in said
    assert "6 pictures; 10 steps of 4, 10 to go, on cpu" in said
    assert re.search(r"step 3 of 10  .* left  \d+ images/s  validation 50.00 % right", said)
    # there is nothing to go on with
    assert training.train_reader(recipe, lines, tmp_path / "run", resume=True) == 0.5
    assert "10 steps of 4, 0 to go" in capsys.readouterr().err


def test_a_line_is_printed_every_few_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([float(n) for n in range(0, 1000, 4)])
    monkeypatch.setattr(run_log.time, "perf_counter", lambda: next(clock))
    with run_log.Record(tmp_path, 100, 40, 8) as record:
        for step in range(41, 61):
            record.advance(step)
    printed = capsys.readouterr().err.splitlines()
    assert 3 <= len(printed) <= 10
    assert all(re.match(r"step \d+ of 100  .* left  \d+ images/s", line) for line in printed)


def test_an_empty_label_is_a_picture_without_text(lines: Path, tmp_path: Path) -> None:
    Image.new("L", (64, 32), 128).save(lines / "train" / "ground.png")
    rows = [f"{p.name},{p.name.partition('_')[0]}" for p in (lines / "train").glob("*_*.png")]
    (lines / "train.csv").write_text("\n".join(["file,label", *rows, "ground.png,"]) + "\n")
    recipe = load_recipe("text-nano", [*SMALL, "training.images=8", "alphabet.characters=abcd"])
    source, _ = open_training_data(recipe, lines)
    assert sorted({text for step in range(20) for text in source.batch(step, 4)[1]}) == [
        "", "bad", "cab",
    ]  # fmt: skip
    assert training.train_reader(recipe, lines, tmp_path / "run") is not None


def test_training_says_where_labels_come_from_and_what_is_rare(
    lines: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = load_recipe("text-nano", [*SMALL, "training.images=8", "alphabet.characters=abcd"])
    with caplog.at_level("INFO", logger="crnn_ctc"):
        open_training_data(recipe, lines)
    assert f"training labels: 6 from file names (LABEL_n) in {lines / 'train'}" in caplog.messages
    assert "alphabet: 4 characters: abcd" in caplog.messages
    (rare,) = [m for m in caplog.messages if "fewer than 5 times" in m]
    assert "'c' 3, 'd' 3" in rare
    names = [f"img_{n}.png,{text}" for n, text in enumerate(("bad", "cab", "dab"))]
    for n, path in enumerate(sorted((lines / "val").iterdir())):
        path.rename(lines / "val" / f"img_{n}.png")
    caplog.clear()
    open_training_data(
        recipe.model_copy(
            update={"alphabet": load_recipe("text-nano", ["alphabet.characters=abcdimg"]).alphabet}
        ),
        lines,
    )
    assert any("all 2 labels are 'img'" in m for m in caplog.messages)
    (lines / "val.csv").write_text("\n".join(["file,label", *names[:2]]) + "\n")
    caplog.clear()
    open_training_data(recipe, lines)
    assert not any("labels are" in m for m in caplog.messages)


@pytest.mark.slow
def test_more_pictures_go_on_from_the_run(lines: Path, tmp_path: Path) -> None:
    run = tmp_path / "a run"
    arguments = ["train", "text-nano", "--data", lines, "--run", run]
    changes = sets(*SMALL, "training.epochs=2", "training.validations=1")
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = run_cli(*arguments, *changes, **env)
    assert done.returncode == 0, done.stderr.decode()
    said = done.stderr.decode()
    assert f"next: crnn-ctc export {shlex.quote(str(run))}\n" in said
    assert tomllib.loads((run / "versions.toml").read_text())["pictures"] == 6
    write_lines(lines / "train", ("dab",), copies=2)
    done = run_cli(*arguments, *changes, "--resume", **env)
    assert done.returncode == 2
    said = done.stderr.decode()
    assert "was begun with 6 training pictures, there are 8 now" in said
    words = shlex.split(said[said.index("crnn-ctc train") :])
    assert words[words.index("--from") + 1] == str(run)
    done = run_cli(*words[1:], **env)
    assert done.returncode == 0, done.stderr.decode()
    run = Path(words[words.index("--run") + 1])
    assert tomllib.loads((run / "versions.toml").read_text())["from"] == "a run"
    done = run_cli("info", run)
    assert "a line of text, CNN_Nano" in done.stdout.decode()
