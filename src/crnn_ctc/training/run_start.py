"""Starting a run: its folder, new or resumed, its processes and its device."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import accelerate
import numpy as np
import tomli_w
import torch
from accelerate import Accelerator

from crnn_ctc import __version__
from crnn_ctc.errors import InputError
from crnn_ctc.files import write_atomically
from crnn_ctc.recipe import AnyRecipe, load_any_recipe
from crnn_ctc.training import checkpoint, precision
from crnn_ctc.training.distributed import PATIENCE
from crnn_ctc.training.memory import keep_memory

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VERSIONS = "versions.toml"
"""File with the facts besides the recipe on which a run depends."""

RANDOM = "random weights"
"""Name of the initial weights without ``--from``."""


class ChangedRunError(InputError):
    """A run cannot be resumed because its recipe or its pictures have changed."""


def start_run(
    recipe: AnyRecipe, run: Path, resume: bool, pictures: int, begin: str
) -> tuple[Accelerator, checkpoint.State | None]:
    """Start or resume a run: find its processes and device, and open its folder.

    Args:
        recipe: the recipe.
        run: folder of the run.
        resume: whether to continue from the last checkpoint, if there is one.
        pictures: number of training pictures.
        begin: name of the model with the initial weights, or :data:`RANDOM`.

    Returns:
        The processes and their device; the last checkpoint, None without one.

    Raises:
        InputError: the folder holds a run and ``resume`` is False, its checkpoint is broken, or
            the batch cannot be shared by the processes.
        ChangedRunError: the recipe or the number of pictures has changed.
    """
    plan, file = recipe.training, run / checkpoint.STATE
    state = checkpoint.load_tensors(file) if resume and file.exists() else None
    # without this, several processes on CPUs would each train alone
    on_cpu = not torch.accelerator.is_available()
    device: torch.device = accelerate.PartialState(cpu=on_cpu, timeout=PATIENCE).device
    accelerator = Accelerator(mixed_precision=precision.resolve(plan.precision, device))
    world = accelerator.num_processes
    if plan.batch_size % world:
        raise InputError(
            f"batch of {plan.batch_size} cannot be shared by {world} processes; "
            "set training.batch_size to a multiple"
        )
    check_run(run, recipe, pictures, resume)
    begin = beginning(run, begin, state is not None)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        open_run(run, recipe, accelerator, begin, pictures)
    keep_memory()
    torch.set_flush_denormal(True)  # numbers below 1e-38 cost a CPU a hundred times the others
    return accelerator, state


def check_run(run: Path, recipe: AnyRecipe, pictures: int, resume: bool) -> None:
    """Reject overwriting a run, or resuming it with another recipe or other pictures.

    Args:
        run: folder of the run.
        recipe: the recipe.
        pictures: number of training pictures.
        resume: whether to continue the run.

    Raises:
        InputError: there is a run and ``resume`` is False.
        ChangedRunError: the recipe or the number of pictures has changed.
    """
    if not (run / checkpoint.RECIPE).exists():
        return
    if not resume:
        raise InputError(f"{run}: holds a run already; give --resume to go on, or another --run")
    before = load_any_recipe(run / checkpoint.RECIPE).model_dump()
    now = recipe.model_dump()
    known = _versions(run).get("pictures")
    if known is not None and known != pictures:
        raise ChangedRunError(
            f"{run}: was begun with {known:,} training pictures, there are {pictures:,} now"
        )
    changed = [key for key in now if now[key] != before.get(key)]
    if changed:
        raise ChangedRunError(
            f"{run}: was begun with another recipe ({', '.join(changed)} differ); resume with "
            f"{run / checkpoint.RECIPE}"
        )


def beginning(run: Path, given: str, trained: bool) -> str:
    """The name of the initial weights of ``run``, which are fixed once it has a checkpoint.

    Raises:
        InputError: the run needs its initial model again and it is not given.
    """
    before = _versions(run).get("from")
    if before is None:
        return given
    if trained:
        return str(before)
    if given == RANDOM != before:
        raise InputError(
            f"{run}: was begun with --from {before} and stopped before its first checkpoint; "
            "give --from again, or another --run"
        )
    return given


def open_run(
    run: Path, recipe: AnyRecipe, accelerator: Accelerator, begin: str, pictures: int
) -> None:
    """Write the recipe and the versions into the folder of a run."""
    facts = {
        "crnn_ctc": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "accelerate": accelerate.__version__,
        "numpy": np.__version__,
        "device": str(accelerator.device),
        "processes": accelerator.num_processes,
        "threads": torch.get_num_threads(),
        "precision": accelerator.mixed_precision,
        "from": begin,
        "pictures": pictures,
    }
    values = recipe.model_dump(exclude_none=True)  # TOML has no null
    write_atomically(run / checkpoint.RECIPE, tomli_w.dumps(values).encode())
    write_atomically(run / VERSIONS, tomli_w.dumps(facts).encode())


def _versions(run: Path) -> dict[str, object]:
    try:
        return tomllib.loads((run / VERSIONS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
