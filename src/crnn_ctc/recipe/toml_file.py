"""Recipes read from TOML: a shipped one or a file, with changes of single keys."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from crnn_ctc.errors import InputError
from crnn_ctc.recipe.keys import nearest
from crnn_ctc.recipe.locator import LocatorRecipe
from crnn_ctc.recipe.rectifier import RectifierRecipe
from crnn_ctc.recipe.schema import Recipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_TAGS = {"one", "several", "weighted", "named", "own"}
_TAGS |= {"digits", "plates", "plate_views", "rows", "labelled"}
"""Parts of pydantic's error locations that are no keys."""


_EITHER = {"training.images": "epochs", "training.epochs": "images"}
"""Keys that replace another key."""


TASK, RECTIFY = "find", "rectify"
"""Values of ``task`` for locators and rectifiers; readers have no such key."""

AnyRecipe = Recipe | LocatorRecipe | RectifierRecipe

_TASKS: dict[str, type[LocatorRecipe | RectifierRecipe]] = {
    TASK: LocatorRecipe,
    RECTIFY: RectifierRecipe,
}


def shipped_recipes(task: str | None = None) -> list[str]:
    """Names of the shipped recipes of readers, or of a ``task``."""
    folder = files("crnn_ctc") / "recipes"
    names = [f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")]
    of_a_task = {name: name.rpartition("-")[2] for name in names}
    return sorted(n for n, end in of_a_task.items() if (end if end in _TASKS else None) == task)


def load_recipe(source: str | Path, changes: list[str] | None = None) -> Recipe:
    """A reader's recipe; see :func:`load_any_recipe`.

    Raises:
        InputError: what :func:`load_any_recipe` raises, or a recipe of another task.
    """
    recipe = load_any_recipe(source, changes)
    if not isinstance(recipe, Recipe):
        raise InputError(f"{source}: a recipe that only train takes: its model reads no text")
    return recipe


def load_any_recipe(source: str | Path, changes: list[str] | None = None) -> AnyRecipe:
    """The recipe of a shipped name or a file, with ``key.key=value`` changes applied.

    Args:
        source: name of a shipped recipe, or a TOML file; its ``task`` says what it trains.
        changes: as ``--set`` takes them.

    Raises:
        InputError: no such recipe, not TOML, an unknown key, a wrong type, a value out of range.
    """
    values = read_values(source, changes)
    task = values.get("task")
    schema = _TASKS.get(task, Recipe) if isinstance(task, str) else Recipe
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{source}: {first_fault(error, values)}") from None


def read_values(source: str | Path, changes: list[str] | None = None) -> dict[str, Any]:
    """The values of a recipe's file with changes applied, before validation.

    Raises:
        InputError: no such recipe, not TOML, or a change cannot be made.
    """
    name = str(source)
    if name in (*shipped_recipes(), *shipped_recipes(TASK), *shipped_recipes(RECTIFY)):
        text = (files("crnn_ctc") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    else:
        try:
            text = Path(source).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InputError(
                f"{name}: no such recipe; give a file or one of: {', '.join(shipped_recipes())}"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{name}: cannot be read as a recipe ({error})") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: not TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{name}: not a recipe: its lists go too deep; correct it") from None
    for change in changes or []:
        _change(values, change)
    return values


def _change(values: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {change}: write it as key=value, for example training.images=1000")
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if section == "alphabet" and isinstance(inner, str):
            inner = values[section] = {}  # its name gives way to a table of characters
        if not isinstance(inner, dict):
            raise InputError(f"--set {change}: {section} is a value, not a section")
        values = inner
    if key.strip() == "alphabet.characters" and value[:1] not in {'"', "'"}:
        values[last] = value  # characters that happen to be a number
        return
    if key.strip() in _EITHER:
        values.pop(_EITHER[key.strip()], None)
    try:
        values[last] = tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        values[last] = value  # a bare word: --set network.rnn=lstm


def first_fault(error: ValidationError, values: dict[str, Any]) -> str:
    """The first error of a recipe with its location, and the number of further ones."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"] if part not in _TAGS)
    where = where or "recipe"
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        what = "is missing; see docs/recipe-keys.md"
    elif first["type"] == "extra_forbidden":
        data = values.get("data")
        near = nearest(where, str(data.get("kind")) if isinstance(data, dict) else None)
        what = (
            f"unknown key{f' (did you mean {near}?)' if near else ''}; list all keys with: "
            "crnn-ctc info RECIPE --keys, or see docs/recipe-keys.md"
        )
    more = error.error_count() - 1
    return f"{where}: {what}" + (f" (and {more} more)" if more else "")
