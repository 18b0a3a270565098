"""Blocks about experiments in training and decoding."""

from __future__ import annotations

from typing import Any

from figures import bench, block, load, percent, table


@block("ablations")
def ablations() -> str:
    found = bench("ablations")

    def spread(row: dict[str, Any]) -> str:
        return f"{row['mean']:.1f} ± {row['deviation']:.1f}"

    rows = [
        [name, spread(found["dev"][name]), spread(found["drawn"][name])] for name in found["dev"]
    ]
    return table(["", "dev, 439", "synthetic, 3,472"], rows)


@block("designs")
def designs() -> str:
    rows = [
        [
            row["name"],
            f"{row['parameters']:,}",
            f"{row['mmac']:.1f}",
            f"{row['ms']:.3f}",
            f"{row['times_faster']:.1f}",
            f"{row['dev']:.1f}",
            f"{row['drawn']:.1f}",
        ]
        for row in bench("designs")["rows"]
    ]
    head = ["", "parameters", "MMAC", "ms", "times faster than `plates-tiny`", "dev, %"]
    return table([*head, "synthetic, %"], rows)


DATA = {
    "dev": "dev",
    "test": "test",
    "synthetic": "synthetic, every kind",
}


@block("greedy and grammar")
def greedy_and_grammar() -> str:
    rows = []
    for name, label in DATA.items():
        found = load(f"docs/results/plates-tiny/decoding-{name}.json")
        paired = found["paired"]
        shares = [percent(found[side]["exact_match"], 2) for side in ("a", "b")]
        counts = [str(paired[side]) for side in ("only_a", "only_b")]
        rows.append([f"{label} ({paired['n']:,})", *shares, *counts, f"{paired['p']:.2g}"])
    head = ["`plates-tiny`", "greedy, %", "grammar, %", "only greedy right", "only grammar right"]
    return table([*head, "p (McNemar, exact)"], rows)


WAYS = ("surest frame", "vote of texts", "vote by position", "fused")
LABELS = ("most confident frame", "vote by text", "vote by position", "**fused**")


@block("tracks")
def tracks() -> str:
    """How four ways of joining frames read synthetic tracks."""
    found = bench("tracks")
    plain, strangers = (
        {(r["way"], r["frames"]): r for r in rows} for rows in found["sets"].values()
    )
    frames = (1, 2, 3, 4, 8)

    def share(row: dict[str, Any]) -> str:
        return percent(row["right"] / found["tracks"])

    rows = [
        [
            label,
            *(share(plain[way, n]) for n in frames),
            *(share(strangers[way, n]) for n in (3, 8)),
        ]
        for way, label in zip(WAYS, LABELS, strict=True)
    ]
    counts = [f"{n} frames" for n in frames]
    return table(["right, %", *counts, "strangers, 3 frames", "strangers, 8 frames"], rows)


@block("tracks confidence")
def tracks_confidence() -> str:
    found = bench("tracks")
    rows = {(r["way"], r["frames"]): r for r in found["sets"]["frames of one plate"]}
    columns = {f"{n} frames": rows["fused", n] for n in (1, 2, 3, 4, 8)}
    columns["8 copies of one"] = rows["copies", 8]

    def line(label: str, cells: list[str]) -> list[str]:
        return [label, *cells]

    values = list(columns.values())
    return table(
        ["fused", *columns],
        [
            line("mean confidence, %", [percent(r["mean_confidence"]) for r in values]),
            line("right, %", [percent(r["right"] / found["tracks"]) for r in values]),
            line("accepted at 0.9", [str(r["accepted_at_0.9"]) for r in values]),
            line("wrong among them", [str(r["wrong_at_0.9"]) for r in values]),
        ],
    )


@block("tracks summary")
def tracks_summary() -> str:
    found = bench("tracks")
    rows = {(r["way"], r["frames"]): r for r in found["sets"]["frames of one plate"]}
    one, three, eight = (rows["fused", n] for n in (1, 3, 8))
    shares = [percent(r["right"] / found["tracks"]) for r in (one, three, eight)]
    wrong = [f"{r['wrong_at_0.9']} of {r['accepted_at_0.9']}" for r in (one, three, eight)]
    return (
        f"Of {found['tracks']} synthetic tracks, `plates-nano` reads {shares[0]} % from one "
        f"frame, {shares[1]} % from three and {shares[2]} % from eight. Of the texts accepted at "
        f"0.9, {wrong[0]}, {wrong[1]} and {wrong[2]} are wrong ([all "
        "figures](results/tracks.md))."
    )


@block("second corners")
def second_corners() -> str:
    rows = [
        [f"`{model}`, {data}", *(f"{row[key]:g}" for key in row if key != "pictures")]
        for model, sets in bench("second-corners")["models"].items()
        for data, row in sets.items()
    ]
    return table(["", "first corners, %", "rectified again, %", "second corners, %"], rows)


@block("light ablation")
def light_ablation() -> str:
    found = bench("light-ablation")
    rows = [
        [name, *(f"{values[0]:.1f}" for values in sets.values())]
        for name, sets in found["variants"].items()
    ]
    return table(["", *(f"{name} ({n})" for name, n in found["pictures"].items())], rows)


RUNS = {
    "plates": ("dev", "test", "green", "synthetic"),
}


@block("large network")
def large_network() -> str:
    rows = []
    for name in RUNS["plates"]:
        found = load(f"docs/results/plates/{name}.json")
        low, high = (percent(end, 2) for end in found["interval95"])
        rows.append(
            [
                f"{name} ({found['n']:,})",
                f"{percent(found['exact_match'], 2)} ({low} to {high})",
                percent(found["exact_match_without_province"], 2),
            ]
        )
    return table(["`plates`", "right, %", "without province, %"], rows)


@block("training ablations")
def training_ablations() -> str:
    found = bench("training-ablations")
    sets = list(found["pictures"])

    def cell(values: list[float]) -> str:
        each = f" ({', '.join(f'{value:.1f}' for value in values)})" if len(values) > 1 else ""
        return f"{sum(values) / len(values):.2f}{each}"

    rows = [
        [name, *(cell(measured[key]) for key in sets)]
        for name, measured in found["variants"].items()
    ]
    return table(["right, %", *(f"{key} ({found['pictures'][key]})" for key in sets)], rows)
