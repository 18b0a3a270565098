"""Chart of the statistics of a labelled set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from crnn_ctc.alphabet import PLATES
from crnn_ctc.data.plate_stats import Statistics
from crnn_ctc.errors import InputError

_BAR = "#2f6fb0"
_MOST = 12  # bars of a small panel
_FEWEST = 5  # slots for bars, so that a single one does not fill the panel


def save_chart(statistics: Statistics, title: str, path: Path) -> None:
    """Draw lengths, provinces, characters, sizes and the manifest's groups as a PNG.

    Args:
        statistics: statistics of at least one picture.
        title: title of the picture.
        path: path of the PNG.

    Raises:
        InputError: the file cannot be written.
    """
    figure = Figure(figsize=(15, 13), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    grid = figure.add_gridspec(4, 1, height_ratios=[1, 1, 1, 1.2])
    rows = [figure.add_subfigure(grid[i]) for i in range(4)]
    with resources.as_file(resources.files("crnn_ctc") / "fonts" / "plate-han-sans.otf") as font:
        han = FontProperties(fname=str(font), size=10)  # the default font has no Chinese
        provinces = statistics.provinces
        _bars(rows[0].subplots(), "province", provinces.most_common(), han)
        order = {c: i for i, c in enumerate(PLATES.characters)}
        characters = sorted(
            ((c, n) for c, n in statistics.characters.items() if c not in provinces),
            key=lambda pair: order.get(pair[0], len(order)),
        )
        _bars(rows[1].subplots(), "character, but provinces", characters, han)
        left, middle, right = rows[2].subplots(1, 3)
        _bars(left, "length", [(str(k), n) for k, n in sorted(statistics.lengths.items())])
        for axes, name in ((middle, "colour"), (right, "split")):
            _bars(axes, name, _most(statistics.attributes.get(name, {})))
        sizes, shape, subset = rows[3].subplots(1, 3)
        _sizes(sizes, shape, statistics)
        _bars(subset, "subset", _most(statistics.attributes.get("subset", {})))
        try:
            figure.savefig(path, format="png")
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror or error}); choose another file"
            ) from None


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Keep the most frequent entries, and sum the rest."""
    ordered = Counter(counts).most_common()
    rest = sum(n for _, n in ordered[_MOST:])
    return ordered[:_MOST] + ([("others", rest)] if rest else [])


def _bars(
    axes: Axes, name: str, counts: Sequence[tuple[str, int]], han: FontProperties | None = None
) -> None:
    axes.set_title(name, loc="left", fontsize=10)
    if not counts:
        axes.text(0.5, 0.5, "not told", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    names, numbers = zip(*counts, strict=True)
    places = np.arange(len(names))
    bars = axes.bar(places, numbers, color=_BAR)
    if len(names) <= _MOST + 1:
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    axes.set_xlim(-0.7, max(len(names), _FEWEST) - 0.3)
    axes.set_xticks(places, names)
    for label in axes.get_xticklabels():
        if han is not None and all(c in PLATES for c in label.get_text()):
            label.set_fontproperties(han)
        elif max(map(len, names)) > 6:
            label.set(rotation=30, ha="right", fontsize=8)
    # 90 % of CCPD's plates are from one province: the others would be invisible
    if max(numbers) > 50 * min(numbers):
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)  # keeps counts of 1 visible
        axes.set_ylabel("pictures, logarithmic")
    else:
        axes.set_ylabel("pictures")
    axes.spines[["top", "right"]].set_visible(False)


def _sizes(sizes: Axes, shapes: Axes, statistics: Statistics) -> None:
    width, height = np.array(list(statistics.sizes), np.float64).T
    weight = np.array(list(statistics.sizes.values()), np.float64)
    sizes.scatter(width, height, s=4 + 2 * np.sqrt(weight), alpha=0.3, color=_BAR, linewidths=0)
    sizes.set(xscale="log", yscale="log", xlabel="width, pixels", ylabel="height, pixels")
    sizes.set_title("size", loc="left", fontsize=10)
    shapes.hist((width / height).clip(0, 8), bins=40, range=(0, 8), weights=weight, color=_BAR)
    shapes.set(xlabel="width / height (8: 8 or more)", ylabel="pictures")
    shapes.set_title("shape", loc="left", fontsize=10)
