"""Options that name a model: a shipped one, a file or a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crnn_ctc.cli.extras import needs
from crnn_ctc.cli.str_enum import StrEnum

if TYPE_CHECKING:
    from crnn_ctc.recognize import Recognizer


Device = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Where the network is computed: cpu, cuda, directml, coreml, openvino, or auto.",
    ),
]


Known = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Answer only texts of this list, one per line."),
]

MinConfidence = Annotated[
    float,
    typer.Option(metavar="P", help="Refuse readings with a confidence below this, from 0 to 1."),
]


class FindOption(StrEnum):
    """Which pictures to search for plates; see :data:`crnn_ctc.find.photo.Find`."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


Find = Annotated[
    FindOption,
    typer.Option(
        help="Which pictures are searched for plates: auto (photographs), always, or never."
    ),
]


def open_model(name: str, threads: int = 1, device: str = "cpu") -> Recognizer:
    """Open a model to evaluate or describe; only run folders need torch.

    Args:
        name: model, as a user names it.
        threads: inference threads of a model file.
        device: device of a model file; run folders are computed by torch.

    Raises:
        InputError: the model does not exist, or is not one of this package.
    """
    if Path(name).is_dir():
        with needs("train", "reading a run folder"):
            from crnn_ctc.training.run_folder import Trained
        return Trained(Path(name))
    from crnn_ctc.reader import Reader

    return Reader(name, threads, device=device)
