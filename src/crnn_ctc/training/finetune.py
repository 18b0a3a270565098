"""What a run begins with instead of random weights: another run, or a model file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from crnn_ctc.alphabet import ALPHABETS, Alphabet
from crnn_ctc.errors import InputError
from crnn_ctc.net.build import build
from crnn_ctc.net.network import Network, scale_pixels
from crnn_ctc.recipe import NetworkSettings, OwnAlphabet, Recipe
from crnn_ctc.training.from_onnx import load_network
from crnn_ctc.training.run_folder import Trained

Resize = Literal["new", "union"]
"""Which alphabet to go on with: the recipe's alone, or with it all that the start knows."""


@dataclass(frozen=True)
class Start:
    """Weights to begin with.

    Attributes:
        name: name of the model, or of the run folder.
        network: on the CPU, for evaluation.
        alphabet: alphabet of its classes.
        settings: which network it is.
        channels: number of channels of its pictures.
        height: height of its pictures, in pixels.
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


_BREAK = 0.05
"""Noise on widened weights, as a share of their deviation: copies must not stay alike."""


@torch.no_grad()
def widened(start: Start, recipe: Recipe) -> Start:
    """``start`` as the wider network of ``recipe``, computing nearly the same.

    Net2WiderNet (Chen, Goodfellow and Shlens 2016, arXiv 1511.05641): channels are copied, and
    what reads a channel that has n copies weighs each by 1/n. Where both networks are of one
    architecture, ``start`` as it is.

    Raises:
        InputError: the recipe's network is not the same with more channels.
    """
    if start.settings.architecture == recipe.network.architecture:
        return start
    wide = build(
        recipe.model_copy(update={"alphabet": OwnAlphabet(characters=start.alphabet.characters)})
    )
    wide.own_light = start.network.own_light
    old_layers, new_layers = (
        [m for m in net.cnn.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
        for net in (start.network, wide)
    )
    alike = [type(layer) for layer in old_layers] == [type(layer) for layer in new_layers]
    if not alike or any(
        isinstance(old, nn.Conv2d)
        and isinstance(new, nn.Conv2d)
        and (old.kernel_size != new.kernel_size or old.out_channels > new.out_channels)
        for old, new in zip(old_layers, new_layers, strict=True)
    ):
        raise InputError(
            f"{start.name}: {start.settings.architecture} cannot be widened to "
            f"{recipe.network.architecture}; begin with a model of that network, or without --from"
        )
    random = torch.Generator().manual_seed(recipe.seed)
    copies: dict[int, Tensor] = {}  # of which old channel each new one is, by the old width

    def taken(old: int, new: int) -> Tensor:
        if old not in copies or len(copies[old]) != new:
            more = torch.randint(old, (new - old,), generator=random)
            copies[old] = torch.cat([torch.arange(old), more])
        return copies[old]

    inputs = torch.arange(recipe.input.channels)
    for old, new in zip(old_layers, new_layers, strict=True):
        if isinstance(old, nn.Conv2d) and isinstance(new, nn.Conv2d):
            outputs = taken(old.out_channels, new.out_channels)
            share = torch.bincount(inputs)[inputs].reciprocal()
            weight = old.weight[outputs][:, inputs] * share[None, :, None, None]
            noise = torch.randn(weight.shape, generator=random) * weight.std() * _BREAK
            new.weight.copy_(weight + noise)
            assert old.bias is not None
            assert new.bias is not None
            new.bias.copy_(old.bias[outputs])
            inputs = outputs
        elif isinstance(old, nn.BatchNorm2d) and isinstance(new, nn.BatchNorm2d):
            for name, value in old.state_dict().items():
                new.state_dict()[name].copy_(value[inputs] if value.ndim else value)
    share = torch.bincount(inputs)[inputs].reciprocal()
    wide.fc.weight.copy_(start.network.fc.weight[:, inputs] * share)
    wide.fc.bias.copy_(start.network.fc.bias)
    return replace(start, network=wide.eval(), settings=recipe.network)


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
