"""The state of a run on disk: safetensors, no pickle, always whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from crnn_ctc.errors import InputError
from crnn_ctc.files import write_atomically

RECIPE = Path("recipe.toml")
"""The recipe of a run, in its folder."""

STATE = Path("last") / "state.safetensors"
"""Everything needed to resume."""

BEST = Path("best.safetensors")
"""The averaged weights that did best on the validation set."""


RECTIFIER = Path("rectifier.safetensors")
"""The weights of the rectifier that a reader was trained behind."""


State = tuple[dict[str, Tensor], dict[str, Any]]
"""Content of :data:`STATE`: tensors, and JSON values."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON values to one safetensors file, atomically.

    Raises:
        InputError: the file cannot be written.
    """
    # cuDNN flattens RNN weights into one storage, which safetensors refuses to share: clone
    whole = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
    write_atomically(path, save(whole, {"crnn_ctc": json.dumps(facts, ensure_ascii=False)}))


def load_tensors(path: Path) -> State:
    """Read a file of :func:`save_tensors`.

    Raises:
        InputError: no such file, or not one of ours.
    """
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})["crnn_ctc"])
            if not isinstance(facts, dict):
                raise ValueError("its facts are none")
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint") from None
    except (SafetensorError, KeyError, ValueError, OSError, RecursionError) as error:
        raise InputError(
            f"{path}: not a checkpoint of crnn-ctc ({str(error)[:160]}); "
            "copy it again, or begin the run anew"
        ) from None


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with ``prefix.`` before their names."""
    return {f"{prefix}.{name}": t for name, t in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix.``, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The moments and counters of an optimiser, by parameter number."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{key}": value for i, values in state.items() for key, value in values.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore an optimiser from :func:`optimizer_tensors`."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        like = parameters[int(number)]
        if value.shape == like.shape:
            # fused kernels walk memory, not indices: moments must lie as their parameter lies,
            # channels last say, which safetensors does not keep
            value = torch.empty_like(like).copy_(value)
        state.setdefault(int(number), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
