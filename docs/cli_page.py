"""Write the page of the command line: python docs/cli_page.py > docs/cli.md."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, get_args, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from crnn_ctc.cli.main import app

HEAD = """# Command line

Every command with its arguments and options; `--help` after a command prints the same.
`docs/cli_page.py` generates this page.
"""


def page() -> Iterator[str]:
    """Its lines."""
    yield HEAD
    for name, command in commands(app, "crnn-ctc"):
        yield f"## {name}\n"
        yield f"{inspect.getdoc(command)}\n"
        yield "| argument or option | value | default | meaning |"
        yield "| --- | --- | --- | --- |"
        hints = get_type_hints(command, include_extras=True)
        for parameter in inspect.signature(command).parameters.values():
            yield row(parameter, hints[parameter.name])
        yield ""


def commands(group: typer.Typer, words: str) -> Iterator[tuple[str, Callable[..., None]]]:
    """Each command, with the words that call it."""
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{words} {command.name}", command.callback
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, f"{words} {inner.name}")


def row(parameter: inspect.Parameter, hint: Any) -> str:
    """An argument or option as a row of the table."""
    base, *extras = get_args(hint)
    info = next(each for each in extras if isinstance(each, ArgumentInfo | OptionInfo))
    [kind, *_] = [t for t in (base, *get_args(base)) if isinstance(t, type)] or [str]
    if get_args(kind):  # list[str]
        [kind] = get_args(kind)
    default = parameter.default
    if default in (inspect.Parameter.empty, ...):
        shown = "required"
    elif isinstance(default, Enum):
        shown = str(default.value)
    else:
        shown = "" if default is None or isinstance(default, bool) else str(default)
    if isinstance(info, ArgumentInfo):
        name, value = info.metavar or parameter.name.upper(), ""
    else:
        # within Annotated, the first name that is given counts as the default
        given = [n for n in (info.default, *(info.param_decls or ())) if str(n).startswith("-")]
        name = ", ".join(map(str, given)) or f"--{parameter.name.replace('_', '-')}"
        value = info.metavar or {int: "N", float: "X", bool: ""}.get(kind, "TEXT")
        if issubclass(kind, Enum):
            value = ", ".join(str(each.value) for each in kind)
    cells = [f"`{name}`", value, shown, info.help or ""]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print("\n".join(page()).rstrip())  # noqa: T201
