"""Network classes by name."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from crnn_ctc.net.network import Network
from crnn_ctc.recipe.networks import NETWORKS


def network_class(name: str) -> type[Network]:
    """The class of a network in :data:`~crnn_ctc.recipe.networks.NETWORKS`.

    Args:
        name: the class's name.

    Raises:
        KeyError: there is no network of that name.
    """
    return cast("type[Network]", getattr(import_module(NETWORKS[name].module), name))
