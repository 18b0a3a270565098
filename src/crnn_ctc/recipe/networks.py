"""Registry of networks, readable without torch."""

from __future__ import annotations

from typing import NamedTuple


class Registered(NamedTuple):
    """A network's module and supported settings.

    Attributes:
        module: the module that defines the class, which has the network's name.
        recurrent: supported kinds of recurrent layers, the default first.
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
"""Networks by name; a new network is one file and one line here."""
