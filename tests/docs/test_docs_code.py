"""The code in README and docs: each block is run, or says above it why it is not.

``<!-- not run: REASON -->`` on the line above a block keeps it from being run. Its commands are
looked at all the same: commands, options and files that do not exist are found.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from crnn_ctc.cli.main import app
from helpers.pages import ROOT, Block, Page, pages

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGES = pages()
SHELL = {"sh", "console"}
#: Languages of blocks that nobody runs.
DATA = {"ini", "text", "toml", "yaml"}
#: What would change the machine that the tests run on.
REFUSED = ("accelerate", "apt-get", "docker", "make", "pip", "torchrun")
#: What stands between two commands of a line.
BETWEEN = {";", "&&", "||", "|", "&", "(", ")"}


def blocks(*languages: str, run: bool = False) -> list[Any]:
    """Each block of these languages, as a parameter of a test; with ``run``, of those to be run."""
    return [
        pytest.param(page, block, id=f"{page.path}:{block.line}")
        for page in PAGES
        for block in page.blocks
        if block.language in languages and not (run and block.not_run)
    ]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example pictures, where ``crnn-ctc`` is this one."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    tools = tmp_path / "bin"
    tools.mkdir()
    refuse = "echo 'no test runs this; write above it <!-- not run: REASON -->' >&2; exit 1"
    programs = dict.fromkeys(REFUSED, refuse)
    programs["crnn-ctc"] = f'exec "{sys.executable}" -m crnn_ctc "$@"'
    for name, script in programs.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_blocks_have_a_language_that_is_run_or_is_data() -> None:
    strange = [
        f"{page.path}:{block.line}: {block.language!r}"
        for page in PAGES
        for block in page.blocks
        if block.language not in {"python", *SHELL, *DATA}
    ]
    assert not strange, f"say python, sh, console, text or toml: {strange}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_python_runs(page: Page, workplace: Path) -> None:
    """The blocks of a page follow one another."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in page.blocks:
        if block.language == "python":
            # its line is the page's where an error is shown
            code = compile("\n" * block.line + block.code, page.path, "exec")
            if block.not_run is None:
                exec(code, names)


@pytest.mark.parametrize(("page", "block"), blocks(*SHELL, run=True))
def test_shell_runs(page: Page, block: Block, workplace: Path) -> None:
    if block.language == "sh":
        run_shell(block.code)
        return
    for command, shown in commands_and_output(block.code):
        printed = run_shell(command, refusals=True)
        if shown:
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            same = doctest.OutputChecker().check_output(rounded(shown), rounded(printed), flags)
            assert same, f"{page.path}:{block.line} shows\n{shown}\nand it prints\n{printed}"


def run_shell(code: str, refusals: bool = False) -> str:
    """What a script prints; it must succeed, or have read what it then refused."""
    done = subprocess.run(
        ["bash", "-euc", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in ({0, 3} if refusals else {0}), done.stderr
    return done.stdout + done.stderr


def rounded(text: str) -> str:
    """Confidences and times differ from machine to machine."""
    return re.sub(r"\d+\.\d+", "N.N", text)


def commands_and_output(code: str) -> Iterator[tuple[str, str]]:
    """Of a block of language console, each command with what is shown of its output."""
    for part in re.split(r"^\$ ", code.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def test_no_block_installs(workplace: Path) -> None:
    with pytest.raises(AssertionError, match="not run: REASON"):
        run_shell("pip install nosuch")


@pytest.mark.parametrize(("page", "block"), blocks(*SHELL))
def test_shell_names_what_exists(page: Page, block: Block) -> None:
    code = block.code
    if block.language == "console":
        code = "\n".join(command for command, _ in commands_and_output(code))
    look_at_all(code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_commands_in_text_exist(page: Page) -> None:
    for line, span in page.code_spans:
        if span.startswith(("crnn-ctc ", "python bench/")):
            try:
                look_at(next(commands(span)))
            except Exception as error:
                # a command is named in part
                if type(error).__name__ not in {"MissingParameter", "NoArgsIsHelpError"}:
                    raise AssertionError(f"{page.path}:{line}: {span}: {error}") from error


@pytest.mark.parametrize(("page", "block"), blocks("toml"))
def test_toml_is_toml(page: Page, block: Block) -> None:
    tomllib.loads(block.code)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("crnn-ctc predict --nosuch a.png", "nosuch"),
        ("FAST=1 crnn-ctc nosuch a.png", "nosuch"),
        ("true && crnn-ctc data nosuch", "nosuch"),
        ("crnn-ctc predict --format nosuch a.png", "nosuch"),
        ("crnn-ctc train", "recipe"),
        ('T="torchrun -m -- crnn_ctc train"\n$T plates --nosuch 1', "nosuch"),
        ("python bench/nosuch.py", "nosuch"),
        ("VENV/bin/python bench/reading.py --nosuch", "nosuch"),
        ("make nosuch", "nosuch"),
        ('pip install "crnn-ctc[nosuch]"', "nosuch"),
    ],
)
def test_what_does_not_exist_is_found(line: str, wrong: str) -> None:
    with pytest.raises(Exception, match=wrong):
        look_at_all(line)


def look_at_all(code: str) -> None:
    """Raises where a command of a script names what does not exist."""
    for words in commands(code):
        look_at(words)


def commands(code: str) -> Iterator[list[str]]:
    """Each command of a script, in words, its variables put in."""
    variables: dict[str, str] = {}
    for line in code.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word in BETWEEN:
                if words:
                    yield words
                words = []
            elif not words and (assigned := re.fullmatch(r"(\w+)=(.*)", word)):
                variables[f"${assigned[1]}"] = assigned[2]
            else:
                words += shlex.split(variables[word]) if word in variables else [word]


def look_at(words: list[str]) -> None:
    """Raises where a command names what does not exist."""
    program = words[0].rsplit("/")[-1]
    if program == "crnn-ctc":
        parse(words[1:])
    elif "crnn_ctc" in words:  # python -m crnn_ctc, torchrun ... -m -- crnn_ctc
        parse(words[words.index("crnn_ctc") + 1 :])
    elif program == "make":
        makefile = (ROOT / "Makefile").read_text()
        for target in words[1:]:
            assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), (
                f"no target {target}"
            )
    elif program == "pip":
        offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        for named in re.findall(r"(?:crnn-ctc|\.)\[([\w,]+)\]", " ".join(words)):
            missing = set(named.split(",")) - set(offered["optional-dependencies"])
            assert not missing, f"no extra {missing}"
    elif program == "python" and words[1].endswith(".py"):
        script = ROOT / words[1]
        assert script.is_file(), f"no file {words[1]}"
        for word in words[2:]:
            option = word.split("=")[0]
            known = not word.startswith("--") or f'"{option}"' in script.read_text()
            assert known, f"{words[1]} knows no {option}"


@cache
def command_line() -> Any:
    """The command line with all its verbs, none of which does anything."""
    command: Any = typer.main.get_command(app)
    waiting = [command]
    while waiting:
        one = waiting.pop()
        one.callback = lambda **_: None
        waiting += getattr(one, "commands", {}).values()
    return command


def parse(arguments: list[str]) -> None:
    """Raises where the command line does not take these arguments."""
    command_line().main(arguments, prog_name="crnn-ctc", standalone_mode=False)
