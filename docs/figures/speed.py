"""Blocks about time, memory and size."""

from __future__ import annotations

from statistics import mean, stdev

from figures import bench, block, medians, percent, table

SHIPPED = ("plates-tiny", "plates-small", "plates-nano", "plates-nano-int8")


@block("models")
def models() -> str:
    """Time of the shipped readers of plates, relative to the first."""
    rows = {(row["contender"], row["batch"]): row for row in bench("models")["rows"]}
    cells = []
    for name in SHIPPED:
        line = [f"`{name}`"]
        for key in ("network_ms", "ms"):
            for batch in (1, 64):
                value = rows[name, batch][key]
                line.append(f"{value:.2f} ({value / rows[SHIPPED[0], batch][key]:.2f})")
        cells.append(line)
    head = ["ms a picture (ratio)", "network, batch 1", "network, batch 64"]
    return table([*head, "picture to text, batch 1", "picture to text, batch 64"], cells)


PARTS = {
    "open (JPEG to RGB)": ["open"],
    "resample to the input size": ["fit"],
    "network": ["network"],
    "decode": ["decode"],
    "checks, objects, the rest": ["objects", "checks of its output", "rest"],
    "**whole**": ["whole"],
}
"""Rows of the table, each with the parts of ``parts.json`` that it sums up."""


@block("parts")
def parts() -> str:
    found = medians(bench("parts")["rows"])
    columns = [(when, batch) for batch in (1, 64) for when in ("0.1", "now")]
    rows = [
        [label]
        + [f"{sum(found[f'{w}, batch {b}, {n}']['ratio'] for n in names):.2f}" for w, b in columns]
        for label, names in PARTS.items()
    ]
    heads = [f"{'0.1' if when == '0.1' else '0.2'}, batch {batch}" for when, batch in columns]
    return table(["", *heads], rows)


DECODING = {
    "network, greedy": "best path",
    "network, grammar": "grammar of plates",
    "network, grammar, 3 alternatives": "grammar of plates, 3 alternatives",
    "network, known": "100,000 known plates, those of the pictures among them",
    "network, known, strangers": "100,000 known plates, none of those of the pictures",
}


@block("decoding")
def decoding() -> str:
    found = medians(bench("decoding")["rows"])
    rows = [
        [label, f"{found[name]['median']:.2f}", f"{found[name]['ratio']:.2f}"]
        for name, label in DECODING.items()
    ]
    return table(["network and decoding", "ms", "ratio"], rows)


@block("known plates")
def known_plates() -> str:
    found = bench("decoding")
    rows = medians(found["rows"])
    built = found["building the list's automaton, processor s"]
    ratios = sorted(
        rows[f"network, {n}"]["ratio"] / rows["network, greedy"]["ratio"]
        for n in ("known", "known, strangers")
    )
    return (
        "The list is compiled to a minimal acyclic automaton (Daciuk et al. 2000). For 100,000 "
        f"plates that takes {built:.1f} s, and a reading "
        f"then takes {ratios[0]:.1f} to {ratios[1]:.1f} times as long as without a "
        "grammar. Lists of more than a million lines are refused."
    )


@block("time beside others")
def time_beside_others() -> str:
    reading, start, training = (
        medians(bench(name)["rows"]) for name in ("reading", "start", "training")
    )
    torch = next(n for n in reading if n.startswith("upstream"))
    one, many = (n for n in reading if n.startswith("digits-tiny"))
    upstream = next(n for n in training if n.startswith("upstream"))
    ours = next(n for n in training if "bf16" in n)

    def ms(row: dict[str, float]) -> str:
        return f"{row['median']:.2f} ms"

    def seconds(row: dict[str, float]) -> str:
        return f"{row['median'] / 1000:.2f} s"

    whole, bare = start["crnn-ctc predict plate.jpg"], start["python -c 'import torch'"]
    return table(
        ["", "crnn-ctc", "other", "ratio"],
        [
            [
                "digits, file to text, one thread",
                ms(reading[one]),
                ms(reading[torch]),
                f"{1 / reading[one]['ratio']:.1f}",
            ],
            [
                "the same, a picture of a batch of 64",
                ms(reading[many]),
                ms(reading[torch]),
                f"{1 / reading[many]['ratio']:.1f}",
            ],
            [
                "one plate, whole process",
                seconds(whole),
                f"{seconds(bare)}, `import torch` alone",
                f"{1 / whole['ratio']:.1f}",
            ],
            [
                "train CRNN_Tiny, 2 threads",
                f"{training[ours]['median']:.0f} pictures/s (bf16)",
                f"{training[upstream]['median']:.0f} pictures/s",
                f"{training[ours]['ratio']:.2f}",
            ],
        ],
    )


