"""The command line: one module per command, each cheap to import."""

from __future__ import annotations

import errno
import os
import sys

import typer

from crnn_ctc import __version__
from crnn_ctc.cli import (
    bench,
    bulk,
    calibrate,
    evaluate,
    export,
    info,
    predict,
    serve,
    train,
    watch,
)
from crnn_ctc.cli.console import use_utf8
from crnn_ctc.cli.data import app as data
from crnn_ctc.errors import InputError

app = typer.Typer(
    name="crnn-ctc",
    help="Read a short line of text from a picture; train such a reader on your own pictures.",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # otherwise line breaks of docstrings are kept
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("predict")(predict.predict)
app.command("watch")(watch.watch)
app.command("bulk")(bulk.bulk)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate_command)
app.command("export")(export.export_command)
app.command("calibrate")(calibrate.calibrate)
app.command("info")(info.info)
app.command("bench")(bench.bench)
app.command("serve")(serve.serve)
app.add_typer(data.app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"crnn-ctc {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and stop."
    ),
) -> None:
    """Read a short line of text from a picture; train such a reader on your own pictures."""


def run() -> None:
    """Run the command line; a user error is printed as one line, with exit code 2."""
    use_utf8()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        # the buffered output would fail again at interpreter exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"error: output cannot be written ({error.strerror}); free space", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    run()
