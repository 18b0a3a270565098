"""From a recipe to its network."""

from __future__ import annotations

from crnn_ctc.errors import InputError
from crnn_ctc.net.architectures import network_class
from crnn_ctc.net.network import Network
from crnn_ctc.recipe import Recipe


def build(recipe: Recipe) -> Network:
    """The network of ``recipe``, with fresh weights.

    Raises:
        InputError: the input does not suit the network, or its T is too short for the labels.
    """
    architecture = network_class(recipe.network.architecture)
    steps, needed = architecture.steps(recipe.input.width), recipe.data.steps_needed()
    if steps < needed:
        raise InputError(
            f"recipe {recipe.name}: {recipe.network.architecture} makes T = {steps} time steps of "
            f"{recipe.input.width} pixels, but the longest label needs {needed} with its repeats; "
            "make input.width larger"
        )
    return architecture(
        recipe.input.channels,
        recipe.input.height,
        len(recipe.characters),
        recipe.network.rnn,
        recipe.network.dropout,
    )
