"""Reading of shards by Ray Data, on a cluster or on this machine."""

from __future__ import annotations

import logging
import os
import pickle
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

import ray
import ray.data

from crnn_ctc.bulk.places import error_line
from crnn_ctc.bulk.shards import Shard
from crnn_ctc.bulk.work import TRIES, BulkJob, Done, Worker, given_up
from crnn_ctc.errors import InputError

WAVE = 32
"""Shards per worker that are listed and submitted together, to bound memory."""


class _Actor:
    """A :class:`Worker` for rows of a Ray dataset."""

    def __init__(self, job: BulkJob) -> None:
        self._job = job
        self._worker: Worker | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        shard = pickle.loads(zlib.decompress(row["shard"]))  # noqa: S301  our own data
        try:
            self._worker = self._worker or Worker(self._job)
            done = self._worker(shard)
        except InputError as error:  # such as a host without the model
            done = Done(shard.number, error=str(error))
        return asdict(done) | {"error": done.error or ""}  # a column has one type


def read_with_ray(job: BulkJob, shards: Iterator[Shard], workers: int) -> Iterator[Done]:
    """Read shards with ``workers`` actors; yield results in order of completion.

    With 0 workers, the number of actors is limited by the cluster's CPUs. The cluster is that of
    ``RAY_ADDRESS``, or one that this process starts and stops. An actor that dies is replaced, and
    its shard is retried; after ``TRIES`` attempts the shard is given up.

    Raises:
        InputError: there is no cluster at ``RAY_ADDRESS``, or the source cannot be listed.
    """
    began = not ray.is_initialized()
    if began:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # disable telemetry
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            address = os.environ.get("RAY_ADDRESS", "this machine")
            raise InputError(
                f"{address}: no Ray there ({error_line(error)}); see RAY_ADDRESS, and ray start"
            ) from None
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a shard that kills its actor must not fail others
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    try:
        workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // job.threads)
        while wave := list(islice(shards, WAVE * workers)):
            yield from _read(job, wave, workers)
    finally:
        if began:
            ray.shutdown()


def _read(job: BulkJob, wave: list[Shard], workers: int) -> Iterator[Done]:
    waiting = {shard.number: shard for shard in wave}
    rows = [{"shard": zlib.compress(pickle.dumps(shard), 1)} for shard in wave]
    with warnings.catch_warnings():
        # retries have no public option yet, and these go away with 2.64: see pyproject.toml
        warnings.filterwarnings("ignore", ".*ray_remote_args")
        # one block per shard and one shard at a time: a dying actor loses no more than one
        data = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            _Actor,
            fn_constructor_args=(job,),
            num_cpus=job.threads,
            compute=ray.data.ActorPoolStrategy(
                size=min(workers, len(wave)), max_tasks_in_flight_per_actor=1
            ),
            max_restarts=-1,
            max_task_retries=TRIES - 1,
        )
    for row in data.iter_rows():
        del waiting[row["shard"]]
        yield Done(**row | {"error": row["error"] or None})
    yield from map(given_up, waiting.values())
