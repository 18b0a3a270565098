"""Write the page of recipe keys: python docs/recipe_keys.py > docs/recipe-keys.md."""

from __future__ import annotations

from collections.abc import Iterator

from crnn_ctc.recipe.keys import keys

HEAD = """# Recipe keys

Every key of a recipe. `crnn-ctc info RECIPE --keys` prints those of one recipe with their values,
and `crnn-ctc train RECIPE --set KEY=VALUE` changes one. `docs/recipe_keys.py` generates this page.
"""


def page() -> Iterator[str]:
    """Its lines."""
    yield HEAD
    section = None
    for key in keys():
        title = f'data, where kind = "{key.of}"' if key.of else key.name.rpartition(".")[0]
        if title != section:
            section = title
            yield f"## {title or 'Top level'}\n"
            yield "| key | type | allowed | default | meaning |"
            yield "| --- | --- | --- | --- | --- |"
        yield f"| `{key.name}` | {key.type} | {key.range} | {key.default} | {key.meaning} |"


if __name__ == "__main__":
    print("\n".join(page()))  # noqa: T201
