"""A service on a socket of its own, and a client of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from crnn_ctc.serve.app import make_app
from crnn_ctc.serve.keys import Keys
from crnn_ctc.serve.limits import Limits
from crnn_ctc.serve.models import open_models
from crnn_ctc.serve.prometheus import ServiceMetrics
from crnn_ctc.serve.server import configured, listen
from crnn_ctc.serve.service import Service
from helpers.data import EXAMPLES

DIGITS = sorted((EXAMPLES / "digits").iterdir())
PLATES = sorted((EXAMPLES / "plates").iterdir())
TEXTS = [path.name[:5] for path in DIGITS]
KEY = "correct-horse-battery"
SMALL = Limits(body=300_000, pixels=1_000_000, pictures=4, queue=6, batch=2, seconds=3)


@contextmanager
def serving(
    limits: Limits = SMALL,
    keys: Keys | None = None,
    models: tuple[str, ...] = ("digits-tiny",),
    min_confidence: float = 0.0,
) -> Iterator[tuple[httpx.Client, Service]]:
    """A service on a socket of its own, and a client of it."""
    metrics = ServiceMetrics()
    opened = open_models(models, limits, metrics, min_confidence=min_confidence)
    service = Service(opened, limits, keys or Keys(), metrics)
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(configured(make_app(service), limits.seconds))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    port = listening.getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client, service
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
