"""Draining of rejected requests, so that clients can read the error."""

from __future__ import annotations

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = 2.0
_BODIES = 4


class Drain:
    """ASGI middleware that reads and discards the rest of a rejected request's body.

    Args:
        app: the wrapped application.
        body: maximum size of a request in bytes; at most four times as many are read, for 2 s.
    """

    def __init__(self, app: ASGIApp, body: int) -> None:
        self._app = app
        self._most = _BODIES * body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # a client that sent Expect: 100-continue has not sent the body
        ended = "expect" in Headers(scope=scope)

        async def noting() -> Message:
            nonlocal ended
            message = await receive()
            ended = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        async def draining(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400 and not ended:
                await self._drain(noting)
            await send(message)

        await self._app(scope, noting, draining)

    async def _drain(self, receive: Receive) -> None:
        left = self._most
        try:
            with anyio.fail_after(_SECONDS):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        return
        except TimeoutError:
            return
