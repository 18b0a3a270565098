"""A network of another kind goes all the way, as CONTRIBUTING's "Adding a network" says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crnn_ctc import InputError, Reader
from crnn_ctc.recipe import NETWORKS, Recipe, load_recipe
from crnn_ctc.recipe.networks import Registered

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from crnn_ctc.benchmark.specimens import fitted_specimens  # noqa: E402
from crnn_ctc.export import to_onnx as exporting  # noqa: E402
from crnn_ctc.net.build import build  # noqa: E402
from crnn_ctc.net.network import Network, RnnKind, scale_pixels  # noqa: E402
from crnn_ctc.net.summary import summarize  # noqa: E402
from crnn_ctc.training import checkpoint  # noqa: E402
from crnn_ctc.training.from_onnx import load_network  # noqa: E402


class Mixer(Network):
    """Other activations, a convolution without bias, a layer norm, three linear layers."""

    reduction = 8
    recurrent = ("none",)

    def __init__(
        self,
        channels: int,
        height: int,
        classes: int,
        rnn: RnnKind = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.check(height, rnn)
        self.cnn = nn.Sequential(
            nn.Conv2d(channels, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.SiLU(),
            nn.Conv2d(8, 8, 3, (2, 1), 1),
            nn.BatchNorm2d(8),
            nn.Hardswish(),
            nn.AvgPool2d((2, 1)),
        )
        self.fc = nn.Linear(height, classes)
        self.mix = nn.Sequential(
            nn.LayerNorm(height), nn.Linear(height, 16), nn.GELU(), nn.Linear(16, height)
        )

    @classmethod
    def steps(cls, width: int) -> int:
        return (width + 1) // 2

    def sequence(self, x: Tensor) -> Tensor:
        return x + self.mix(x)


class Scaled(Mixer):
    """With a weight that belongs to no layer that the package knows."""

    def __init__(self, channels: int, height: int, classes: int, *others: object) -> None:
        super().__init__(channels, height, classes)
        self.mix.append(Scale(height))


class Scale(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.full((features,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors


class Resized(Mixer):
    """Computes with an operator that model files must not hold."""

    def sequence(self, x: Tensor) -> Tensor:
        doubled = nn.functional.interpolate(x.transpose(1, 2), scale_factor=2.0)
        return super().sequence(doubled.transpose(1, 2)[:, ::2])


@pytest.fixture
def recipe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    for kind in (Mixer, Scaled, Resized):
        monkeypatch.setitem(NETWORKS, kind.__name__, Registered(__name__))
    name = getattr(request, "param", "Mixer")
    return load_recipe(
        "digits-tiny",
        [
            f"network.architecture={name}",
            "network.rnn=none",
            "data.per_sequence=1",
            "input.width=32",
        ],
    )


def run_folder(recipe: Recipe, folder: Path) -> Network:
    """A run folder of a network whose norms are not fresh ones."""
    torch.manual_seed(3)
    network = build(recipe)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.LayerNorm):
            for tensor in (*layer.parameters(), *layer.buffers()):
                if tensor.is_floating_point():
                    nn.init.uniform_(tensor, 0.5, 1.5)
    folder.mkdir()
    facts = {"recipe": recipe.model_dump(), "step": 1, "validation": {}}
    checkpoint.save_tensors(folder / checkpoint.BEST, network.state_dict(), facts)
    return network.eval()


def test_it_is_exported_read_and_begun_with(recipe: Recipe, tmp_path: Path) -> None:
    network = run_folder(recipe, tmp_path / "mixer")
    file = tmp_path / "mixer.onnx"
    card, _ = exporting.export(tmp_path / "mixer", file)
    assert card.architecture == "Mixer"
    images = fitted_specimens(8, card)
    expected = Reader(file).log_probs(images)
    again, _ = load_network(str(file))
    for one in (network, again):
        with torch.inference_mode():
            got = one(scale_pixels(torch.from_numpy(images))).numpy()
        np.testing.assert_allclose(np.exp(got), np.exp(expected), atol=1e-4)


def test_its_operations_are_counted(recipe: Recipe) -> None:
    summary = summarize(build(recipe), 1, 32, 32)
    convolutions = 8 * 9 * 16 * 16 + 8 * 8 * 9 * 8 * 16
    assert summary.macs == convolutions + 16 * (2 * 32 * 16 + 32 * 11)
    assert summary.uncounted == ()


@pytest.mark.parametrize("recipe", ["Scaled"], indirect=True)
def test_what_is_not_known_is_said(recipe: Recipe, tmp_path: Path) -> None:
    assert summarize(build(recipe), 1, 32, 32).uncounted == ("Scale",)
    run_folder(recipe, tmp_path / "scaled")
    exporting.export(tmp_path / "scaled", tmp_path / "scaled.onnx")
    assert Reader(tmp_path / "scaled.onnx").card.architecture == "Scaled"
    with pytest.raises(InputError, match="give the run folder"):
        load_network(str(tmp_path / "scaled.onnx"))


@pytest.mark.parametrize("recipe", ["Resized"], indirect=True)
def test_export_refuses_what_reading_would(recipe: Recipe, tmp_path: Path) -> None:
    run_folder(recipe, tmp_path / "resized")
    with pytest.raises(InputError, match=r"not written: reading refuses it: .*operator Resize"):
        exporting.export(tmp_path / "resized", tmp_path / "resized.onnx")
    assert not (tmp_path / "resized.onnx").exists()


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(InputError, match="no such network as CRNN_Huge; give one of: CRNN, "):
        load_recipe("digits-tiny", ["network.architecture=CRNN_Huge"])
