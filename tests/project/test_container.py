"""The container: built and asked, where there is an engine to build it with."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest

from helpers.data import EXAMPLES, ROOT


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the service of a fresh container answers."""
    engine = shutil.which("docker") or shutil.which("podman")
    if engine is None:
        pytest.skip("no container engine here; install docker or podman")
    name = "crnn-ctc-test"
    subprocess.run([engine, "build", "--tag", name, ROOT], check=True)
    options = ["--rm", "--detach", "--name", name, "--read-only", "--cap-drop", "ALL"]
    subprocess.run([engine, "run", *options, "--publish", "127.0.0.1::8000", name], check=True)
    try:
        port = subprocess.run(
            [engine, "port", name, "8000"], check=True, capture_output=True, text=True
        ).stdout
        yield f"http://{port.split()[0]}"
    finally:
        subprocess.run([engine, "stop", name], check=True)


@pytest.mark.slow
def test_it_reads_a_plate(address: str) -> None:
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=4) as answer:
                assert answer.status == 200
            break
        except OSError:
            assert time.monotonic() < end, "the service does not answer"
            time.sleep(0.5)
    picture = (EXAMPLES / "plates" / "苏D18RL9_blue.jpg").read_bytes()
    request = urllib.request.Request(
        f"{address}/v1/read", picture, {"Content-Type": "application/octet-stream"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert "苏D18RL9" in answer.read().decode()
