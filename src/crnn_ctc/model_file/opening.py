"""Shipped models by name, and a model file opened: its runtime and its card."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path

from crnn_ctc.errors import InputError
from crnn_ctc.model_file.card import KEY, Card
from crnn_ctc.model_file.guard import read_model
from crnn_ctc.model_file.runtime import Runtime, open_session

USUAL = {"digits": "digits-rows", "plates": "plates-small"}
"""The shipped model that a kind of text stands for."""

_FINDS = "-find"
"""What the names of locators end with."""


def shipped_models() -> list[str]:
    """Names of the models that come with the package and read text."""
    return [name for name in _shipped() if not name.endswith(_FINDS)]


def shipped_locators() -> list[str]:
    """Names of the locators that come with the package."""
    return [name for name in _shipped() if name.endswith(_FINDS)]


def _shipped() -> list[str]:
    folder = files("crnn_ctc") / "models"
    names = [f.name.removesuffix(".onnx") for f in folder.iterdir() if f.name.endswith(".onnx")]
    return sorted(names)


def is_locator(model: str) -> bool:
    """Tell whether a model is a locator: a shipped one, or a file whose card says so."""
    if model in shipped_locators():
        return True
    if not Path(model).is_file():
        return False
    try:
        meta = open_session(read_model(model), 1, model).get_modelmeta().custom_metadata_map
        return bool(json.loads(meta[KEY])["task"] == "find")
    except (InputError, KeyError, ValueError, TypeError, RecursionError):
        return False


def model_path(model: str | Path) -> AbstractContextManager[Path]:
    """The file of a shipped model, or of one of the user's; see also :data:`USUAL`.

    Raises:
        InputError: there is neither.
    """
    name = str(model)
    return _path(USUAL.get(name, name), shipped_models(), "model")


def locator_path(model: str | Path) -> AbstractContextManager[Path]:
    """The file of a shipped locator, or of one of the user's.

    Raises:
        InputError: there is neither.
    """
    return _path(str(model), shipped_locators(), "locator")


@contextmanager
def _path(name: str, shipped: list[str], what: str) -> Iterator[Path]:
    if name in shipped:
        with as_file(files("crnn_ctc") / "models" / f"{name}.onnx") as path:
            yield path
    elif Path(name).is_file():
        yield Path(name)
    else:
        give = f"give a file or one of: {', '.join(shipped)}"
        if (Path(name) / "recipe.toml").is_file():
            export = f"crnn-ctc export {shlex.quote(name)}"
            why = f"a training run, not a {what} file; export it first: {export}"
        elif Path(name).is_dir():
            why = f"a folder, not a {what} file; {give}"
        elif name not in _shipped():
            why = f"no such {what}; {give}"
        elif what == "model":
            why = f"a locator, it reads nothing; {give}"
        else:
            why = f"a reader, it finds nothing; {give}"
        raise InputError(f"{name}: {why}")


def lasting_name(model: str | Path) -> str | Path:
    """A model's name that means the same in another process, whatever its working directory."""
    name = USUAL.get(str(model), str(model))
    return name if name in shipped_models() else Path(model).absolute()


@lru_cache(8)
def open_model_once(
    model: str | Path,
    threads: int,
    device: str,
    written: int,  # noqa: ARG001  a file that was written again is another model
) -> tuple[Runtime, Card]:
    """A model that unpickled readers share: a process pool pickles its reader with every task."""
    return open_model(model, threads, device)


def open_model(model: str | Path, threads: int, device: str) -> tuple[Runtime, Card]:
    """Open a model that reads text, and check its graph against its card.

    Args:
        model: name of a shipped model, or a model file.
        threads: inference threads.
        device: where the network is computed, see :class:`crnn_ctc.reader.Reader`.

    Raises:
        InputError: no such model, a file that is not one, or no such device here.
    """
    name = str(model)
    with model_path(model) as path:
        opened = Runtime(str(path), threads, device)
    card = Card.from_json(opened.metadata(KEY), name)
    width, steps = (-1, -1) if card.width_step else (card.width, card.steps)
    takes = [("images", "uint8", (card.height, width, card.channels))]
    gives: list[tuple[str, tuple[int, ...]]] = [("log_probs", (steps, len(card.alphabet)))]
    if part := card.rectifier:
        takes.append(("views", "uint8", (part.height, part.width, 3)))
        gives += [("corners", (4, 2)), ("rows", ()), ("colours", (len(part.colours),))]
    if {t.dtype for t in opened.inputs} == {"float32"}:
        raise InputError(
            f"{name}: for other runtimes, by export --format float32; "
            "give the model that it was exported from"
        )
    if [(t.name, t.dtype, t.shape[1:]) for t in opened.inputs] != takes or [
        (t.name, t.shape[1:]) for t in opened.outputs
    ] != gives:
        raise InputError(
            f"{name}: its graph is not what its card says; export it again with: crnn-ctc export"
        )
    return opened, card
