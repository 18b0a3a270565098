"""Load generator with many connections, which checks every answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """A request and its expected answer.

    Attributes:
        body: body of the POST.
        kind: content type of the body.
        status: expected status; 0 for a client that disconnects after half of the body.
        texts: expected texts, one per picture; None for an unreadable one.
        query: query of the URL.
    """

    body: bytes
    kind: str
    status: int = 200
    texts: tuple[str | None, ...] = ()
    query: str = ""

    def head(self, host: str) -> bytes:
        lines = (
            f"POST /v1/read?{self.query} HTTP/1.1",
            f"Host: {host}",
            f"Content-Type: {self.kind}",
            f"Content-Length: {len(self.body)}",
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass
class Tally:
    """Counts of answers.

    Attributes:
        seconds: time of each answer.
        answered: answers as expected.
        busy: answers with status 503.
        wrong: answers with a wrong text or status.
        lost: requests without an answer.
        left: requests whose client disconnected.
        pictures: pictures in answers as expected.
        statuses: count of each status.
    """

    seconds: list[float] = field(default_factory=list)
    answered: int = 0
    busy: int = 0
    wrong: int = 0
    lost: int = 0
    left: int = 0
    pictures: int = 0
    statuses: Counter[int] = field(default_factory=Counter)

    def check(self, request: Request, status: int, content: bytes) -> None:
        self.statuses[status] += 1
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
    """Receive an answer: status, content, and whether the connection stays open."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    content = await reader.readexactly(int(fields.get("content-length", 0)))
    return int(lines[0].split()[1]), content, fields.get("connection") != "close"


async def _connection(
    port: int, requests: Sequence[Request], first: int, until: float, pause: float, tally: Tally
) -> None:
    host, streams, number = "127.0.0.1", None, first
    due = time.perf_counter()
    while time.perf_counter() < until:
        await asyncio.sleep(due - time.perf_counter())
        due = max(due + pause, time.perf_counter())
        request = requests[number % len(requests)]
        number += 7919  # a prime, so that connections do not synchronize
        started = time.perf_counter()
        try:
            if streams is None:
                streams = await asyncio.open_connection(host, port)
            if not request.status:
                streams[1].write(request.head(host) + request.body[: len(request.body) // 2])
                await streams[1].drain()
                streams[1].close()
                streams = None
                tally.left += 1
                continue
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


def load(
    port: int,
    requests: Sequence[Request],
    connections: int,
    seconds: float,
    per_second: float | None = None,
) -> Tally:
    """Keep ``connections`` busy for ``seconds``, each with one request after another.

    Args:
        port: port of the service, on this machine.
        requests: requests to repeat, in a different order on each connection.
        connections: number of concurrent connections.
        seconds: time during which requests are sent.
        per_second: maximum rate of requests, in total; None for no limit.
    """
    tally = Tally()
    pause = connections / per_second if per_second else 0.0

    async def all_of_them() -> None:
        until = time.perf_counter() + seconds
        each = [
            _connection(port, requests, 31 * n, until, pause, tally) for n in range(connections)
        ]
        await asyncio.gather(*each)

    asyncio.run(all_of_them())
    return tally