@block("folder memory")
def folder_memory() -> str:
    found = bench("folder")
    few, many = (found[f"plates-nano-int8, {n}"].split(", ")[-1] for n in ("100", "1,000"))
    return (
        "`predict` reads a folder in nearly constant memory: with `plates-nano-int8` of 0.1, "
        f"{few} for 100 pictures and {many} for 1,000 (`python bench/folder.py`, "
        "[JSON](../bench/results/folder.json))."
    )


BULK = {
    "Reader in a loop": "`Reader` in a loop",
    "processes, --workers 1": "`--workers 1`",
    "processes, --workers 2": "`--workers 2`",
    "ray, --workers 1": "`--engine ray --workers 1`",
    "ray, --workers 2": "`--engine ray --workers 2`",
}


@block("bulk")
def bulk() -> str:
    found = bench("bulk")
    rows = medians(found["rows"])
    cells = []
    for name, label in BULK.items():
        wall = float(found[f"wall, {name}"].removesuffix(" s"))
        rate = f"{found['pictures'] / wall:,.0f}"
        row = rows[name]
        cells.append([label, f"{row['median']:.2f}", f"{row['ratio']:.2f}", f"{wall:g}", rate])
    head = f"{found['pictures']:,} crops, `{found['model']}`"
    return table([head, "processor ms a picture", "ratio", "wall, s", "pictures a second"], cells)


@block("bulk start")
def bulk_start() -> str:
    found = bench("bulk")
    ray, own = (
        medians(found["rows"])[f"one picture: {n}, --workers 1"]["median"] / 1000
        for n in ("ray", "processes")
    )
    return (
        f"Reading one picture takes {ray:.1f} s of processor time with Ray and {own:.1f} s with "
        "processes: nearly all of it is the start."
    )


@block("processes")
def processes() -> str:
    rows = bench("processes")["rows"]
    one, two = ([100 * row["exact_match"] for row in rows if row["processes"] == n] for n in (1, 2))
    return (
        f"`digits-nano`, {bench('processes')['images']:,} pictures, {len(one)} seeds, exact match "
        f"on the validation set: {mean(one):.2f} ± {stdev(one):.2f} % with one process, "
        f"{mean(two):.2f} ± {stdev(two):.2f} % with two (`python bench/processes.py --data DIR`, "
        f"[JSON](../bench/results/processes.json), {bench('processes')['date']})."
    )


SERVING = {
    "Reader, batch 1": "`Reader`, one by one",
    "Reader, batch 8": "`Reader`, batches of 8",
    "serve --batch-size 8, 1 connections": "1 connection",
    "serve --batch-size 1, 8 connections": "8 connections, `--batch-size 1`",
    "serve --batch-size 8, 8 connections": "8 connections",
    "serve --batch-size 1, 64 connections": "64 connections, `--batch-size 1`",
    "serve --batch-size 8, 64 connections": "64 connections",
    "serve --batch-size 32, 64 connections": "64 connections, `--batch-size 32`",
}


