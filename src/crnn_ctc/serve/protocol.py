"""HTTP/1.1 as httptools parses it, in C; uvicorn bounds no head there, as it does with h11."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = 65_536
"""Bytes of a request's head, or of what follows its body, at most; h11 has the same bound."""


class BoundedHead(HttpToolsProtocol):
    """Refuses a request of which ``HEAD`` bytes bring neither the end of its head nor any body."""

    _fruitless = 0
    _progress = False

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
