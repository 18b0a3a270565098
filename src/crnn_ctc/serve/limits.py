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
    """Limits on memory and time of requests.

    Attributes:
        body: maximum size of one request, bytes.
        pixels: maximum number of pixels of one picture, according to its header.
        pictures: maximum number of pictures in one request.
        queue: maximum number of pictures waiting for a model; more are answered with 503.
        batch: pictures per inference batch.
        seconds: time limit for a request to arrive, and again to be answered.

    Raises:
        InputError: a limit is not above 0, or a request of allowed size could never be accepted.
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
        """Maximum size of all concurrent requests together, bytes."""
        return 10 * self.body


class Budget:
    """Counter of the bytes that all requests hold together.

    Args:
        most: limit in bytes.
    """

    def __init__(self, most: int) -> None:
        self._left = most

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Reserve ``size`` bytes while the block runs.

        Raises:
            Problem: 503, other requests hold too many.
        """
        if size > self._left:
            raise Problem(503, "too many bytes are being read; try again later", retry_after=1)
        self._left -= size
        try:
            yield
        finally:
            self._left += size
