"""Blocks about rows of digits."""

from __future__ import annotations

from pathlib import Path

from figures import ROOT, bench, block, load, percent, table, with_interval

NETWORKS = {
    "digits-tiny": ("CRNN_Tiny, GRU", "427,467", "1,935,000", "1.7 MB"),
    "digits-nano": ("CNN_Nano", "261,179", "2,800,000", "1.0 MB"),
    "digits": ("CRNN, GRU", "7,924,363", "250,000", "no"),
}
"""Network, parameters, rows trained on, and whether the model is shipped."""

ROWS_OF_FIVE = ("digits-rows", "digits-tiny", "digits-nano")

PUBLISHED = (
    ("upstream, as published", "CRNN_Tiny, GRU", "427,467", "10,000,000", "98.278", "", ""),
    ("upstream, as published", "CRNN, GRU", "7,924,363", "10,000,000", "98.718", "", ""),
)


def protocol(model: str, name: str) -> str:
    """Exact match with its interval, empty where the model was not measured so."""
    file = Path("docs/results") / model / f"{name}.json"
    return with_interval(load(str(file))) if (ROOT / file).is_file() else ""


@block("five digits")
def five_digits() -> str:
    head = ["model", "network", "parameters", "rows", "distorted, %", "clean, %", "shipped"]
    rows = []
    for name, (network, parameters, trained, shipped) in NETWORKS.items():
        measured = protocol(name, "distorted"), protocol(name, "clean")
        rows.append([f"`{name}`", network, parameters, trained, *measured, shipped])
    return table(head, [*rows, *PUBLISHED], left=2)


@block("rows")
def rows() -> str:
    found = bench("real-rows")
    return table(
        ["exact match, % (95 % interval)", *(f"`{name}`" for name in ROWS_OF_FIVE)],
        [
            [
                found["data"].replace("orand_car/dev.csv", "ORAND-CAR `dev`"),
                with_interval(found, 1),
                "",
                "",
            ],
            *(
                [
                    f"five digits in equal squares, {name}",
                    *(protocol(m, name) for m in ROWS_OF_FIVE),
                ]
                for name in ("distorted", "clean")
            ),
        ],
    )


@block("rows by length")
def rows_by_length() -> str:
    found = bench("real-rows")
    lengths = {length: row for length, row in found["by_length"].items() if row["n"] >= 3}
    return table(
        ["digits in the row", *lengths],
        [
            ["rows", *(str(row["n"]) for row in lengths.values())],
            ["exact match, %", *(percent(row["exact_match"]) for row in lengths.values())],
        ],
    )


@block("rows confidence")
def rows_confidence() -> str:
    found = bench("real-rows")
    answered, confident = found["answered"], found["confident"]
    return (
        f"The expected calibration error is {percent(found['ece_two_fold'])} %, with the "
        "temperature fitted to one half of these rows and measured on the other; so few rows show "
        f"{percent(found['ece_by_chance'])} % on average where confidence is exact. Of the most "
        f"confident {percent(answered['coverage'], 0)} % of the answers, "
        f"{percent(answered['wrong'])} % are wrong. {percent(confident['answered'], 0)} % are "
        f"answered with a confidence of {confident['threshold']} or more; of these, "
        f"{percent(confident['wrong'])} % are wrong."
    )


def _readme(head: str, real: str, distorted: str, clean: str) -> str:
    cells = {"distorted": distorted, "clean": clean}
    return table(
        [head, *(f"`{name}`" for name in ROWS_OF_FIVE)],
        [
            [real, with_interval(bench("real-rows"), 1), "", ""],
            *([cell, *(protocol(m, name) for m in ROWS_OF_FIVE)] for name, cell in cells.items()),
        ],
    )


@block("readme digits")
def readme_digits() -> str:
    return _readme(
        "rows of digits, % (95 % interval)",
        "300 real amounts of cheques",
        "5,000 rows of five, distorted",
        "5,000 rows of five, clean",
    )


@block("readme digits zh")
def readme_digits_zh() -> str:
    return _readme(
        "数字行，%（95 % 置信区间）",
        "300 行真实支票金额",
        "5,000 行五位数字，形变",
        "5,000 行五位数字，未形变",
    ).replace(" to ", " 至 ")


@block("rows errors")
def rows_errors() -> str:
    return table(
        ["picture", "label", "read", "confidence, %"],
        [
            [f"`{e['file']}`", e["label"], e["read"], percent(e["confidence"])]
            for e in bench("real-rows")["errors"][:12]
        ],
        left=3,
    )


@block("corrected labels")
def corrected_labels() -> str:
    rows = []
    for name, protocols in bench("corrected-labels")["results"].items():
        cells = []
        for found in (protocols["distorted"], protocols["clean"]):
            for measured in (found["as_labelled"], found["corrected"]):
                low, high = measured["interval95"]
                cells.append(f"{measured['exact_match']:.2f} ({low:.2f} to {high:.2f})")
        rows.append([f"`{name}`", *cells])
    head = ["exact match, %", "distorted", "distorted, corrected", "clean", "clean, corrected"]
    return table(head, rows)


@block("label audit")
def label_audit() -> str:
    found = bench("label-audit")
    misread = " and ".join(f"{count}" for count in found["misread"])
    return (
        f"Of the {found['digits']:,} training digits, in {found['folds']} folds, "
        f"{' and '.join(f'`{name}`' for name in found['networks'])} misread {misread} in folds "
        f"that they were not trained on. Both contradict {found['contradicted']} labels in the "
        "same way with a confidence of 0.95 or more (`python bench/label_audit.py --data DIR`, "
        "[JSON](../../bench/results/label-audit.json))."
    )
