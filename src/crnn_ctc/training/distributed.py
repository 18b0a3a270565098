"""What a process of several that train together does when another is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch.distributed import DistError

from crnn_ctc.errors import InputError

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
