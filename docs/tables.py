"""Prints the table of CCPD's subsets in README.md and README.zh-CN.md from bench/results.

python docs/tables.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "bench" / "results"

OURS = ("plates-small", "plates-nano", "plates-nano-int8", "plates-tiny")
PEERS = ("agentclpr", "PP-OCRv4")
"""Columns taken from ``ccpd_subsets_peers.json``."""

SUBSETS = {
    "base": ("straight, from the front", "正面"),
    "weather": ("rain, snow, fog", "雨、雪、雾"),
    "green": ("green plates", "绿牌"),
    "phone": ("phone photographs", "手机照片"),
    "rotate": ("turned by 20 to 50 degrees", "旋转 20 至 50 度"),
    "tilt": ("turned and seen from the side", "旋转且侧视"),
    "fn": ("far or near", "过远或过近"),
    "db": ("dark, bright, uneven light", "过暗、过亮、光照不均"),
    "blur": ("blurred", "模糊"),
    "challenge": ("several of these", "多种情况叠加"),
}
"""Rows, each with its description in English and Chinese."""

WEIGHTED = ("hard six, weighted", "六个困难子集加权")
STRAIGHT = ("straight crops", "校正好的裁图")


def load(name: str) -> dict[str, Any]:
    """A results file by its name."""
    found: dict[str, Any] = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    return found


def subsets(language: int) -> str:
    """The table as Markdown; ``language`` is 0 for English, 1 for Chinese."""
    ours, peers = load("ccpd_subsets.json"), load("ccpd_subsets_peers.json")
    split, models = ours["split"], ours["models"]
    first = next(iter(models.values()))
    head = ("subset", "子集")[language], ("crops", "张数")[language]
    lines = ["| " + " | ".join((*head, *(f"`{name}`" for name in OURS), *PEERS)) + " |"]
    lines.append("| --- |" + " ---: |" * (1 + len(OURS) + len(PEERS)))

    def row(label: str, count: str, mine: list[float], theirs: list[float]) -> None:
        best = max(mine + theirs)
        cells = [f"**{v:g}**" if v == best else f"{v:g}" for v in mine + theirs]
        lines.append(f"| {label} | {count} | " + " | ".join(cells) + " |")

    for name, texts in SUBSETS.items():
        if name in first["subsets"]:
            row(
                f"`{name}`: {texts[language]}",
                str(first["pictures"][name]),
                [models[m]["subsets"][name] for m in OURS],
                [peers["subsets"][p][split][name] for p in PEERS],
            )
    row(
        WEIGHTED[language],
        "",
        [models[m]["weighted"] for m in OURS],
        [peers["weighted"][p][split] for p in PEERS],
    )
    row(
        f"{STRAIGHT[language]}{(' (', '（')[language]}`plates/{split}`{(')', '）')[language]}",
        str(first["plates_pictures"]),
        [models[m]["plates"] for m in OURS],
        [peers["plates"][p][split] for p in PEERS],
    )
    return "\n".join(lines)


def main() -> None:
    for language in (0, 1):
        sys.stdout.write(subsets(language) + "\n\n")


if __name__ == "__main__":
    main()
