"""Sends results to a webhook, in a thread."""

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
"""Maximum length of the queue of results; more are dropped."""

_TRIES = 5
_TIMEOUT = 10.0
"""Timeout of one attempt in seconds."""

_LATER = frozenset({408, 425, 429})
"""HTTP 4xx status codes that are retried."""


class Webhook:
    """Posts each result as JSON.

    A failed attempt is repeated after 1, 2, 4 and 8 seconds, except after most 4xx answers. Results
    that cannot be sent, or exceed the queue, are reported and dropped.

    Args:
        url: URL, http:// or https://.
        say: reports in one line a result that was not sent.
        pause: seconds before the second attempt.

    Raises:
        InputError: the URL is of another kind.
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
        """Queue a result; never blocks."""
        try:
            self._waiting.put_nowait(result)
        except queue.Full:
            self._left_out(result, f"{WAITING} others wait")

    def close(self, seconds: float = 30.0) -> None:
        """Send the queued results within ``seconds``."""
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
