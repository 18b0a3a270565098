"""HTTP/1.1 as httptools parses it, in C; uvicorn bounds no head there, as it does with h11."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = 65_536
"""Bytes of a request's head, or of what follows its body, at most; h11 has the same bound."""


class BoundedHead(HttpToolsProtocol):
    """Refuses a request of which ``HEAD`` bytes bring neither the end of its head nor any body."""

    _fruitless = 0
    _progress = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(cast(asyncio.Transport, _Forgiving(transport)))

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or of several."""
        self._progress = False
        super().data_received(data)
        self._fruitless = 0 if self._progress else self._fruitless + len(data)
        if self._fruitless > HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_headers_complete(self) -> None:
        """The head has ended."""
        self._progress = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has ended."""
        self._progress = True
        super().on_message_complete()


class _Forgiving:
    """A transport that, as asyncio's, ignores what is written to a client that has gone.

    uvloop's raises, which would be logged as an error of the service.

    Args:
        transport: whatever the loop made.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)
