"""Blocks about licence plates: accuracy, photographs, confidence."""

from __future__ import annotations

from figures import bench, block, bold_best, load, percent, table, with_interval

OURS = ("plates-small", "plates-nano", "plates-nano-int8", "plates-tiny")
PEERS = ("agentclpr", "PP-OCRv4")
"""Columns from ``ccpd_subsets_peers.json``."""

SUBSETS = {
    "base": "straight, from the front",
    "weather": "rain, snow, fog",
    "green": "green plates",
    "phone": "phone photographs",
    "rotate": "rotated by 20 to 50 degrees",
    "tilt": "rotated and seen from the side",
    "fn": "far or near",
    "db": "dark, bright, uneven light",
    "blur": "blurred",
    "challenge": "several of these",
    "kinds": "rare kinds of plate",
}

README = {
    "straight": ("straight crops ({}), %", "校正好的裁图（{}），%"),
    "phone": ("crops from phone photographs ({}), %", "手机照片的裁图（{}），%"),
    "weather": ("crops in rain, snow, fog ({}), %", "雨、雪、雾中的裁图（{}），%"),
    "weighted": ("hard crops, six subsets, weighted, %", "困难裁图，六个子集加权，%"),
    "photographs": ("whole photographs ({}), %", "整张照片（{}），%"),
    "ms": ("a whole photograph, ms", "整张照片耗时，ms"),
}
"""Rows of the README's table, in English and Chinese."""

READERS = {
    "crnn-ctc plates-small": "`plates-small`",
    "crnn-ctc plates-nano": "`plates-nano`",
    "agentclpr 1.1.0": "agentclpr",
    "rapidocr-onnxruntime 1.4.4": "PP-OCRv4",
}
"""Columns of the README's table by their names in ``scenes.json``."""


def readme(language: int) -> str:
    """Accuracy and time beside peers; ``language`` is 0 for English, 1 for Chinese."""
    ours, peers, photos = (bench(n) for n in ("ccpd_subsets", "ccpd_subsets_peers", "scenes"))
    split, mine = ours["split"], [ours["models"][name] for name in OURS[:2]]
    tests = {name: n for name, n in photos["data"].items() if name.startswith("test")}
    readers = [photos["readers"][name] for name in READERS]

    def row(key: str, values: list[float], count: int | str = "") -> list[str]:
        best = min if key == "ms" else max
        return [README[key][language].format(count), *bold_best(values, best)]

    def subset(name: str) -> list[float]:
        theirs = [peers["subsets"][p][split][name] for p in PEERS]
        return [m["subsets"][name] for m in mine] + theirs

    right = [
        round(sum(r["right, %"][name] * n for name, n in tests.items()) / sum(tests.values()), 1)
        for r in readers
    ]
    straight = [m["plates"] for m in mine] + [peers["plates"][p][split] for p in PEERS]
    weighted = [m["weighted"] for m in mine] + [peers["weighted"][p][split] for p in PEERS]
    return table(
        ["", *READERS.values()],
        [
            row("straight", straight, mine[0]["plates_pictures"]),
            row("phone", subset("phone"), mine[0]["pictures"]["phone"]),
            row("weather", subset("weather"), mine[0]["pictures"]["weather"]),
            row("weighted", weighted),
            row("photographs", right, sum(tests.values())),
            row("ms", [r["processor ms"] for r in readers]),
        ],
    )


@block("readme")
def readme_english() -> str:
    return readme(0)


@block("readme zh")
def readme_chinese() -> str:
    return readme(1)


@block("subsets")
def subsets() -> str:
    ours, peers = bench("ccpd_subsets"), bench("ccpd_subsets_peers")
    split, models = ours["split"], [ours["models"][name] for name in OURS]
    rows = [
        [
            f"`{name}`: {text}",
            str(models[0]["pictures"][name]),
            *bold_best(
                [m["subsets"][name] for m in models]
                + [peers["subsets"][p][split][name] for p in PEERS]
            ),
        ]
        for name, text in SUBSETS.items()
    ]
    weighted = [m["weighted"] for m in models] + [peers["weighted"][p][split] for p in PEERS]
    rows.append(["hard six, weighted", "", *bold_best(weighted)])
    return table(["subset", "crops", *(f"`{name}`" for name in OURS), *PEERS], rows)


@block("straight crops")
def straight() -> str:
    test, dev = (bench(name)["models"] for name in ("ccpd_subsets", "ccpd_subsets_dev"))
    rows = [[f"`{name}`", f"{test[name]['plates']:g}", f"{dev[name]['plates']:g}"] for name in OURS]
    rows += [
        [name, f"{peer['test']:g}", f"{peer['dev']:g}"]
        for name, peer in bench("straight_peers")["readers"].items()
    ]
    counts = [m[OURS[0]]["plates_pictures"] for m in (test, dev)]
    return table(["", f"test ({counts[0]})", f"dev ({counts[1]})"], rows)


