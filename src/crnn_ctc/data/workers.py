"""Process pool with ordered results, which ends when the parent is killed."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import TypeVar

from crnn_ctc.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, where: object
) -> Iterator[Result]:
    """Apply ``work`` to each item, and yield the results in order.

    At most four items per process are in flight; an item should take about 0.2 s.

    Args:
        work: function; it, items and results must be picklable.
        items: items, taken lazily.
        workers: number of processes; 1 uses this process.
        where: name of the data, for errors.

    Raises:
        InputError: a process died; or what ``work`` raises.
    """
    if workers == 1:
        yield from map(work, items)
        return
    waiting = iter(items)
    # spawn: the same on every system, without copies of the parent's threads and open files
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker)
    try:
        under_way: deque[Future[Result]] = deque()
        for item in islice(waiting, 4 * workers):
            under_way.append(pool.submit(work, item))
        while under_way:
            yield under_way.popleft().result()
            for item in islice(waiting, 1):
                under_way.append(pool.submit(work, item))
    except BrokenProcessPool:
        raise InputError(
            f"{where}: a process died, for want of memory perhaps; run it again with "
            "fewer --workers: it goes on where it stopped"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Number of cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and ends its workers
    end_with_parent()


def end_with_parent() -> None:
    """End this process with its parent, even if that is killed."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
