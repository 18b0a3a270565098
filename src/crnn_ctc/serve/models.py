"""Models of the service by name, each with its own thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crnn_ctc.errors import InputError
from crnn_ctc.find.photo import Find
from crnn_ctc.model_file.card import Card
from crnn_ctc.model_file.opening import shipped_models
from crnn_ctc.model_file.runtime import CPU
from crnn_ctc.plates import scheme_of
from crnn_ctc.reader import Reader, Reading
from crnn_ctc.serve.batching import Batcher
from crnn_ctc.serve.limits import Limits
from crnn_ctc.serve.prometheus import ServiceMetrics

MOST_ALTERNATIVES = 10
"""Maximum number of alternatives per request."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A picture to read.

    Attributes:
        content: bytes of its file.
        alternatives: number of alternatives.
        min_confidence: minimum confidence of accepted readings; None for the model's own.
        find: which pictures to search for plates.
    """

    content: bytes
    alternatives: int = 0
    min_confidence: float | None = None
    find: Find = "auto"


class ServedModel:
    """A model with its queue and thread.

    Args:
        reader: the model; its ``min_confidence`` is the default of requests.
        name: name in requests.
        limits: limits of the service.
        metrics: metrics to update.
    """

    def __init__(self, reader: Reader, name: str, limits: Limits, metrics: ServiceMetrics) -> None:
        self.name = name
        # searching for alternatives is slow, so only requests that ask for them use it
        self._reader = reader
        self._searcher = reader.with_alternatives(MOST_ALTERNATIVES)
        # texts have a dot, and character positions are approximate
        scheme = scheme_of(reader.card.alphabet, reader.card.plates)
        self.plates = scheme is not None
        self.display: Callable[[str], str] = scheme.display if scheme else str
        self._metrics = metrics
        self.batcher = Batcher(self.read, limits.batch, limits.queue, f"read-{self.name}")
        metrics.waiting.labels(self.name).set_function(lambda: self.batcher.waiting)

    @property
    def card(self) -> Card:
        """Card of the model."""
        return self._reader.card

    @property
    def min_confidence(self) -> float:
        """Default minimum confidence of accepted readings."""
        return self._reader.min_confidence

    def read(self, jobs: list[ReadRequest]) -> list[Reading]:
        """Read pictures, in order; the reading of an unreadable picture has an ``error``."""
        readings: dict[int, Reading] = {}
        ways = [(job.alternatives > 0, job.find) for job in jobs]
        for searched, find in sorted(set(ways)):
            reader = (self._searcher if searched else self._reader).with_find(find)
            places = [place for place, way in enumerate(ways) if way == (searched, find)]
            found = reader.read([jobs[p].content for p in places], batch_size=len(jobs))
            readings.update(zip(places, found, strict=True))
        answers = [_as_asked(readings[place], job) for place, job in enumerate(jobs)]
        self._count(answers)
        return answers

    def _count(self, readings: list[Reading]) -> None:
        self._metrics.batch.labels(self.name).observe(len(readings))
        for reading in readings:
            self._metrics.pictures.labels(self.name, _outcome(reading)).inc()
            if reading.text:
                self._metrics.confidence.labels(self.name).observe(reading.confidence)


def _as_asked(reading: Reading, job: ReadRequest) -> Reading:
    plates = reading.plates and tuple(
        replace(plate, alternatives=plate.alternatives[: job.alternatives])
        for plate in reading.plates
    )
    given = replace(reading, alternatives=reading.alternatives[: job.alternatives], plates=plates)
    return given if job.min_confidence is None else given.with_threshold(job.min_confidence)


def _outcome(reading: Reading) -> str:
    if reading.error:
        return "error"
    if not reading.text:
        return "empty"
    return "read" if reading.accepted else "refused"


def open_models(
    models: Sequence[str],
    limits: Limits,
    metrics: ServiceMetrics,
    threads: int = 1,
    device: str = CPU,
    min_confidence: float = 0.0,
    decode: str | None = None,
) -> dict[str, ServedModel]:
    """Open models by name; the first is the default.

    Args:
        models: names of shipped models, or model files.
        limits: limits of the service.
        metrics: metrics to update.
        threads: inference threads of each model.
        device: device that computes them; see :class:`crnn_ctc.reader.Reader`.
        min_confidence: default minimum confidence of accepted readings.
        decode: name of the decoder.

    Raises:
        InputError: no such model, two models have the same name, or ``Reader`` raises it.
    """
    opened: dict[str, ServedModel] = {}
    for model in models:
        name = model if model in shipped_models() else Path(model).stem
        if name in opened:
            raise InputError(f"{model}: a second model named {name}; rename its file")
        reader = Reader(
            model,
            threads,
            device=device,
            min_confidence=min_confidence,
            decode=decode,
            max_pixels=limits.pixels,
        )
        opened[name] = ServedModel(reader, name, limits, metrics)
    return opened
