"""Read tar files in bulk while workers are killed.

Usage: python tests/helpers/bulk_killed.py ENGINE SOURCE OUT

Two workers, with Ray on two nodes of this machine. Whoever reads ``once.tar`` is killed in the
middle, and so is, each time, whoever reads ``deadly.tar``. Prints what was read by whoever was
killed, and ``error`` for each shard that was given up.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crnn_ctc.bulk.places import place
from crnn_ctc.bulk.shards import shards
from crnn_ctc.bulk.work import BulkJob

ONCE, DEADLY = "once.tar", "deadly.tar"
MARK = b"CRNN_CTC_BULK_KILLED=%d" % os.getpid()


def readers(folder: Path) -> Iterator[tuple[int, str]]:
    """Workers that have a file of the folder open: who holds it is in the middle of a shard."""
    for entry in Path("/proc").iterdir():
        try:
            if MARK in (entry / "environ").read_bytes():
                opened = [link.readlink() for link in (entry / "fd").iterdir()]
                yield from (
                    (int(entry.name), each.name) for each in opened if each.parent == folder
                )
        except OSError:  # no process, or ended meanwhile
            continue


def kill(folder: Path, killed: dict[int, str]) -> None:
    while True:
        for process, name in readers(folder):
            kills = name == DEADLY or (name == ONCE and ONCE not in killed.values())
            if kills and process not in killed:
                os.kill(process, signal.SIGKILL)
                killed[process] = name
                break
        time.sleep(0.01)


@contextmanager
def two_nodes() -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    assert len([each for each in ray.nodes() if each["Alive"]]) == 2
    yield
    ray.shutdown()
    cluster.shutdown()


def main(engine: str, source: str, out: str) -> None:
    os.environ.update([MARK.decode().split("=")])  # what all workers inherit, and nobody else has
    killed: dict[int, str] = {}
    watch = threading.Thread(target=kill, args=(Path(source), killed), daemon=True)
    job, listed = BulkJob(place(out), "plates-nano"), shards([place(source)], 40)
    if engine == "ray":
        with two_nodes():
            from crnn_ctc.bulk.ray_data import read_with_ray

            watch.start()
            reports = list(read_with_ray(job, listed, 2))
    else:
        from crnn_ctc.bulk.process_pool import read_with_processes

        watch.start()
        reports = list(read_with_processes(job, listed, 2))
    print("killed", *killed.values())
    for report in reports:
        if report.error:
            print("error", report.error)


if __name__ == "__main__":
    main(*sys.argv[1:])
