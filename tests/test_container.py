"""The Dockerfile, which nothing here can build: whatever it names is there and works."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from crnn_ctc.cli.main import app
from test_serve import process

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def steps() -> list[tuple[str, str]]:
    """Instructions and what they say, in order; lines that go on are joined."""
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined if line]


def said(instruction: str) -> list[str]:
    return [rest for name, rest in steps() if name == instruction]


def ignored(path: str) -> bool:
    """By .dockerignore, where the last line that matches decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").replace("**/", "*")
        if fnmatch.fnmatch(path, pattern) or path.startswith(f"{pattern}/"):
            out = not line.startswith("!")
    return out


def test_only_known_instructions() -> None:
    known = {"FROM", "ARG", "COPY", "RUN", "USER", "ENV", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"}
    assert {name for name, _ in steps()} == known | {"ENTRYPOINT"}
    assert steps()[0][0] == "FROM"
    assert steps()[-1][0] == "ENTRYPOINT"


def test_what_is_copied_is_all_that_the_build_needs() -> None:
    copied: dict[str, Path] = {}
    for rest in said("COPY"):
        *sources, target = rest.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            assert not ignored(source), source
            place = f"{target}{source}" if target.endswith("/") else target
            copied[place] = ROOT / source
    assert copied == {f"/src/{name}": ROOT / name for name in (
        "pyproject.toml", "README.md", "LICENSE", "src")}  # fmt: skip
    needed = [PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]]
    needed += PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed.append(PROJECT["tool"]["hatch"]["version"]["path"])
    for name in needed:
        assert any(f"/src/{name}" == p or f"/src/{name}".startswith(f"{p}/") for p in copied), name
        assert not ignored(name)
    assert ignored("src/crnn_ctc/serve/__pycache__")
    assert ignored(".git")
    assert ignored("tests")


def test_the_extras_and_the_python_exist() -> None:
    defaults = dict(rest.split("=") for rest in said("ARG"))
    assert '"/src[${EXTRAS}]"' in said("RUN")[0]
    given = [defaults["EXTRAS"], *re.findall(r"--build-arg EXTRAS=(\S+)", TEXT)]
    assert len(given) == 2
    for extra in ",".join(given).split(","):
        assert extra in PROJECT["project"]["optional-dependencies"]
    version = re.fullmatch(r"python:(3\.\d+)-slim", said("FROM")[0])
    assert version is not None
    least = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert [int(n) for n in version[1].split(".")] >= [int(n) for n in least.split(".")]


def test_its_command_and_those_in_its_comments_can_be_parsed() -> None:
    entry = json.loads(said("ENTRYPOINT")[0])
    assert entry[0] in PROJECT["project"]["scripts"]
    more = [
        shlex.split(line.split(" crnn-ctc", 1)[1])
        for line in re.findall(r"^#\s+docker run (.*)$", TEXT, re.MULTILINE)
    ]
    assert len(more) == 2
    group = typer.main.get_command(app)
    for arguments in more:
        name, *options = [*entry[1:], *arguments]
        command = group.get_command(None, name)  # type: ignore[attr-defined,arg-type]
        values = command.make_context(name, list(options)).params
        assert values["host"] == "0.0.0.0"
        assert str(values["port"]) == said("EXPOSE")[0]


def test_it_is_stopped_as_it_expects_and_is_not_root() -> None:
    assert said("STOPSIGNAL") == ["SIGTERM"]
    assert int(said("USER")[0]) > 0
    names = [name for name, _ in steps()]
    assert names.index("USER") > names.index("RUN")


def test_the_health_check_tells_a_service_from_none() -> None:
    options, command = said("HEALTHCHECK")[0].split(" CMD ")
    assert re.fullmatch(r"(--(interval|timeout|start-period)=\d+s ?)+", options)
    python, flag, code = json.loads(command)
    assert (python, flag) == ("python", "-c")
    own = f"127.0.0.1:{said('EXPOSE')[0]}/"
    assert code.count(own) == 1

    def check(address: str) -> int:
        asked = code.replace(f"http://{own}", f"{address}/")
        return subprocess.run(
            [sys.executable, flag, asked], capture_output=True, check=False
        ).returncode

    with process("--model", "digits-tiny") as (running, address):
        assert check(address) == 0
        running.terminate()
        assert running.wait(60) == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert check(f"http://127.0.0.1:{port}") != 0


@pytest.mark.parametrize("missing", ["--read-only", "--cap-drop ALL", "127.0.0.1:8000:8000"])
def test_the_first_example_is_a_careful_one(missing: str) -> None:
    first = re.findall(r"^#\s+docker run (.*)$", TEXT, re.MULTILINE)[0]
    assert missing in first
