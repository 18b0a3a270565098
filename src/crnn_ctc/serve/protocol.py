"""HTTP/1.1 by httptools, with a limit on the head, which uvicorn sets only for h11."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = 65_536
"""Maximum size of a request's head, or of trailing data, in bytes; the same limit as in h11."""


class BoundedHead(HttpToolsProtocol):
    """Rejects a request if ``HEAD`` bytes complete neither its head nor a part of its body."""

    _fruitless = 0
    _progress = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Handle a new connection."""
        super().connection_made(cast(asyncio.Transport, _Forgiving(transport)))

    def data_received(self, data: bytes) -> None:
        """Handle received bytes."""
        self._progress = False
        super().data_received(data)
        self._fruitless = 0 if self._progress else self._fruitless + len(data)
        if self._fruitless > HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_headers_complete(self) -> None:
        """Handle the end of the head."""
        self._progress = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Handle a part of the body."""
        self._progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Handle the end of the request."""
        self._progress = True
        super().on_message_complete()


class _Forgiving:
    """A transport that, like asyncio's, ignores writes after a client has disconnected.

    uvloop's transport raises, which would be logged as an error of the service.

    Args:
        transport: transport of the event loop.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)
