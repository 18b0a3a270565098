"""The networks that a recipe may name."""

from __future__ import annotations

from crnn_ctc.net.crnn import CRNN, CRNN_Tiny
from crnn_ctc.net.nano import CNN_Nano, CNN_Small
from crnn_ctc.net.network import Network

ARCHITECTURES: dict[str, type[Network]] = {
    kind.__name__: kind for kind in (CRNN, CRNN_Tiny, CNN_Nano, CNN_Small)
}
