"""Prometheus metrics of the service."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SHARES = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)


class ServiceMetrics:
    """Metrics of one service. Clients cannot create new label values."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "crnn_ctc_requests",
            "Requests answered.",
            ("path", "method", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "crnn_ctc_request_seconds",
            "From the head of a request to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.pictures = Counter(
            "crnn_ctc_pictures",
            "Pictures; outcome is read, refused (below the threshold), empty (no text) or error.",
            ("model", "outcome"),
            registry=registry,
        )
        self.confidence = Histogram(
            "crnn_ctc_confidence",
            "Of texts that were read: when it sinks, the pictures have changed.",
            ("model",),
            buckets=_SHARES,
            registry=registry,
        )
        self.batch = Histogram(
            "crnn_ctc_batch_pictures",
            "Pictures that were read at once.",
            ("model",),
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=registry,
        )
        self.waiting = Gauge(
            "crnn_ctc_waiting_pictures",
            "Pictures that wait to be read.",
            ("model",),
            registry=registry,
        )

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
