"""Shards read by processes of this machine."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

from crnn_ctc.bulk.shards import Shard
from crnn_ctc.bulk.work import TRIES, Done, Job, Worker, given_up
from crnn_ctc.data.processes import cores

_SPAWN = multiprocessing.get_context("spawn")  # forked, the runtime's threads would be missing


def read_with_processes(job: Job, shards: Iterator[Shard], workers: int) -> Iterator[Done]:
    """Read shards, each by one of ``workers`` processes; in the order in which they are done.

    0 workers: as many as there are cores. A process that dies is replaced and its shard begun
    again; after ``TRIES`` the shard is given up, the others are read.

    Raises:
        InputError: the source cannot be listed; what was begun is read before.
    """
    workers = workers or cores()
    waiting, reports = _Waiting(shards), queue.SimpleQueue[Done | BaseException | None]()
    stop = threading.Event()

    def keep_reading() -> None:
        hand = _Hand(job, stop)
        try:
            while not stop.is_set() and (shard := waiting.next()) is not None:
                for _ in range(TRIES):
                    if (done := hand.read(shard)) is not None or stop.is_set():
                        break
                reports.put(done or given_up(shard))
        except BaseException as error:  # it is raised where the results are read
            reports.put(error)
        finally:
            hand.stop()
            reports.put(None)

    threads = [threading.Thread(target=keep_reading, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    failure: BaseException | None = None
    try:
        for _ in threads:
            while (report := reports.get()) is not None:
                if isinstance(report, BaseException):
                    failure = report
                else:
                    yield report
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if failure is not None:
        raise failure


class _Waiting:
    """Shards that are still to be read, for several threads."""

    def __init__(self, shards: Iterator[Shard]) -> None:
        self._shards, self._lock = shards, threading.Lock()

    def next(self) -> Shard | None:
        with self._lock:
            return next(self._shards, None)


class _Hand:
    """A worker process, started when it is needed."""

    def __init__(self, job: Job, stop: threading.Event) -> None:
        self._job, self._stop = job, stop
        self._process: multiprocessing.process.BaseProcess | None = None
        self._line: Connection | None = None

    def read(self, shard: Shard) -> Done | None:
        """What became of a shard; None if the process died, or was to stop."""
        if self._process is None or self._line is None:
            self._line, end = _SPAWN.Pipe()
            self._process = _SPAWN.Process(target=_work, args=(end, self._job), daemon=True)
            self._process.start()
            end.close()  # else its death would not be noticed
        try:
            self._line.send(shard)
            while not self._line.poll(0.5):
                if self._stop.is_set():
                    break
            else:
                done = self._line.recv()
                assert isinstance(done, Done)
                return done
        except (EOFError, OSError):
            pass
        self.stop()
        return None

    def stop(self) -> None:
        """End the process, whatever it does: parts are written whole or not at all."""
        if self._process is not None and self._line is not None:
            self._line.close()
            self._process.terminate()
            self._process.join()
            self._process.close()
        self._process = self._line = None


def _work(line: Connection, job: Job) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asked
    worker = Worker(job)
    while True:
        try:
            line.send(worker(line.recv()))
        except (EOFError, BrokenPipeError):  # who asked has ended
            return
