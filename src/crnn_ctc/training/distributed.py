"""Training with several processes, and the handling of lost ones."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch.distributed import DistError
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from crnn_ctc.data.workers import cores
from crnn_ctc.errors import InputError
from crnn_ctc.recipe import Recipe

PATIENCE = timedelta(minutes=10)
"""Timeout for other processes; no validation may take longer.

A dead process is noticed at once by its closed connections, a hanging process or lost host after
this time. The default of torch is half an hour.
"""

_NETWORK = re.compile(r"gloo|nccl|connection (closed|reset|refused)|timed out", re.IGNORECASE)
"""Messages of torch's errors that come from another process."""


@contextmanager
def missing_is_an_error() -> Iterator[None]:
    """Replace torch's traceback by one line if another process is lost.

    Raises:
        InputError: another process is lost.
    """
    try:
        yield
    except RuntimeError as error:
        lost = isinstance(error, DistError) or _NETWORK.search(str(error))
        if not (lost and torch.distributed.is_initialized()):
            raise
        raise InputError(
            "another process of this run died or hangs; go on from the last checkpoint with the "
            "same command and --resume, with as many processes as you like"
        ) from None


LONG_RUN = 500_000
"""Training pictures, including repeats, from which a run on a CPU uses one process per core.

Starting the processes takes some 10 s."""


def process_count(recipe: Recipe, asked: int | None) -> int:
    """Number of processes for a recipe; 1 within a process that is already one of several.

    Args:
        recipe: recipe with its number of images.
        asked: number given by the user; None for one per core in long runs on a CPU, else 1. It
            may be reduced to a divisor of the batch size.

    Raises:
        InputError: the batch size is not a multiple of the number given.
    """
    if "WORLD_SIZE" in os.environ:  # torchrun or accelerate started this one
        return 1
    plan = recipe.training
    if asked is not None:
        if plan.batch_size % asked:
            raise InputError(
                f"batch of {plan.batch_size} cannot be shared by {asked} processes; "
                "set training.batch_size to a multiple"
            )
        return asked
    # where epochs are counted, a user's own set, small
    if (plan.images or 0) < LONG_RUN or torch.accelerator.is_available():
        return 1
    return next(n for n in range(cores(), 0, -1) if plan.batch_size % n == 0)


def train_together(count: int, arguments: Sequence[str]) -> int:
    """Run ``crnn-ctc`` in several processes, each with one thread, that share each batch.

    Args:
        count: number of processes.
        arguments: arguments of the command line.

    Returns:
        The exit code: that of the first process that failed; 130 after a signal.
    """
    from torch.distributed import run

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # pages of report
    words = ["--standalone", "--nproc_per_node", str(count), "-m", "--", "crnn_ctc", *arguments]
    try:
        run.run(run.parse_args(words))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        return max(1, int(error.get_first_failure()[1].exitcode))
    except SignalException:
        return 130
    return 0
