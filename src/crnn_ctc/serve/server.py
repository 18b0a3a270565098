"""Running the application on a socket."""

from __future__ import annotations

import math
import signal
import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from crnn_ctc.errors import InputError
from crnn_ctc.serve.protocol import BoundedHead

CONNECTIONS = 1000
"""Maximum number of concurrent connections; uvicorn answers 503 to more."""


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 takes any free port.

    Raises:
        InputError: the address is not of this machine, or is in use.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{host}:{port}: cannot listen ({reason}); choose another --host or --port"
        ) from None


def configured(app: ASGIApp, seconds: float, access_log: bool = False) -> uvicorn.Config:
    """Create uvicorn's configuration; see :func:`run_server`."""
    return uvicorn.Config(
        app,
        http=BoundedHead,
        log_level="info" if access_log else "warning",
        access_log=access_log,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=math.ceil(2 * seconds) + 1,
    )


def run_server(
    app: ASGIApp, listening: socket.socket, seconds: float, access_log: bool = False
) -> None:
    """Serve until SIGTERM or SIGINT; accepted requests are answered first.

    Args:
        app: application to serve.
        listening: its socket.
        seconds: time limit for a request to arrive, and again to be answered.
        access_log: whether each request is logged.
    """
    # uvicorn raises the signal again when it is done, but stopping is not a failure
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignore)
    uvicorn.Server(configured(app, seconds, access_log)).run(sockets=[listening])


def _ignore(number: int, frame: FrameType | None) -> None:
    del number, frame
