"""Reading of shards by processes on this machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context

from crnn_ctc.bulk.shards import Shard
from crnn_ctc.bulk.work import TRIES, BulkJob, Done, Worker, given_up
from crnn_ctc.data.workers import cores, end_with_parent

_worker: Worker
"""Worker of this process, if it belongs to a pool."""


def read_with_processes(job: BulkJob, shards: Iterator[Shard], workers: int) -> Iterator[Done]:
    """Read shards with worker processes; yield results in order of completion.

    When a worker dies, its shard is unknown: all shards in progress are read again one by one, each
    in its own process. A shard that kills its process ``TRIES`` times is given up.

    Args:
        job: settings of reading.
        shards: shards, taken lazily.
        workers: number of processes; 0 for one per core.

    Raises:
        InputError: the source cannot be listed; shards in progress are finished first.
    """
    workers = workers or cores()
    failure: BaseException | None = None

    def listed() -> Iterator[Shard]:
        nonlocal failure
        try:
            yield from shards
        except Exception as error:
            failure = error

    waiting = listed()
    broken = True
    while broken:
        broken = False
        begun: dict[Future[Done], Shard] = {}
        with _pool(job, workers) as pool:
            try:
                for shard in islice(waiting, workers):
                    begun[pool.submit(_read, shard)] = shard
                while begun:
                    for future in wait(begun, return_when=FIRST_COMPLETED).done:
                        done = future.result()
                        del begun[future]
                        for shard in islice(waiting, 1):
                            begun[pool.submit(_read, shard)] = shard
                        yield done
            except BrokenProcessPool:
                broken = True
        for shard in begun.values():
            yield _read_alone(job, shard)
    if failure is not None:
        raise failure


def _read_alone(job: BulkJob, shard: Shard) -> Done:
    for _ in range(TRIES - 1):  # the first attempt was in the pool
        with _pool(job, 1) as pool:
            try:
                return pool.submit(_read, shard).result()
            except BrokenProcessPool:
                continue
    return given_up(shard)


def _pool(job: BulkJob, workers: int) -> ProcessPoolExecutor:
    # spawn: a forked process would lack the runtime's threads
    return ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (job,))


def _start_worker(job: BulkJob) -> None:
    global _worker  # the only way to keep state in a pool's process
    # Ctrl-C ends it at once, as parts are written atomically
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent()
    _worker = Worker(job)


def _read(shard: Shard) -> Done:
    return _worker(shard)
