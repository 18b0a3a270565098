"""Fine-tuning: initial weights from another run or a model file."""

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
"""Alphabet of the new model: the recipe's alone, or its union with that of the initial model."""


@dataclass(frozen=True)
class Start:
    """Initial weights.

    Attributes:
        name: name of the model, or of the run folder.
        network: on the CPU, for evaluation.
        alphabet: alphabet of its classes.
        settings: settings of the network.
        channels: number of channels of its pictures.
        height: height of its pictures, in pixels.
        folded: whether its batch norms were folded into the convolutions.
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
    """The recipe with the characters of ``start``, followed by its own additional ones.

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
    """Widen ``start`` to the network of ``recipe``, preserving its function up to noise.

    Net2WiderNet (Chen, Goodfellow and Shlens 2016, arXiv 1511.05641): channels are copied, and the
    weights that read n copies are divided by n. If the architectures are equal, ``start`` is
    returned unchanged.

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
    """Check that the network of ``recipe`` can take the weights of ``start``; the width is free.

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
    """Copy the weights of ``start`` into the new network of ``recipe``.

    Rows of the last layer are matched by character; rows of new characters stay random.

    Returns:
        A line with the numbers of kept and new characters.

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
def settle_norms(network: nn.Module, images: Tensor) -> None:
    """Make batch norms that change nothing such that they change nothing while training either.

    In training mode a norm uses the statistics of the batch, so a folded norm would scale its input
    a second time. Beta and the running mean are therefore set to the mean of the norm's input,
    gamma and the running deviation to its deviation.

    Args:
        network: a network of :func:`~crnn_ctc.training.from_onnx.load_network`.
        images: training pictures, uint8 (N, H, W, C).
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
