"""Dynamic batching of concurrent requests, with a bounded queue."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import anyio

from crnn_ctc.serve.problems import Problem

Job = TypeVar("Job")
Result = TypeVar("Result")


class Batcher(Generic[Job, Result]):
    """Processes jobs in batches in a separate thread.

    No job waits for a batch to fill: the first one starts at once, and jobs that arrive meanwhile
    form the next batch.

    Args:
        work: processes a batch and returns one result per job, in order; called in the thread.
        size: maximum batch size.
        capacity: maximum length of the queue.
        name: name of the thread.
    """

    def __init__(
        self,
        work: Callable[[list[Job]], list[Result]],
        size: int,
        capacity: int,
        name: str,
    ) -> None:
        self._work = work
        self._size = size
        self._capacity = capacity
        self._waiting: deque[tuple[Job, asyncio.Future[Result]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._arrived = asyncio.Event()
        self._closing = False
        self._seconds_a_job = 0.01
        self._loop: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Length of the queue."""
        return len(self._waiting)

    @property
    def takes_more(self) -> bool:
        """Whether it is running and the queue has room."""
        running = self._loop is not None and not self._loop.done()
        return running and not self._closing and len(self._waiting) < self._capacity

    def start(self) -> None:
        """Start the thread; call within an event loop."""
        self._loop = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Reject new jobs, finish the accepted ones, and end the thread."""
        self._closing = True
        self._arrived.set()
        if self._loop is not None:
            await self._loop
        self._thread.shutdown()

    async def do(self, jobs: Sequence[Job], seconds: float) -> list[Result]:
        """Process jobs; return the results in order.

        Args:
            jobs: jobs, which are accepted or rejected together.
            seconds: timeout.

        Raises:
            Problem: 503, the queue is full, the service is stopping, or the timeout has passed.
            Exception: raised by ``work`` for a single job.
        """
        if self._closing:
            raise Problem(503, "the service is stopping; ask another", retry_after=5)
        if len(self._waiting) + len(jobs) > self._capacity:
            raise Problem(
                503,
                f"{len(self._waiting)} pictures wait already; try again later",
                retry_after=self._wait(),
            )
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Result]] = [loop.create_future() for _ in jobs]
        self._waiting.extend(zip(jobs, futures, strict=True))
        self._arrived.set()
        try:
            with anyio.fail_after(seconds):
                return list(await asyncio.gather(*futures))
        except TimeoutError:
            raise Problem(
                503,
                f"not read within {seconds:g} s; send fewer pictures or try again later",
                retry_after=self._wait(),
            ) from None
        finally:
            for future in futures:
                # the client has disconnected, or its time is over
                future.cancel()

    def _wait(self) -> int:
        """Estimated seconds until the queue is empty; at least 1."""
        return max(1, math.ceil(len(self._waiting) * self._seconds_a_job))

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            batch = self._next()
            if not batch:
                if self._closing:
                    return
                self._arrived.clear()
                continue
            started = time.perf_counter()
            await self._do(batch)
            spent = (time.perf_counter() - started) / len(batch)
            self._seconds_a_job += 0.1 * (spent - self._seconds_a_job)

    def _next(self) -> list[tuple[Job, asyncio.Future[Result]]]:
        batch: list[tuple[Job, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._size:
            job, future = self._waiting.popleft()
            if not future.done():
                batch.append((job, future))
        return batch

    async def _do(self, batch: list[tuple[Job, asyncio.Future[Result]]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            jobs = [job for job, _ in batch]
            results = await loop.run_in_executor(self._thread, self._work, jobs)
        except Exception as error:
            if len(batch) == 1:
                if not batch[0][1].done():
                    batch[0][1].set_exception(error)
                return
            # find the failing job, so that the others succeed
            for each in batch:
                await self._do([each])
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
