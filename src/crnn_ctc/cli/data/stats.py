"""crnn-ctc data stats: statistics of labelled pictures, as numbers and a chart."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crnn_ctc.cli.data.labels import LABELS, AlphabetOption, named_alphabet, print_tally

if TYPE_CHECKING:
    from crnn_ctc.data.plate_stats import Statistics

_EXAMPLES = 5


def stats(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="DIR|CSV...", help="Folders of TEXT_n.jpg, or CSV or TSV files."),
    ],
    alphabet: AlphabetOption = LABELS,
    save: Annotated[
        Path | None, typer.Option(metavar="PNG", help="PNG file for a chart of the counts.")
    ] = None,
) -> None:
    """Count lengths, provinces, characters, sizes, colours, kinds and subsets of labelled pictures.

    Also finds near-duplicates across splits, which make a test too easy (arXiv 2304.04653).
    """
    from crnn_ctc.cli.extras import needs
    from crnn_ctc.cli.progress import track
    from crnn_ctc.data.plate_stats import Statistics
    from crnn_ctc.errors import InputError
    from crnn_ctc.plates.schemes import normaliser

    if save:
        with needs("train", "data stats --save"):
            from crnn_ctc.data.stats_chart import save_chart
    counted = Statistics(normaliser(named_alphabet(alphabet)))
    for source in sources:
        for _ in track(counted.add(source), f"counting {source.name}"):
            pass
    for fault in counted.faults:
        print(f"error: {fault}", file=sys.stderr)
    if not counted.pictures:
        raise InputError(f"{sources[0]}: no picture could be read; see: crnn-ctc data check")
    print_tally(counted.tally)
    _print(counted)
    _print_near_duplicates(counted)
    if save:
        names = ", ".join(source.name for source in sources)
        save_chart(counted, f"{names}: {counted.pictures:,} pictures", save)
        print(f"chart in {save}", file=sys.stderr)
    if counted.faults:
        print(f"{len(counted.faults):,} could not be read", file=sys.stderr)
        raise typer.Exit(2)


def _print(counted: Statistics) -> None:
    print(f"{counted.pictures:,} pictures, {len(counted.texts):,} different labels")
    repeated = sum(any(a == b for a, b in pairwise(t)) for t in counted.texts)
    print(f"{100 * repeated / len(counted.texts):.1f} % of the labels repeat a character at once")
    _row("lengths", {str(k): n for k, n in sorted(counted.lengths.items())})
    if set(counted.provinces) != {"other"}:
        _row("provinces", dict(counted.provinces.most_common()))
    characters = {c: n for c, n in counted.characters.items() if c not in counted.provinces}
    _row("characters", dict(sorted(characters.items())))
    widths: Counter[int] = Counter()
    heights: Counter[int] = Counter()
    for (width, height), n in counted.sizes.items():
        widths[width] += n
        heights[height] += n
    for name, sizes in (("width", widths), ("height", heights)):
        print(f"{name}: {_quantiles(sizes)} pixels (least, median, most)")
    for name, counts in counted.attributes.items():
        _row(name, dict(counts.most_common()))


def _row(name: str, counts: Mapping[str, int]) -> None:
    print(f"{name}: " + "  ".join(f"{value} {n:,}" for value, n in counts.items()))


def _quantiles(counts: Counter[int]) -> str:
    values = sorted(counts.elements())
    return f"{values[0]}, {values[len(values) // 2]}, {values[-1]}"


def _print_near_duplicates(counted: Statistics) -> None:
    splits = sorted(counted.attributes.get("split", ()))
    if len(splits) < 2:
        print("near-duplicates: one split only, nothing to compare")
        return
    for (a, b), count in counted.shared_labels().items():
        print(f"labels that stand in both {a} and {b}: {count:,}")
    found = counted.near_duplicates()
    if not found:
        print(f"near-duplicates across {', '.join(splits)}: none")
    for (a, b), pairs in found.items():
        print(
            f"near-duplicates in {a} and {b}: {pairs.same:,} pairs with the same label "
            f"({pairs.pictures:,} pictures), {pairs.other:,} pairs with other labels"
        )
        for one, other in pairs.examples[:_EXAMPLES]:
            print(f"  {one}  {other}")
