"""Options and messages shared by the commands for labelled sets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from crnn_ctc.alphabet import Alphabet
    from crnn_ctc.data.label_tally import LabelTally

LABELS = "LABELS"
"""Name of the alphabet made of all characters of the labels."""

AlphabetOption = Annotated[
    str,
    typer.Option(
        metavar="LABELS|PLATES|DIGITS|FILE",
        help="Characters that labels may hold: their own, a named alphabet, or those in a text "
        "file.",
    ),
]


def named_alphabet(name: str) -> Alphabet | None:
    """Look up the alphabet that a user names; None for that of the labels.

    Raises:
        InputError: ``name`` is neither an alphabet nor a text file of characters.
    """
    from crnn_ctc.alphabet import ALPHABETS, Alphabet

    if name == LABELS:
        return None
    if name in ALPHABETS:
        return ALPHABETS[name]
    try:
        characters = Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join([LABELS, *ALPHABETS])
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise InputError(
            f"--alphabet {name}: {reason}; give one of {known}, or a text file in UTF-8 with the "
            "characters"
        ) from None
    return Alphabet.of("".join(dict.fromkeys(characters.replace("\r", "").replace("\n", ""))))


def print_tally(tally: LabelTally) -> None:
    """Print the sources of labels and warnings about them on standard error."""
    for line in tally.sources():
        print(line, file=sys.stderr)
    for line in tally.warnings():
        print(f"warning: {line}", file=sys.stderr)
