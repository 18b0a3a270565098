"""The roles in docstrings, ``:meth:`.Reader.read```, as the API page shows them: links."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`\.?([\w.]+)`")


class Roles(griffe.Extension):
    """Turns Sphinx's roles into links to what the page has, and into code where it has not."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is None:
            return
        owner = obj if obj.is_class else obj.parent or obj

        def link(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("crnn_ctc."):
                path = name
            elif "." not in name and name in owner.members:
                path = f"{owner.path}.{name}"
            else:
                path = f"crnn_ctc.{name}"
            return f'<autoref identifier="{path}" optional><code>{name}</code></autoref>'

        obj.docstring.value = ROLE.sub(link, obj.docstring.value)
