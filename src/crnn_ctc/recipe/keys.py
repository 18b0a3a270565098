"""Documentation of recipe keys: type, range, default and meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from crnn_ctc.recipe.schema import Recipe


@dataclass(frozen=True)
class Key:
    """A key of a recipe.

    Attributes:
        name: name with its sections, as in ``--set``.
        of: kind of training data with this key; empty for keys of every recipe.
        type: type of the value.
        range: allowed values; empty for all of the type.
        default: default value; empty if the key is required.
        meaning: description.
    """

    name: str
    of: str
    type: str
    range: str
    default: str
    meaning: str


def keys(kind: str | None = None) -> Iterator[Key]:
    """The keys of recipes, in the order of the schema.

    Args:
        kind: kind of training data; None for all kinds.
    """
    schema = Recipe.model_json_schema()
    yield from _section(schema, schema, "", "", kind)


def nearest(name: str, kind: str | None = None) -> str | None:
    """The known key that is most similar to an unknown one, if any.

    Args:
        name: the unknown key, with its sections.
        kind: kind of the recipe's training data; None where it is not known.
    """
    # by the last part alone: a section in common makes no key like another
    known = {key.name.rpartition(".")[2]: key.name for key in keys(kind)}
    found = get_close_matches(name.rpartition(".")[2], known, 1, 0.7)
    return known[found[0]] if found else None


def _section(
    schema: dict[str, Any], section: dict[str, Any], prefix: str, of: str, kind: str | None
) -> Iterator[Key]:
    required = section.get("required", [])
    sections = []
    for name, field in section["properties"].items():
        inner = _sections(schema, field)
        values = [each for each in _choices(schema, field) if each.get("type") != "object"]
        values += [each for each in _choices(schema, field) if "additionalProperties" in each]
        if not inner or [each for each in values if each not in inner]:
            default = "" if name in required else _shown(field.get("default"))
            types = list(dict.fromkeys(_type(each) for each in values))
            ranges = list(dict.fromkeys(r for each in values if (r := _range(each))))
            meaning = " ".join(field.get("description", "").replace("``", "`").split())
            yield Key(prefix + name, of, " or ".join(types), ", ".join(ranges), default, meaning)
        sections += [(f"{prefix}{name}.", each) for each in inner]
    for place, inner_section in sections:
        which = str(inner_section["properties"].get("kind", {}).get("const", ""))
        if not which or kind in {None, which}:
            yield from _section(schema, inner_section, place, which or of, kind)


def _resolved(schema: dict[str, Any], field: dict[str, Any]) -> dict[str, Any]:
    reference = field.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else field


def _choices(schema: dict[str, Any], field: dict[str, Any]) -> list[dict[str, Any]]:
    """The JSON schemas of a field's alternatives."""
    choices = field.get("anyOf") or field.get("oneOf")
    if not choices:
        return [_resolved(schema, field)]
    return [value for choice in choices for value in _choices(schema, choice)]


def _sections(schema: dict[str, Any], field: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in _choices(schema, field) if "properties" in each]


def _type(value: dict[str, Any]) -> str:
    if "enum" in value or "const" in value:
        return "string" if value.get("type", "string") == "string" else str(value["type"])
    names = {"array": "list", "object": "table", "null": "none"}
    kind = str(value.get("type", "any"))
    items = value.get("items", value.get("additionalProperties"))
    inner = f" of {_type(items)}s" if isinstance(items, dict) and "type" in items else ""
    return names.get(kind, kind) + inner


def _range(value: dict[str, Any]) -> str:
    if "const" in value:
        return str(value["const"])
    if "enum" in value:
        return ", ".join(map(str, value["enum"]))
    signs = {"exclusiveMinimum": "> ", "minimum": "≥ ", "exclusiveMaximum": "< ", "maximum": "≤ "}
    return ", ".join(f"{sign}{value[name]:g}" for name, sign in signs.items() if name in value)


def _shown(default: Any) -> str:
    if default is None:
        return "none"
    if default == "":
        return '""'
    return str(list(default)) if isinstance(default, tuple) else str(default)
