"""Recipes in TOML, and changes of them on the command line."""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path

from crnn_ctc.recipe import load_recipe
from promise import Target, kept

_FILE = Path(tempfile.mkdtemp(), "recipe.toml")
_MARK = b"\n#--set "
"""What follows is a change: a comment to TOML."""


def check(data: bytes) -> None:
    """A checked recipe that says what it needs; or a refusal."""
    whole, *changes = data.split(_MARK)
    _FILE.write_bytes(whole)
    with kept():
        recipe = load_recipe(
            _FILE, [change.decode("utf-8", "surrogateescape") for change in changes]
        )
        assert recipe.training.steps > 0
        assert recipe.data.steps_needed() > 0
        assert recipe.network.title
        assert len(recipe.characters) > 1


def _seeds() -> tuple[bytes, ...]:
    folder = files("crnn_ctc") / "recipes"
    shipped = [(folder / f"{name}.toml").read_bytes() for name in ("digits-tiny", "plates-nano")]
    own = (folder / "text-tiny.toml").read_bytes()
    changes = (b"alphabet.characters=abc", b"grammar=re:[a-c]{1,4}", b"training.restarts=[900]")
    return (*shipped, _MARK.join([own, *changes]))


TARGET = Target(check, _seeds())
