"""Limits of the service; requests over a limit are rejected at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from crnn_ctc.errors import InputError
from crnn_ctc.serve.problems import Problem

MEGA = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the memory and the time of requests.

    Attributes:
        body: bytes of one request.
        pixels: greatest number of pixels of one picture, as its header says.
        pictures: in one request.
        queue: pictures that wait for a model; more are answered 503.
        batch: pictures that a model reads at once.
        seconds: in which a request must have arrived, and then again be answered.

    Raises:
        InputError: one is not above 0, or a request may never fit.
    """

    body: int = 20 * MEGA
    pixels: int = 16 * MEGA
    pictures: int = 64
    queue: int = 256
    batch: int = 8
    seconds: float = 10.0

    def __post_init__(self) -> None:
        for each in fields(self):
            if not getattr(self, each.name) > 0:
                raise InputError(f"limit {each.name}: give more than 0")
        if self.queue < self.pictures:
            raise InputError(
                f"a queue of {self.queue} never takes the {self.pictures} pictures that a request "
                "may have; give a longer queue or fewer pictures"
            )

    @property
    def held(self) -> int:
        """Bytes of all requests that are in the service at once."""
        return 10 * self.body


class Budget:
    """Bytes that all requests hold together.

    Args:
        most: limit in bytes.
    """

    def __init__(self, most: int) -> None:
        self._left = most

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Hold ``size`` bytes for as long as the block runs.

        Raises:
            Problem: 503, others hold too many.
        """
        if size > self._left:
            raise Problem(503, "too many bytes are being read; try again later", retry_after=1)
        self._left -= size
        try:
            yield
        finally:
            self._left += size