@block("calibration")
def calibration() -> str:
    rows = []
    for name in OURS[:3]:
        found = load(f"docs/results/{name}/calibration.json")
        (point,) = (
            p for p in found["confidence"]["operating_points"] if p["rule"] == "from 0.9 up"
        )
        rows.append(
            [
                f"`{name}`",
                with_interval(found, 1),
                f"{found['confidence']['ece']:.3f}",
                f"{point['answered']} of {found['n']}",
                str(point["wrong"]),
                percent(found["negatives"]["highest"]),
            ]
        )
    head = ["model", "right, %", "ECE", "accepted at 0.9", "wrong among them"]
    return table([*head, "highest confidence without a plate, %"], rows)


@block("rectifier geometry")
def geometry() -> str:
    labels = {
        "box larger, %": "box larger than the plate by, %",
        "turned, degrees": "rotated in the plane by, degrees",
        "plate width, pixels": "plate width, pixels",
    }
    rows = []
    for name, label in labels.items():
        found = bench("geometry")["rows"][name]
        rows.append([label, *map(str, found["at"])])
        rows += [[f"`{m}`, %", *(f"{v:g}" for v in found[m])] for m in OURS[:2]]
    return table(["", *[""] * (len(rows[0]) - 1)], rows)


@block("half turn")
def half_turn() -> str:
    found = bench("half-turn")["models"]["plates-small"]["plates"]
    return (
        f"Of the {found['pictures']} crops of `plates/dev`, `plates-small` reads "
        f"{found['upright, second reading']:g} % upright and {found['turned, second reading']:g} % "
        "rotated by 180 degrees (`python bench/half_turn.py`, "
        "[JSON](../bench/results/half-turn.json)). A plate of two rows upside down is not read."
    )


@block("centres")
def centres() -> str:
    means = [model["mean"] for model in bench("centres")["models"].values()]
    return (
        f"On synthetic plates, the centre of a character is {min(means):g} to {max(means):g} of "
        "a character's width from the true one on average (`python bench/centres.py`, "
        "[JSON](../bench/results/centres.json))."
    )


@block("kinds")
def kinds() -> str:
    rows = [
        [
            r["kind"],
            r["label"],
            r["read"] + ("" if r["read"] == r["label"] else " (wrong)"),
            r["kind read"],
            percent(r["confidence"]),
        ]
        for r in bench("kinds")["readings"]
    ]
    return table(["kind", "label", "read", "kind read", "confidence, %"], rows, left=4)


@block("scenes")
def scenes() -> str:
    """Whole photographs, our readers and others."""
    found = bench("scenes")
    counts, claims = found["data"], found["claims without a plate"]
    rows = []
    for who, row in found["readers"].items():
        cells = []
        for name in counts:
            low, high = row["interval, %"][name]
            cells.append(f"{row['right, %'][name]:g} ({low:g} to {high:g})")
        rows.append([who, *cells, f"{row['processor ms']:g}", str(claims.get(who, ""))])
    head = ["reader", *(f"{name} ({n})" for name, n in counts.items()), "ms", "claims"]
    return table(head, rows)


LARGE = {
    "near, whole": "enlarged, decoded whole",
    "near, reduced": "enlarged, as `crnn-ctc` decodes it",
    "far, whole": "plate of 120 pixels, decoded whole",
    "far, reduced": "plate of 120 pixels, as `crnn-ctc` decodes it",
}
"""Rows of ``large-photos.json``."""


@block("large photographs")
def large_photos() -> str:
    """Photographs of 12 megapixels."""
    rows = []
    for name, label in LARGE.items():
        row = bench("large-photos")["rows"][name]
        memory = str(row["peak memory, MB"])
        rows.append([label, percent(row["right"]), f"{row['processor ms']:g}", memory])
    return table(["photograph", "right, %", "ms", "peak memory, MB"], rows)


@block("plate widths")
def widths() -> str:
    """Plates read by their width in pixels."""
    read = bench("found-plates")["read by width in pixels"]
    return table(
        ["width of the plate, pixels", *read], [["plates read of 89", *map(str, read.values())]]
    )


@block("below the floor")
def below_the_floor() -> str:
    """What is found and has too low a confidence to be a plate."""
    found = bench("found-plates")["found and below the floor"]
    rows = [[name, str(places), str(below)] for name, (below, places) in found.items()]
    return table(["found", "places", "below the floor"], rows)


LOCATED = (("dev", "green"), ("test", "green"), ("test", "phone"), ("test", "kinds"))
LOCATED += (("test", "all"),)
"""Rows of the table of found plates: file of docs/results/plates-find, and subset."""


@block("located")
def located() -> str:
    """Plates found by the locator."""
    rows = []
    for split, subset in LOCATED:
        row = load(f"docs/results/plates-find/{split}.json")["measures"][subset]
        shares = [percent(row[key]) for key in ("recall_0.5", "recall_0.7", "read")]
        rows.append([f"{split}, {subset}", str(row["plates"]), *shares])
    return table(
        ["photographs", "plates", "found at IoU 0.5, %", "found at IoU 0.7, %", "read, %"], rows
    )
