"""Errors for missing packages that name the extra to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crnn_ctc.errors import MissingExtraError


@contextmanager
def needs(extra: str, feature: str) -> Iterator[None]:
    """Wrap imports: a missing package becomes a one-line error that says how to install it.

    Raises:
        MissingExtraError: a package outside this one is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "crnn_ctc":
            raise
        raise MissingExtraError(feature, extra, error.name) from None
