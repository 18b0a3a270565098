"""The one error a user can cause, and what it costs them: one clear line, exit code 2."""

from __future__ import annotations


class InputError(ValueError):
    """Something a user gave cannot be used. The message names it and the remedy, in one line."""


class MissingExtraError(InputError):
    """A feature needs packages that the base install leaves out."""

    def __init__(self, feature: str, extra: str, module: str | None) -> None:
        super().__init__(
            f"{feature} needs {module or extra}, which is not installed; "
            f'install it with: pip install "crnn-ctc[{extra}]"'
        )
