"""A client that keeps many connections of a service busy, and checks every answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """What is sent, and what must come back.

    Attributes:
        body: of the POST.
        kind: its content type.
        status: expected.
        texts: expected, one a picture; None in the place of one that cannot be read.
    """

    body: bytes
    kind: str
    status: int = 200
    texts: tuple[str | None, ...] = ()

    def head(self, host: str) -> bytes:
        lines = (
            "POST /v1/read HTTP/1.1",
            f"Host: {host}",
            f"Content-Type: {self.kind}",
            f"Content-Length: {len(self.body)}",
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass
class Tally:
    """What came back.

    Attributes:
        seconds: that each answer took.
        answered: as expected.
        busy: told to come again, 503.
        wrong: another's text, or another status.
        lost: no answer at all.
        pictures: in what was answered as expected.
    """

    seconds: list[float] = field(default_factory=list)
    answered: int = 0
    busy: int = 0
    wrong: int = 0
    lost: int = 0
    pictures: int = 0

    def check(self, request: Request, status: int, content: bytes) -> None:
        if status == 503 and request.status != 503:
            self.busy += 1
            return
        texts: tuple[str | None, ...] = ()
        if status == 200:
            readings = json.loads(content)["readings"]
            texts = tuple(None if r["error"] else r["text"] for r in readings)
        if (status, texts) == (request.status, request.texts):
            self.answered += 1
            self.pictures += len(texts)
        else:
            self.wrong += 1

    def milliseconds(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return 1e3 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    """Status, content, and whether the connection stays."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    content = await reader.readexactly(int(fields.get("content-length", 0)))
    return int(lines[0].split()[1]), content, fields.get("connection") != "close"


async def _connection(
    port: int, requests: Sequence[Request], first: int, until: float, tally: Tally
) -> None:
    host, streams, number = "127.0.0.1", None, first
    while time.perf_counter() < until:
        request = requests[number % len(requests)]
        number += 7919  # a prime: connections do not walk in step
        started = time.perf_counter()
        try:
            if streams is None:
                streams = await asyncio.open_connection(host, port)
            streams[1].write(request.head(host) + request.body)
            status, content, stays = await asyncio.wait_for(_answer(streams[0]), 60)
        except (OSError, EOFError, TimeoutError):
            tally.lost += 1
            streams = None
            continue
        tally.seconds.append(time.perf_counter() - started)
        tally.check(request, status, content)
        if not stays:
            streams[1].close()
            streams = None
    if streams is not None:
        streams[1].close()


def load(port: int, requests: Sequence[Request], connections: int, seconds: float) -> Tally:
    """Keep ``connections`` busy for ``seconds``, each with one request after another."""
    tally = Tally()

    async def all_of_them() -> None:
        until = time.perf_counter() + seconds
        each = [_connection(port, requests, 31 * n, until, tally) for n in range(connections)]
        await asyncio.gather(*each)

    asyncio.run(all_of_them())
    return tally
