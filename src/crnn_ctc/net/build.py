"""From a recipe to its network."""

from __future__ import annotations

from crnn_ctc.errors import InputError
from crnn_ctc.net.architectures import network_class
from crnn_ctc.net.network import Network
from crnn_ctc.recipe import NetworkSettings, Recipe


def time_steps(recipe: Recipe) -> int:
    """T, the time steps that the network of ``recipe`` makes of its input.

    Raises:
        InputError: the input does not suit the network, or T is too short for the labels.
    """
    architecture = network_class(recipe.network.architecture)
    architecture.check(recipe.input.height, recipe.network.rnn)
    steps, needed = architecture.steps(recipe.input.width), recipe.data.steps_needed()
    if steps < needed:
        raise InputError(
            f"recipe {recipe.name}: {recipe.network.architecture} makes T = {steps} time steps of "
            f"{recipe.input.width} pixels, but the longest label needs {needed} with its repeats; "
            "make input.width larger"
        )
    return steps


def build(recipe: Recipe) -> Network:
    """The network of ``recipe``, with fresh weights; raises what :func:`time_steps` raises."""
    time_steps(recipe)
    size = recipe.input
    return make_network(recipe.network, size.channels, size.height, len(recipe.characters))


def make_network(settings: NetworkSettings, channels: int, height: int, classes: int) -> Network:
    """The network of ``settings``, with fresh weights.

    Raises:
        InputError: ``height`` does not suit the network.
    """
    kind = network_class(settings.architecture)
    network = kind(channels, height, classes, settings.rnn, settings.dropout)
    network.own_light = settings.own_light
    return network
