"""Sends results to an address, in a thread of its own."""

from __future__ import annotations

import json
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from crnn_ctc.errors import InputError

WAITING = 256
"""Results that wait to be sent; more are left out."""

_TRIES = 5
_TIMEOUT = 10.0
"""Seconds that one try may take."""

_LATER = frozenset({408, 425, 429})
"""HTTP status of clients' errors that may pass."""


class Webhook:
    """Posts each result as JSON.

    A try that fails is repeated after 1, 2, 4 and 8 seconds. An answer 4xx is not: it would be the
    same again. Results that cannot be sent, or wait with too many others, are said and left out.

    Args:
        url: http:// or https://.
        say: is told in one line of a result that was not sent.
        pause: seconds before the second try.

    Raises:
        InputError: another kind of address.
    """

    def __init__(self, url: str, say: Callable[[str], None], pause: float = 1.0) -> None:
        if not url.lower().startswith(("http://", "https://")):
            raise InputError(
                f"--webhook {url}: give an address that begins with http:// or https://"
            )
        self.unsent = 0
        self._url = url
        self._say = say
        self._pause = pause
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(WAITING)
        self._gave_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="crnn-ctc-webhook", daemon=True)
        self._thread.start()

    def send(self, result: dict[str, Any]) -> None:
        """Send a result soon; this never waits."""
        try:
            self._waiting.put_nowait(result)
        except queue.Full:
            self._left_out(result, f"{WAITING} others wait")

    def close(self, seconds: float = 30.0) -> None:
        """Send what waits, as far as that takes no longer than ``seconds``."""
        until = time.monotonic() + seconds
        with suppress(queue.Full):
            self._waiting.put(None, timeout=seconds)
        self._thread.join(max(0.0, until - time.monotonic()))
        self._gave_up.set()
        if self._thread.is_alive():
            self._say(f"webhook: {self._waiting.qsize()} results or more were not sent in time")

    def _run(self) -> None:
        while (result := self._waiting.get()) is not None and not self._gave_up.is_set():
            self._post(result)

    def _post(self, result: dict[str, Any]) -> None:
        content = json.dumps(result, ensure_ascii=False).encode()
        reason = ""
        for n in range(_TRIES):
            if n and self._gave_up.wait(self._pause * 2 ** (n - 1)):
                break
            request = urllib.request.Request(  # noqa: S310  http or https, see __init__
                self._url, content, {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT):  # noqa: S310
                    return
            except urllib.error.HTTPError as error:
                error.close()
                reason = f"HTTP {error.code}"
                if 400 <= error.code < 500 and error.code not in _LATER:
                    break
            except (OSError, ValueError) as error:  # http.client's errors are of both kinds
                reason = str(error)
        self._left_out(result, reason)

    def _left_out(self, result: dict[str, Any], reason: str) -> None:
        self.unsent += 1
        self._say(f"webhook: not sent: {result.get('text', '')} ({reason})")
