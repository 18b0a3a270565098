"""What every target promises: an answer, or an InputError of one line, whatever comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from crnn_ctc.errors import InputError


@dataclass(frozen=True)
class Target:
    """Something that reads what strangers write.

    Attributes:
        check: reads; raises whatever breaks the promise.
        seeds: good inputs, that bad ones are made of.
    """

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


@contextmanager
def kept() -> Iterator[None]:
    """Let an InputError pass if it can be shown: in one line, without what moves a terminal."""
    try:
        yield
    except InputError as error:
        message = str(error)
        assert message, "a refusal without words"
        assert not any(c < " " or "\x7f" <= c <= "\x9f" for c in message), repr(message)
        message.encode()  # no lone surrogates: it can be printed
