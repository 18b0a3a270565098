"""Progress bar on terminals; nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items unchanged, with a progress bar on standard error if it is a terminal.

    Args:
        items: items of any type.
        what: description of the work.
        total: number of items, if known.
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
        # on a terminal, print lines above the bar; leave piped output unchanged
        redirect_stdout=sys.stdout.isatty(),
    ) as bar:
        yield from bar.track(items, total=total, description=what)
