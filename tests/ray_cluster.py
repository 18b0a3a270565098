"""Reads a folder on a Ray cluster of two nodes on this machine, and kills an actor in the middle.

python tests/ray_cluster.py SOURCE OUT
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from ray.cluster_utils import Cluster

from crnn_ctc.bulk.on_ray import read_with_ray
from crnn_ctc.bulk.places import place
from crnn_ctc.bulk.shards import shards
from crnn_ctc.bulk.work import Job


def kill_an_actor(out: Path, killed: list[int]) -> None:
    while not killed:
        if list(out.glob(".part-*")):  # one is being written
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit() and b"MapWorker" in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
                    killed.append(int(entry.name))
                    break
        time.sleep(0.002)


def main(source: str, out: str) -> None:
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    assert len(ray.nodes()) == 2
    killed: list[int] = []
    threading.Thread(target=kill_an_actor, args=(Path(out), killed), daemon=True).start()
    job = Job(place(out), "plates-nano")
    for done in read_with_ray(job, shards(place(source), 40), 2):
        assert done.error is None, done
    print(f"killed {len(killed)}")
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
