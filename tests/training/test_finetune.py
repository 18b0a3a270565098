"""Training that begins with another model's weights, on another alphabet."""

from __future__ import annotations

import json
import sys
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest

from crnn_ctc import InputError, Reader
from crnn_ctc.alphabet import Alphabet
from helpers.cli import SMALL, run_cli, sets
from helpers.data import write_lines

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

torch = pytest.importorskip("torch")

from crnn_ctc.benchmark.specimens import fitted_specimens  # noqa: E402
from crnn_ctc.export import to_onnx as exporting  # noqa: E402
from crnn_ctc.model_file.card import Card  # noqa: E402
from crnn_ctc.net.build import build  # noqa: E402
from crnn_ctc.net.network import Network, scale_pixels  # noqa: E402
from crnn_ctc.recipe import Recipe, load_recipe  # noqa: E402
from crnn_ctc.training.finetune import (  # noqa: E402
    begin_with,
    check_start,
    open_start,
    settle_norms,
    united,
)
from crnn_ctc.training.from_onnx import load_network  # noqa: E402
from crnn_ctc.training.run_folder import Trained, make_card  # noqa: E402


def log_probs(network: Network, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(scale_pixels(torch.from_numpy(images))).numpy()


def lively(recipe: Recipe) -> Network:
    """A network whose batch norms and biases are not those of a fresh one."""
    torch.manual_seed(5)
    network = build(recipe)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                torch.nn.init.uniform_(tensor, 0.5, 1.5)
    return network.eval()


def write_model(recipe: Recipe, path: Path, half: bool) -> Card:
    """The model file of a lively network, as export writes it."""
    network = lively(recipe)
    card = make_card(recipe, network, {"step": 0, "validation": {}})
    exporting.fold_norms(network)
    if half:
        exporting.round_to_half(network)
    model = exporting.to_onnx(network, card)
    if half:
        exporting.store_as_half(model)
    path.write_bytes(model.SerializeToString())
    return card


@pytest.mark.parametrize(
    ("architecture", "rnn", "half"),
    [
        ("CRNN_Tiny", "gru", True),
        pytest.param("CRNN_Tiny", "lstm", False, marks=pytest.mark.slow),
        pytest.param("CRNN", "gru", False, marks=pytest.mark.slow),
        ("CNN_Nano", "none", False),
    ],
)
def test_a_network_comes_back_from_its_file(
    tmp_path: Path, architecture: str, rnn: str, half: bool
) -> None:
    changes = [f"network.architecture={architecture}", f"network.rnn={rnn}"]
    recipe = load_recipe("digits-tiny", [*changes, "data.per_sequence=2", "input.width=64"])
    path = tmp_path / "model.onnx"
    card = write_model(recipe, path, half)
    network, of_file = load_network(str(path))
    assert of_file == Reader(path).card
    images = fitted_specimens(4, card)
    expected = Reader(path).log_probs(images)
    np.testing.assert_allclose(log_probs(network, images), expected, atol=1e-4)
    if not half:  # and so is what it was exported from
        np.testing.assert_allclose(log_probs(lively(recipe), images), expected, atol=1e-4)


def test_norms_that_were_folded_away_do_no_harm_in_training() -> None:
    """The network computes while training, with norms of the batch, what the shipped model does."""
    network, card = load_network("digits-tiny")
    images = fitted_specimens(16, card)
    expected = np.exp(Reader("digits-tiny").log_probs(images))
    assert np.abs(np.exp(log_probs(network.train(), images)) - expected).mean() > 0.02
    settle_norms(network, torch.from_numpy(images))
    # the mean: where the network wavers between two digits, it amplifies float32's rounding
    assert np.abs(np.exp(log_probs(network, images)) - expected).mean() < 1e-4
    assert np.abs(np.exp(log_probs(network.train(), images)) - expected).mean() < 1e-3


def text(*changes: str) -> Recipe:
    """A recipe that digits-tiny's weights fit."""
    return load_recipe(
        "text-tiny", ["input.height=32", "input.width=160", "input.channels=1", *changes]
    )


@pytest.mark.parametrize("of_run", [True, False])
def test_shared_characters_keep_their_rows_bit_for_bit(small_run: Path, of_run: bool) -> None:
    start = open_start(small_run if of_run else "digits-tiny")
    theirs, old = start.alphabet, start.network.state_dict()
    recipe = text("alphabet.characters=AX907")
    torch.manual_seed(0)
    network = build(recipe)
    fresh = {name: t.clone() for name, t in network.state_dict().items()}
    said = begin_with(network, recipe, start)
    assert said == f"from {start.name}: 3 of its 10 characters kept, 2 new"
    new, ours = network.state_dict(), recipe.characters
    for name in ("fc.weight", "fc.bias"):
        for character in "907":
            (i,), (j,) = ours.encode(character), theirs.encode(character)
            assert torch.equal(new[name][i], old[name][j])
        assert torch.equal(new[name][ours.blank], old[name][theirs.blank])
        for character in "AX":
            (i,) = ours.encode(character)
            assert torch.equal(new[name][i], fresh[name][i])
    for name in new.keys() - {"fc.weight", "fc.bias"}:
        assert torch.equal(new[name], old[name])
    same = load_recipe(
        "digits-tiny", ["data.per_sequence=3", "input.width=96"]
    )  # any width will do
    network = build(same)
    assert begin_with(network, same, start).endswith("10 of its 10 characters kept, 0 new")
    assert all(torch.equal(t, old[name]) for name, t in network.state_dict().items())


def test_the_union_of_two_alphabets() -> None:
    start = open_start("digits-tiny")
    both = united(text("alphabet.characters=A9X"), start)
    assert both.characters == Alphabet("#0123456789AX", 0)
    assert united(text("alphabet.characters=97"), start).alphabet == "DIGITS"
    more = text("alphabet.characters=9876543210A")
    assert united(more, start) is more  # it knows them all
    plates = load_recipe("plates-tiny")
    assert united(plates, start) is plates
    word = open_start("digits-tiny")
    object.__setattr__(word, "alphabet", Alphabet.of("ab"))
    with pytest.raises(InputError, match="spelt with alphabet PLATES; leave --resize union out"):
        united(plates, word)


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ("network.rnn=lstm", "--set network.rnn=gru"),
        ("network.architecture=CRNN", "--set network.architecture=CRNN_Tiny"),
        ("input.height=48", "--set input.height=32"),
        ("input.channels=3", "--set input.channels=1"),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_the_remedy(change: str, remedy: str) -> None:
    start = open_start("digits-tiny")
    with pytest.raises(InputError, match="digits-tiny: its network or input is another") as caught:
        check_start(text(change, "alphabet=DIGITS"), start)
    assert str(caught.value).endswith(remedy)


def test_what_cannot_be_begun_with(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model"):
        open_start("nothing")
    with pytest.raises(InputError, match=r"no best\.safetensors"):
        open_start(tmp_path)
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match="not a model of crnn-ctc"):
        open_start(tmp_path / "x.onnx")


def test_a_graph_of_another_making_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "x.onnx"
    with as_file(files("crnn_ctc") / "models" / "digits-tiny.onnx") as shipped:
        model = onnx.load(shipped)
    (norm,) = (n for n in model.graph.node if n.op_type == "LogSoftmax")
    model.graph.node.insert(
        len(model.graph.node) - 1, onnx.helper.make_node("Add", [norm.input[0]] * 2, ["twice"])
    )
    norm.input[0] = "twice"
    onnx.save(model, path)
    with pytest.raises(InputError, match="not one that this version exports; give the run folder"):
        open_start(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Printed rows of the digits that digits-tiny reads, and letters that it does not."""
    root = tmp_path / "own"
    write_lines(root / "train", ("0A12", "34X5", "6789", "9X80", "24A6"), copies=4)
    write_lines(root / "val", ("7A31", "X568"), copies=2)
    return root


BRIEF = (
    "input.height=32", "input.width=160", "input.channels=1", "data.ink=light",
    "training.images=480", "training.batch_size=16", "data.augment=0.2", "training.validations=1",
    "training.log_steps=1", "training.precision=float32", "training.learning_rate=1e-3",
)  # fmt: skip


def losses(run: Path) -> list[float]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if row["kind"] == "train"]


@pytest.mark.slow
def test_a_shipped_model_is_tuned_to_a_made_up_alphabet(folder: Path, tmp_path: Path) -> None:
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    plain = ["train", "text-tiny", "--data", folder, *sets(*BRIEF)]
    runs = tmp_path / "random", tmp_path / "tuned"
    done = run_cli(*plain, "--run", runs[0], **env)
    assert done.returncode == 0, done.stderr.decode()
    tune = [*plain, "--run", runs[1], "--from", "digits-tiny", "--resize", "union"]
    done = run_cli(*tune, **env)
    assert done.returncode == 0, done.stderr.decode()
    assert "from digits-tiny: 10 of its 10 characters kept, 2 new" in done.stderr.decode()
    recipe = tomllib.loads((runs[1] / "recipe.toml").read_text())
    assert recipe["alphabet"] == {"characters": "0123456789AX"}
    assert tomllib.loads((runs[1] / "versions.toml").read_text())["from"] == "digits-tiny"
    random, tuned = losses(runs[0]), losses(runs[1])
    assert tuned[0] < 0.2 * random[0]  # it begins with what the model knows
    assert tuned[-1] < 0.5 * tuned[0]  # and learns the rest
    assert tuned[-1] < 0.2 * random[-1]
    recipe_file = runs[1] / "recipe.toml"
    again = ["train", recipe_file, "--data", folder, "--run", runs[1], "--resume"]
    done = run_cli(*again, **env)  # without --from: it has its weights, and their origin
    assert done.returncode == 0, done.stderr.decode()
    assert tomllib.loads((runs[1] / "versions.toml").read_text())["from"] == "digits-tiny"
    done = run_cli(*tune, "--resume", **env)  # the same command goes on
    assert done.returncode == 0, done.stderr.decode()
    assert "kept" not in done.stderr.decode()
    assert Trained(runs[1]).card.alphabet == Alphabet("#0123456789AX", 0)


@pytest.mark.slow
def test_a_run_killed_before_its_first_checkpoint_wants_its_model_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crnn_ctc.training.reader import train_reader

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = tmp_path / "killed"
    recipe = text(*BRIEF, "alphabet.characters=0123456789AX", "training.images=16")
    train_reader(recipe, folder, run, start="digits-tiny")
    (run / "last" / "state.safetensors").unlink()
    with pytest.raises(InputError, match="begun with --from digits-tiny and stopped before"):
        train_reader(recipe, folder, run, resume=True)
    assert train_reader(recipe, folder, run, resume=True, start="digits-tiny") is not None


def test_union_wants_a_model(tmp_path: Path) -> None:
    done = run_cli("train", "digits-tiny", "--data", tmp_path, "--resize", "union", *sets(*SMALL))
    assert done.returncode == 2
    assert "give --from" in done.stderr.decode()