@block("serving")
def serving() -> str:
    rows = []
    for model in ("plates-nano", "plates-tiny"):
        found = {r["name"]: r for r in bench("serving")["rows"] if r["model"] == model}
        for name, label in SERVING.items():
            row = found[name]
            cells = [f"{row['cpu_ms']:.1f}", f"{row['kept_cpu']:.2f}", f"{row['per_second']:.0f}"]
            cells.append(f"{row['kept']:.2f}")
            latency = ("p50_ms", "p95_ms", "p99_ms")
            cells += [f"{row[key]:.3g}" if key in row else "" for key in latency]
            rows.append([f"`{model}`, {label}", *cells])
    head = ["", "processor ms a picture", "ratio", "pictures/s", "ratio"]
    return table([*head, "p50, ms", "p95, ms", "p99, ms"], rows)


@block("serving summary")
def serving_summary() -> str:
    kept = {
        connections: [
            row["kept"]
            for row in bench("serving")["rows"]
            if row["name"] == f"serve --batch-size 8, {connections} connections"
        ]
        for connections in (1, 8, 64)
    }
    many, soak = kept[8] + kept[64], bench("soak")
    return (
        f"With 8 or 64 connections the service reads {min(many):.2f} to {max(many):.2f} times as "
        "many pictures a second as a `Reader` that reads them one by one, because it batches; with "
        f"one connection {min(kept[1]):.2f} to {max(kept[1]):.2f}. In {soak['minutes']:.0f} "
        f"minutes at up to {soak['per_second_at_most']:.0f} requests a second, "
        f"{soak['answered_as_expected']:,} requests were answered as expected, {soak['lost']} were "
        f"lost, and memory went from {soak['mb_after_warm_up']:.0f} to {soak['mb_at_end']:.0f} MB "
        f"({soak['mb_most']:.0f} MB at most)."
    )


@block("soak")
def soak() -> str:
    s = bench("soak")
    latency = ", ".join(f"{s[key]:.0f}" for key in ("p50_ms", "p95_ms", "p99_ms"))
    names = ("mb_at_start", "mb_after_warm_up", "mb_last_quarter_median", "mb_at_end", "mb_most")
    memory = ", ".join(f"{s[key]:.0f}" for key in names)
    rows = [
        ("requests answered as expected", f"{s['answered_as_expected']:,}"),
        ("clients that disconnected early", f"{s['left_half_way']:,}"),
        ("pictures read", f"{s['pictures']:,}"),
        ("lost; wrong text or status; 503", f"{s['lost']}; {s['wrong']}; {s['busy_503']}"),
        ("p50, p95, p99, ms", latency),
        ("processor cores used", f"{s['processor_cores']:.2f}"),
        ("memory at the start, after 2 minutes, last quarter, end, most, MB", memory),
    ]
    return table(["", ""], rows)


@block("watch")
def watch() -> str:
    w = bench("watch")
    low, high = (percent(end) for end in w["right_interval"])
    return (
        f"`python bench/watch.py --passes {w['passes']}` renders {w['passes']} videos with "
        f"{w['vehicles']} vehicles and reads every {w['every']}th frame with `{w['model']}`: "
        f"{w['lines']} lines, {w['right']} of them with the right text "
        f"({percent(w['right'] / w['vehicles'])} %, 95 % interval {low} to {high}), {w['twice']} "
        f"vehicles twice, {w['peak_memory_mb']} MB of memory at most "
        f"([JSON](../bench/results/watch.json), {w['date']}). Synthetic plates on a plain street "
        "are easier than filmed ones; no real video was available."
    )


@block("small set")
def small_set() -> str:
    found = bench("small-set")
    (run,) = found["runs"]
    low, high = (percent(end) for end in run["interval95"])
    steps, seconds = run["steps"], run["processor_seconds"]
    machine = found["machine"].split(" (")[0]
    return (
        f"The training takes {steps} steps and {seconds:.0f} s of processor time, and the model "
        f"reads {percent(run['exact_match'], 0)} % of {run['held_out']} other tags (95 % interval "
        f"{low} to {high}; `python bench/small_set.py --out FILE`, "
        f"[JSON](../bench/results/small-set.json), {machine}, {found['date']}). Printed tags are "
        "easy, and `val` chose the weights: measure a reader "
        "on pictures that chose nothing."
    )


