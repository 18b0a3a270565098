"""Frame sources without PyAV: live streams with reconnection, and watched folders."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Generic, TypeVar

from crnn_ctc.errors import InputError
from crnn_ctc.image import names_picture, open_picture
from crnn_ctc.watch.frame import Frame

T = TypeVar("T")

TICK = 0.5
"""Polling interval in seconds."""

LONGEST_PAUSE = 60.0
"""Longest pause in seconds before a broken stream is reopened; pauses double from 1 second."""

_TRIES = 5
"""Attempts to read a picture of a folder, as it may not be complete yet."""


class Live(Generic[T]):
    """The newest item of a real-time source.

    The source is read in a thread. Items that are not taken before the next one arrives are
    dropped. A source that ends or breaks is reopened, with increasing pauses.

    Args:
        name: name of the source, for messages.
        opened: opens the source; raises InputError if opening or reading fails.
        say: reports in one line that the source broke.
        pause: seconds before the first attempt to reopen.
    """

    def __init__(
        self,
        name: str,
        opened: Callable[[], Iterator[T]],
        say: Callable[[str], None],
        pause: float = 1.0,
    ) -> None:
        self.dropped = 0
        self._name = name
        self._opened = opened
        self._say = say
        self._pause = pause
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._newest: list[T] = []
        self._failure: BaseException | None = None

    def __iter__(self) -> Iterator[T | None]:
        """Yield the newest items; None if none arrived within :data:`TICK` seconds."""
        # a daemon, as it cannot be stopped while the source waits for an item
        threading.Thread(target=self._run, name="crnn-ctc-live", daemon=True).start()
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._newest or self._failure, TICK)
                    item = self._newest.pop() if self._newest else None
                if item is None and self._failure is not None:
                    raise self._failure
                yield item
        finally:
            self._closed.set()

    def _run(self) -> None:
        pause = self._pause
        try:
            while not self._closed.is_set():
                reason = "the stream ended"
                try:
                    for item in self._opened():
                        pause = self._pause
                        if self._closed.is_set():
                            return
                        self._put(item)
                except InputError as error:
                    reason = str(error).removeprefix(f"{self._name}: ")
                self._say(f"{self._name}: {reason}; opened again in {pause:g} s")
                self._closed.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        except BaseException as failure:  # raised in the consumer
            with self._changed:
                self._failure = failure
                self._changed.notify_all()

    def _put(self, item: T) -> None:
        with self._changed:
            self.dropped += len(self._newest)
            self._newest[:] = [item]
            self._changed.notify_all()


class Folder:
    """Existing and new pictures of a folder.

    A picture's time is the modification time of its file. The folder is polled every :data:`TICK`
    seconds. A file that cannot be read is tried again, then reported and left out.

    Args:
        path: the folder; subfolders are ignored.
        say: reports in one line a picture that is left out.

    Raises:
        InputError: the folder cannot be listed.
    """

    live = True
    dropped = 0

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.error: str | None = None
        self._path = path
        self._say = say
        self._list()

    def __iter__(self) -> Iterator[Frame | None]:
        """Yield the pictures in the order of their times; None while there is no new one."""
        done: dict[str, float] = {}  # modification times: a picture written again is read again
        failed: dict[str, tuple[int, str]] = {}  # attempts and the last error
        numbers = count()
        try:
            while True:
                there = self._list()
                names = {name for _, name in there}
                # names that are gone are forgotten: the maps are as large as the folder
                done = {name: written for name, written in done.items() if name in names}
                failed = {name: last for name, last in failed.items() if name in names}
                for written, name in sorted(there):
                    if done.get(name) == written:
                        continue
                    try:
                        picture = open_picture(self._path / name)
                    except InputError as error:
                        failed[name] = (failed.get(name, (0, ""))[0] + 1, str(error))
                        if failed[name][0] >= _TRIES:
                            done[name] = written
                            self._tell(failed.pop(name)[1])
                        continue
                    done[name] = written
                    failed.pop(name, None)
                    yield Frame(next(numbers), written, picture, name)
                yield None
                time.sleep(TICK)
        finally:
            for _, last in failed.values():
                self._tell(last)

    def _tell(self, error: str) -> None:
        self.error = error
        self._say(error)

    def _list(self) -> list[tuple[float, str]]:
        found = []
        try:
            for file in self._path.iterdir():
                if names_picture(file.name):
                    try:
                        found.append((file.stat().st_mtime, file.name))
                    except FileNotFoundError:  # deleted meanwhile
                        continue
                    except OSError:  # opening it tells why
                        found.append((0.0, file.name))
        except OSError as error:
            raise InputError(
                f"{self._path}: cannot be listed ({error.strerror}); check the path"
            ) from None
        return found
