"""A progress bar where a person watches, and nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """The items as they are, with a bar on standard error where that is a terminal.

    Args:
        items: any.
        what: is done with them.
        total: how many there are, where that is known.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns,
        console=Console(file=sys.stderr),
        transient=True,
        # lines above the bar where both are on the terminal; untouched lines in a pipe
        redirect_stdout=sys.stdout.isatty(),
    ) as bar:
        yield from bar.track(items, total=total, description=what)