RUNTIMES = (
    ("OpenCV ENGINE_NEW", "OpenCV 5.0 DNN, new engine"),
    ("OpenCV ENGINE_CLASSIC", "OpenCV 5.0 DNN, classic engine"),
    ("OpenCV", "OpenCV 4.14 DNN"),
    ("ncnn", "ncnn 1.0.20261020, by pnnx"),
    ("MNN", "MNN 3.6.1, by mnnconvert"),
)


@block("runtimes")
def runtimes() -> str:
    results = bench("deploy")["results"]
    names = ("plates-small", "plates-nano", "plates-tiny", "digits-nano", "digits-tiny")
    rows = []
    for runtime, label in RUNTIMES:
        found = {r["model"]: r for r in results if r["runtime"] == runtime}
        cells = []
        for name in names:
            row = found[name]
            cells.append("fails" if "error" in row else f"{row['largest_difference']:.0e}")
        rows.append([label, *cells])
    return table(["largest difference", *(f"`{n}`" for n in names)], rows)


FOLDER = ("decoding files", "fitting", "network", "decoding texts", "the rest", "all")


@block("folder")
def folder() -> str:
    found = medians(bench("folder")["rows"])
    names = ("plates-tiny", "plates-nano", "plates-nano-int8")
    rows = []
    for part in FOLDER:
        cells = [found[f"{name}, 1,000: {part}"] for name in names]
        rows.append([part, *(f"{c['median']:.2f}, {percent(c['ratio'], 0)} %" for c in cells)])
    return table(["ms a picture, share", *(f"`{n}`" for n in names)], rows)


@block("peers time")
def peers_time() -> str:
    found = bench("peers")
    rows = []
    for name, row in medians(found["rows"]).items():
        sizes = [found[k][name] for k in ("file, MB", "installed with dependencies, MB")]
        rows.append([name, f"{row['median']:.2f}", f"{row['ratio']:.2f}", *map(str, sizes)])
    return table(["dev, 439 crops", "processor ms", "ratio", "file, MB", "installed, MB"], rows)


@block("sizes")
def sizes() -> str:
    rows = medians(bench("sizes")["rows"])
    return table(
        ["", "MB", "ratio"],
        [[name, f"{row['median']:.0f}", f"{row['ratio']:.2f}"] for name, row in rows.items()],
    )


GROWTH = {
    "reading, pictures at once": "pictures read at once",
    "fitting, pixels of a picture": "pixels of a picture, resampling",
    "network of wider input, pixels it takes": "pixels of the input, network",
    "network with more classes, classes": "classes, network",
    "best path, classes": "classes, best path",
    "a folder, pictures of a folder": "pictures of a folder",
    "network, 1 picture, threads": "threads, one picture (wall)",
    "network, 8 pictures, threads": "threads, 8 pictures (wall)",
}


@block("scaling")
def scaling() -> str:
    rows = []
    for name, label in GROWTH.items():
        found = [r for r in bench("scaling")["rows"] if r["name"].startswith(f"{name} ")]
        first, last = (r["name"].removeprefix(f"{name} ") for r in (found[0], found[-1]))
        growth = float(last.replace(",", "")) / float(first.replace(",", ""))
        rows.append([label, first, last, f"{growth:.1f}", f"{found[-1]['ratio']:.2f}"])
    return table(["what grows", "from", "to", "factor", "factor of the time"], rows)


@block("network times")
def network_times() -> str:
    found = bench("network-times")
    names = ("plates-small", "plates-nano", "plates-nano-int8")
    others = ("plates-tiny", "plates-nano of 0.1")
    rows = [
        [f"`{name}`", *(f"{found[f'{name} / {other}']:.2f}" for other in others)] for name in names
    ]
    return table(["network with rectifier, times", "`plates-tiny`", "`plates-nano` of 0.1"], rows)
