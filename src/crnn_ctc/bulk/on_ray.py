"""Shards read by Ray Data, on a cluster or on this machine."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import ray
import ray.data

from crnn_ctc.bulk.shards import Shard
from crnn_ctc.bulk.work import Done, Job, Worker


class _Actor:
    """A :class:`Worker`, for rows."""

    def __init__(self, job: Job) -> None:
        self._worker = Worker(job)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        done = asdict(self._worker(pickle.loads(row["shard"])))  # noqa: S301  of our own
        return done | {"error": done["error"] or ""}  # a column of one type


def read_with_ray(job: Job, shards: Iterator[Shard], workers: int) -> Iterator[Done]:
    """Read shards, each by one of ``workers`` actors of one CPU; in the order they are done.

    The cluster is that of ``RAY_ADDRESS``, or one that this process starts and ends. An actor that
    dies is replaced and its shards begun again.
    """
    began = not ray.is_initialized()
    if began:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        rows = [{"shard": pickle.dumps(shard)} for shard in shards]
        # a block a shard: what is begun again is one shard, and none waits for another
        data = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            _Actor,
            fn_constructor_args=(job,),
            num_cpus=job.threads,
            concurrency=workers,
        )
        for row in data.iter_rows():
            yield Done(**row | {"error": row["error"] or None})
    finally:
        if began:
            ray.shutdown()
