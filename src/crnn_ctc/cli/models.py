"""A model as a user names it: a shipped one, a file, or a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crnn_ctc.cli.extras import needs
from crnn_ctc.cli.str_enum import StrEnum

if TYPE_CHECKING:
    from crnn_ctc.recognize import Recognizer


class Runtime(StrEnum):
    """What computes a network; see :mod:`crnn_ctc.model_file.runtime`."""

    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"


def open_model(name: str, threads: int = 1, runtime: Runtime = Runtime.ONNXRUNTIME) -> Recognizer:
    """A model to evaluate or describe; torch is loaded for run folders alone.

    Args:
        name: as a user gives it.
        threads: that compute a model file.
        runtime: that computes a model file; torch computes run folders.

    Raises:
        InputError: no such model, or not one of ours.
    """
    if Path(name).is_dir():
        with needs("train", "reading a run folder"):
            from crnn_ctc.training.run_folder import Trained
        return Trained(Path(name))
    from crnn_ctc.reader import Reader

    return Reader(name, threads, runtime=runtime.value)
