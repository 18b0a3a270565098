"""Batching: full batches of a list; for a live source, what has arrived."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import TypeVar

from crnn_ctc.errors import InputError, NotAPictureError
from crnn_ctc.image import is_source

T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items in lists of at most ``size`` and at least one, in order.

    A sized collection such as a list gives full batches. Any other iterable may be live: a thread
    takes its items, at most ``size`` ahead, and a batch is what has arrived when it is requested.

    Args:
        items: several pictures.
        size: largest number of items per batch.

    Raises:
        InputError: ``size`` is below 1.
        NotAPictureError: ``items`` is one picture, or not an iterable.
    """
    if size < 1:
        raise InputError(f"batch size {size}: give 1 or more")
    if is_source(items):
        raise NotAPictureError(
            f"{type(items).__name__}: one picture, where several are read; give a list of them, or "
            "call the reader itself: reader(picture)"
        )
    if not isinstance(items, Iterable):
        raise NotAPictureError(f"{type(items).__name__}: give a list of pictures")
    return _full(items, size) if isinstance(items, Sized) else _arrived(items, size)


def _full(items: Iterable[T], size: int) -> Iterator[list[T]]:
    waiting = iter(items)
    while batch := list(islice(waiting, size)):
        yield batch


def _arrived(items: Iterable[T], size: int) -> Iterator[list[T]]:
    waiting: deque[T] = deque()
    changed = threading.Condition()
    closed = ended = False
    failure: BaseException | None = None

    def take() -> None:
        nonlocal ended, failure
        try:
            for item in items:
                with changed:
                    waiting.append(item)
                    changed.notify_all()
                    changed.wait_for(lambda: closed or len(waiting) < size)
                    if closed:
                        break
        except BaseException as error:  # it is raised where the batches are asked for
            failure = error
        with changed:
            ended = True
            changed.notify_all()

    # a daemon: nothing can end it while the source waits for its next item
    threading.Thread(target=take, name="crnn-ctc-source", daemon=True).start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: waiting or ended)
                batch = list(waiting)
                waiting.clear()
                changed.notify_all()
            if not batch:
                break
            yield batch
        if failure is not None:
            raise failure
    finally:
        with changed:
            closed = True
            changed.notify_all()
