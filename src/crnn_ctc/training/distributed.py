"""Training by several processes of one machine, and what is done when one of them is lost."""

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
"""How long a process waits for the others: no validation may take longer.

A process that died is missed at once, its connections being closed; one that hangs, or whose host
is gone, after this time. torch would wait for half an hour.
"""

_NETWORK = re.compile(r"gloo|nccl|connection (closed|reset|refused)|timed out", re.IGNORECASE)
"""In errors of torch that come from another process: few of them have a type of their own."""


@contextmanager
def missing_is_an_error() -> Iterator[None]:
    """Say in one line that another process is lost, where torch has a page of traceback.

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
"""Training pictures, repeats counted, from which a run on a CPU takes one process a core.

Starting the processes takes some 10 s."""


def process_count(recipe: Recipe, asked: int | None) -> int:
    """How many processes are to train a recipe: one where it is one of several already.

    Args:
        recipe: what is to be trained, with its number of images.
        asked: what the user wants; None for one a core in a long run on a CPU, else one. The batch
            is shared evenly, so that it may be fewer than there are cores.

    Raises:
        InputError: the batch cannot be shared evenly by as many as are asked.
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
        count: how many.
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
