"""A model as a user names it: a shipped one, a file, or a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crnn_ctc.cli.extras import needs

if TYPE_CHECKING:
    from crnn_ctc.recognize import Recognizer


def open_model(name: str, threads: int = 1) -> Recognizer:
    """A model to evaluate or describe; torch is loaded for run folders alone.

    Raises:
        InputError: no such model, or not one of ours.
    """
    if Path(name).is_dir():
        with needs("train", "reading a run folder"):
            from crnn_ctc.training.trained import Trained
        return Trained(Path(name))
    from crnn_ctc.reader import Reader

    return Reader(name, threads)
