"""Naming the extra that a missing package comes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crnn_ctc.errors import MissingExtraError


@contextmanager
def needs(extra: str, feature: str) -> Iterator[None]:
    """Import inside: a missing package becomes one line that says how to install it.

    Raises:
        MissingExtraError: a package outside this one is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "crnn_ctc":
            raise
        raise MissingExtraError(feature, extra, error.name) from None
