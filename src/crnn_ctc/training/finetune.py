"""What a run begins with instead of random weights: another run, or a model file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from crnn_ctc.alphabet import ALPHABETS, Alphabet
from crnn_ctc.errors import InputError
from crnn_ctc.net.network import Network, scale_pixels
from crnn_ctc.recipe import NetworkSettings, Recipe
from crnn_ctc.training.from_onnx import load_network
from crnn_ctc.training.run_folder import Trained

Resize = Literal["new", "union"]
"""Which alphabet to go on with: the recipe's alone, or with it all that the start knows."""


@dataclass(frozen=True)
class Start:
    """Weights to begin with.

    Attributes:
        name: of the model, or of the run folder.
        network: on the CPU, for evaluation.
        alphabet: of its classes.
        settings: which network it is.
        channels: of its pictures.
        height: of its pictures, in pixels.
        folded: whether its batch norms were multiplied into the convolutions.
    """

    name: str
    network: Network
    alphabet: Alphabet
    settings: NetworkSettings
    channels: int
    height: int
    folded: bool


def open_start(source: str | Path) -> Start:
    """A run folder's best weights, or those of a shipped model or a model file.

    Raises:
        InputError: no such run or model.
    """
    if Path(source).is_dir():
        run = Trained(Path(source))
        network, card, settings = run.network, run.card, run.recipe.network
    else:
        network, card = load_network(str(source))
        settings = NetworkSettings.model_validate(card.recipe["network"])
    return Start(
        Path(source).resolve().name,
        network,
        card.alphabet,
        settings,
        card.channels,
        card.height,
        folded=not Path(source).is_dir(),
    )


def united(recipe: Recipe, start: Start) -> Recipe:
    """The recipe, its alphabet all characters of ``start`` and then those that only it has.

    Raises:
        InputError: the recipe's data are spelt with another alphabet.
    """
    ours, theirs = recipe.characters, start.alphabet
    if all(c in ours for c in theirs.characters):
        return recipe
    new = [c for c in ours.characters if c not in theirs]
    named = next((name for name, known in ALPHABETS.items() if known == theirs), None)
    alphabet = named if named and not new else {"characters": theirs.characters + "".join(new)}
    try:
        return Recipe.model_validate(recipe.model_dump() | {"alphabet": alphabet})
    except ValueError:
        raise InputError(
            f"recipe {recipe.name}: its data are spelt with alphabet {recipe.alphabet}; "
            f"leave --resize union out, or take a recipe with data.kind = labelled"
        ) from None


def check_start(recipe: Recipe, start: Start) -> None:
    """Whether the network of ``recipe`` can take the weights of ``start``; any width can.

    Raises:
        InputError: another architecture, recurrent layer, height or number of channels.
    """
    wanted = {
        "network.architecture": (start.settings.architecture, recipe.network.architecture),
        "network.rnn": (start.settings.rnn, recipe.network.rnn),
        "input.height": (start.height, recipe.input.height),
        "input.channels": (start.channels, recipe.input.channels),
    }
    other = {key: theirs for key, (theirs, ours) in wanted.items() if theirs != ours}
    if other:
        changes = " ".join(f"--set {key}={value}" for key, value in other.items())
        raise InputError(
            f"{start.name}: its network or input is another than the recipe's; take: {changes}"
        )


def begin_with(network: Network, recipe: Recipe, start: Start) -> str:
    """Give the fresh network of ``recipe`` the weights of ``start``.

    The last layer's rows go with their characters, the blank's with the blank; those of characters
    that ``start`` does not know stay as they are.

    Returns:
        A line that says what was kept.

    Raises:
        InputError: see :func:`check_start`.
    """
    check_start(recipe, start)
    ours, theirs = recipe.characters, start.alphabet
    shared = "".join(c for c in ours.characters if c in theirs)
    to = [ours.blank, *ours.encode(shared)]
    rows = [theirs.blank, *theirs.encode(shared)]
    state, fresh = start.network.state_dict(), network.state_dict()
    for name in ("fc.weight", "fc.bias"):
        last = fresh[name].clone()
        last[to] = state[name][rows]
        state[name] = last
    network.load_state_dict(state)
    return (
        f"from {start.name}: {len(shared)} of its {len(theirs) - 1} characters kept, "
        f"{len(ours) - 1 - len(shared)} new"
    )


@torch.no_grad()
def settle_norms(network: Network, images: Tensor) -> None:
    """Make batch norms that change nothing such that they change nothing while training either.

    While training, a norm goes by the mean and variance of the batch: one that export folded away
    would begin to scale what was scaled already, and undo what the network knows. So beta and the
    running mean become the mean of what comes in, gamma and the running deviation its deviation.

    Args:
        network: as :func:`~crnn_ctc.training.from_onnx.load_network` gives it.
        images: uint8 (N, H, W, C), some of what it will be trained on.
    """

    def settle(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.BatchNorm2d)
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
        assert layer.running_mean is not None
        assert layer.running_var is not None
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(variance)
        layer.bias.add_(mean)  # it may hold that of a convolution without one
        layer.weight.copy_((variance + layer.eps).sqrt())

    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    hooks = [layer.register_forward_pre_hook(settle) for layer in norms]
    network.eval()(scale_pixels(images))
    for hook in hooks:
        hook.remove()
