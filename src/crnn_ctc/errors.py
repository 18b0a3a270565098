"""Errors of the user: one clear line with the remedy, exit code 2."""

from __future__ import annotations

import os
import re

# what ends a line, moves a terminal's cursor or cannot be written as UTF-8: names of files and
# what broken files say of themselves stand in messages
_UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class InputError(ValueError):
    """An input of the user cannot be used; the message names it and the remedy in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    """A text without what ends a line, moves a terminal's cursor or is not valid: escaped."""
    return _UNPRINTABLE.sub(_escaped, text)


def printable_name(name: str | os.PathLike[str]) -> str:
    r"""A file's name as valid text, whatever the locale.

    Bytes that are not UTF-8, which Python keeps as lone surrogates (PEP 383), become ``\xNN``; in
    a name that has any, a backslash becomes two, so that the name's bytes can be restored.
    """
    text = os.fspath(name)
    try:
        content = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte, as on Windows
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def is_utf8(name: str) -> bool:
    """Whether the bytes of a file's name are UTF-8."""
    try:
        name.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return False
    return True


class NotAPictureError(InputError, TypeError):
    """An object of a type that is no picture, such as None."""


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return ascii(character)[1:-1]


class MissingExtraError(InputError):
    """A feature needs packages that the base install leaves out."""

    def __init__(self, feature: str, extra: str, module: str | None) -> None:
        self._made_of = (feature, extra, module)
        super().__init__(
            f"{feature} needs {module or extra}, which is not installed; "
            f'install it with: pip install "crnn-ctc[{extra}]", '
            f'or in a clone: pip install ".[{extra}]"'
        )

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str | None]]:
        # by default pickle calls the class with the message alone, which a process pool never
        # recovers from
        return type(self), self._made_of
