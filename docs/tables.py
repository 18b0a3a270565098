"""Prints the tables of README.md and README.zh-CN.md, and writes those of docs/photographs.md.

python docs/tables.py
"""

from __future__ import annotations

import json
import re
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


def scenes() -> str:
    """The table of whole photographs, ours and others', as Markdown."""
    found = load("scenes.json")
    counts, readers, claims = found["data"], found["readers"], found["claims without a plate"]
    head = ["reader", *(f"{name} ({n})" for name, n in counts.items()), "ms", "claims"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for who, row in readers.items():
        cells = []
        for name in counts:
            low, high = row["interval, %"][name]
            cells.append(f"{row['right, %'][name]:g} ({low:g} to {high:g})")
        cells += [f"{row['processor ms']:g}", str(claims.get(who, ""))]
        lines.append(f"| {who} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


LARGE = {
    "near, whole": "enlarged, decoded whole",
    "near, reduced": "enlarged, as `crnn-ctc` decodes it",
    "far, whole": "plate of 120 pixels, decoded whole",
    "far, reduced": "plate of 120 pixels, as `crnn-ctc` decodes it",
}
"""Rows of ``large-photos.json``."""


def large_photos() -> str:
    """The table of photographs of 12 megapixels as Markdown."""
    rows = load("large-photos.json")["rows"]
    lines = ["| photograph | right, % | ms | peak memory, MB |", "| --- | ---: | ---: | ---: |"]
    for name, label in LARGE.items():
        row = rows[name]
        share, ms = f"{100 * row['right']:.1f}", f"{row['processor ms']:g}"
        lines.append(f"| {label} | {share} | {ms} | {row['peak memory, MB']} |")
    return "\n".join(lines)


def widths() -> str:
    """The table of plates read by their width as Markdown."""
    read = load("found-plates.json")["read by width in pixels"]
    lines = ["| width of the plate, pixels | " + " | ".join(read) + " |", "| --- |"]
    lines[1] += " ---: |" * len(read)
    return "\n".join((*lines, "| plates read | " + " | ".join(map(str, read.values())) + " |"))


def below_the_floor() -> str:
    """The table of what is found and is below the floor of confidence as Markdown."""
    lines = ["| found | places | below the floor |", "| --- | ---: | ---: |"]
    for name, (below, places) in load("found-plates.json")["found and below the floor"].items():
        lines.append(f"| {name} | {places} | {below} |")
    return "\n".join(lines)


LOCATED = (
    ("dev", "green"),
    ("test", "green"),
    ("test", "phone"),
    ("test", "kinds"),
    ("test", "all"),
)
"""Rows of the table of found plates: file of docs/results/plates-find, and subset."""


def located() -> str:
    """The table of plates found by the locator as Markdown."""
    lines = [
        "| photographs | plates | found at IoU 0.5, % | at IoU 0.7, % | read, % |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for split, subset in LOCATED:
        file = PAGE.parent / "results" / "plates-find" / f"{split}.json"
        row = json.loads(file.read_text(encoding="utf-8"))["measures"][subset]
        shares = (row[key] for key in ("recall_0.5", "recall_0.7", "read"))
        cells = " | ".join(f"{100 * share:.1f}" for share in shares)
        lines.append(f"| {split}, {subset} | {row['plates']} | {cells} |")
    return "\n".join(lines)


PAGE = Path(__file__).parent / "photographs.md"
TABLES = {
    "bench/results/scenes.json": [scenes],
    "bench/results/large-photos.json": [large_photos],
    "bench/results/found-plates.json": [below_the_floor, widths],
    "docs/results/plates-find/": [located],
}
"""Tables of ``PAGE`` in order, by the file that the comment above each names."""


def paste(text: str) -> str:
    """The page with its tables as the results have them."""
    for file, made in TABLES.items():
        tables = iter(made)
        text = re.sub(
            rf"(<!-- figures: [^>]*{re.escape(file)}[^>]*-->\n\n)(?:\|.*\n)*",
            lambda found, tables=tables: found[1] + next(tables)() + "\n",
            text,
        )
    return text


def main() -> None:
    for language in (0, 1):
        sys.stdout.write(subsets(language) + "\n\n")
    PAGE.write_text(paste(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
