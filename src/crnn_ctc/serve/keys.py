"""API keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from crnn_ctc.errors import InputError

LEAST = 16
"""Minimum length of a key; shorter keys can be guessed."""

ENVIRONMENT = "CRNN_CTC_API_KEYS"
"""Environment variable with keys, separated by commas."""


class Keys:
    """API keys of the service; without keys, it is open to everyone who can reach it.

    Only hashes are kept, which have equal lengths.

    Args:
        keys: keys of at least ``LEAST`` printable ASCII characters, without blanks.

    Raises:
        InputError: a key is too short, or invalid in a header.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._hashes = []
        for place, key in enumerate(keys, 1):
            # never print the key itself
            if len(key) < LEAST or not key.isascii() or not key.isprintable() or " " in key:
                raise InputError(
                    f"API key {place}: give at least {LEAST} ASCII characters without blanks, "
                    "for example from: openssl rand -hex 24"
                )
            self._hashes.append(_hash(key))

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def allow(self, given: str | None) -> bool:
        """Tell whether ``given`` is a valid key, in constant time."""
        candidate = _hash(given or "")
        # no early exit: the time must not reveal which key matched
        found = [hmac.compare_digest(candidate, known) for known in self._hashes]
        return any(found) or not self._hashes


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def keys_of(file: Path | None, variable: str | None) -> Keys:
    """Read the keys of a file, one per line, ``#`` for comments, and of the environment variable.

    Raises:
        InputError: the file cannot be read or has no key, or a key is invalid.
    """
    found = [key.strip() for key in (variable or "").split(",") if key.strip()]
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise InputError(f"{file}: cannot be read ({reason}); check the path") from None
        in_file = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        if not in_file:
            raise InputError(f"{file}: holds no API key; write one a line")
        found += in_file
    return Keys(found)
