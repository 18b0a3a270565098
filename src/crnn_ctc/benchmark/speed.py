"""Timing of readers in interleaved rounds, so that disturbances affect all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from crnn_ctc.image import Source, batches_by_width, load
from crnn_ctc.reader import Reader

BATCHES = (1, 8, 64)
"""Pictures at once: a camera's, a queue's, a folder's."""

_LEAST = 16
"""Pictures a measurement: one alone is over too soon."""


@dataclass(frozen=True)
class Speed:
    """Wall time per picture in milliseconds, medians over the rounds.

    Attributes:
        contender: name of the reader.
        batch: batch size.
        ms: time from source to text.
        least: shortest of its measurements.
        most: longest of its measurements.
        network_ms: the network alone, from its input to its output.
    """

    contender: str
    batch: int
    ms: float
    least: float
    most: float
    network_ms: float

    @property
    def pictures_per_second(self) -> float:
        """From source to text."""
        return 1000 / self.ms


def measure_speed(
    readers: Mapping[str, Reader],
    sources: Sequence[Source],
    batches: Sequence[int] = BATCHES,
    rounds: int = 9,
    watch: Callable[[Iterator[int]], Iterator[int]] = iter,
) -> list[Speed]:
    """Measure each reader at each batch size once a round, after a round that does not count.

    Args:
        readers: readers by name.
        sources: readable pictures, repeated if there are too few.
        batches: batch sizes.
        rounds: number of measured rounds.
        watch: wraps the iteration over rounds, to show progress.

    Returns:
        One row per batch size and reader, in this order.
    """
    works: dict[tuple[int, str], tuple[Callable[[], object], Callable[[], object], int]] = {}
    for batch in batches:
        count = -(-max(batch, _LEAST) // batch) * batch
        chosen = list(islice(cycle(sources), count))
        for name, reader in readers.items():
            works[batch, name] = (
                _reading(reader, chosen, batch),
                _network(reader, chosen, batch),
                count,
            )
    wholes: dict[tuple[int, str], list[float]] = {key: [] for key in works}
    networks: dict[tuple[int, str], list[float]] = {key: [] for key in works}
    for number in watch(iter(range(rounds + 1))):
        for key, (whole, network, count) in works.items():
            times = _ms(whole) / count, _ms(network) / count
            if number:
                wholes[key].append(times[0])
                networks[key].append(times[1])
    return [
        Speed(
            name,
            batch,
            statistics.median(wholes[batch, name]),
            min(wholes[batch, name]),
            max(wholes[batch, name]),
            statistics.median(networks[batch, name]),
        )
        for batch, name in works
    ]


def _reading(reader: Reader, sources: Sequence[Source], batch: int) -> Callable[[], object]:
    return lambda: list(reader.read(sources, batch_size=batch))


def _network(reader: Reader, sources: Sequence[Source], batch: int) -> Callable[[], object]:
    images = [reader.fit(load(source)) for source in sources]
    parts = [
        np.stack([images[place] for place in places])
        for places in batches_by_width([image.shape[1] for image in images], batch)
    ]
    return lambda: [reader.log_probs(part) for part in parts]


def _ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3
