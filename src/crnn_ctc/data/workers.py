"""The same work by one process or several, with results in order and a kill that leaves none."""

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
    """``work`` of each item, in the order of the items.

    At most four items a process are under way, however many there are: an item should be some
    0.2 s of work.

    Args:
        work: can be sent to another process, as can items and results.
        items: are taken when they are needed.
        workers: processes; 1 does the work in this one.
        where: what the work is on, to name in the error.

    Raises:
        InputError: a process died; or what ``work`` raises.
    """
    if workers == 1:
        yield from map(work, items)
        return
    waiting = iter(items)
    # spawn: the same on every system, and no copy of the parent's threads and open files
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
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends them in order
    end_with_parent()


def end_with_parent() -> None:
    """Make this process end when its parent does: a parent that was killed ends no worker."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
