"""The networks that a recipe may name: a line for each, readable without torch."""

from __future__ import annotations

from typing import NamedTuple


class Registered(NamedTuple):
    """Where a network is, and what it takes.

    Attributes:
        module: the module that defines the class, which has the network's name.
        recurrent: kinds of recurrent layers it takes, the usual one first.
    """

    module: str
    recurrent: tuple[str, ...] = ("none",)


NETWORKS: dict[str, Registered] = {
    "CRNN": Registered("crnn_ctc.net.crnn", ("gru", "lstm")),
    "CRNN_Tiny": Registered("crnn_ctc.net.crnn", ("gru", "lstm")),
    "CNN_Nano": Registered("crnn_ctc.net.nano"),
    "CNN_Small": Registered("crnn_ctc.net.nano"),
    "CNN_Rows": Registered("crnn_ctc.net.rows"),
}
"""By name; a new network is one file and one line here."""
