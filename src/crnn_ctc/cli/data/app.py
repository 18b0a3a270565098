"""crnn-ctc data: download and prepare training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crnn_ctc.cli.data import ccpd, check, stats, synth

app = typer.Typer(
    help="Download and prepare training data.", no_args_is_help=True, rich_markup_mode="markdown"
)
app.command("ccpd")(ccpd.ccpd)
app.command("check")(check.check)
app.command("stats")(stats.stats)
app.command("synth")(synth.synth)


@app.callback()
def options() -> None:
    """Download and prepare training data."""


@app.command("emnist")
def emnist(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the digits.")],
    mirrors: Annotated[
        list[str] | None,
        typer.Option("--mirror", metavar="URL", help="Address to try first; may be repeated."),
    ] = None,
) -> None:
    """Download EMNIST's digits from NIST, 562 MB, and keep their four files.

    A folder that already holds them, gzipped or not, is left as it is.
    """
    from crnn_ctc.cli.extras import needs

    with needs("download", "downloading"):
        from crnn_ctc.data.emnist import fetch

    for split, count in fetch(folder, mirrors or []).items():
        print(f"{folder}: {count:,} {split} digits")
