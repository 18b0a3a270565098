"""The report: what stands in it, that names stay text, that a browser shows it."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.decode import Decoded, Span
from crnn_ctc.decode.decoder import decoder_for
from crnn_ctc.evaluation.collection import open_collection, pictures_without_text
from crnn_ctc.evaluation.compare import compare
from crnn_ctc.evaluation.evaluate import evaluate
from crnn_ctc.evaluation.read import EvaluationPicture, Read, read_pictures
from crnn_ctc.evaluation.report.chart import _nice, risk_chart
from crnn_ctc.evaluation.report.entry import entry
from crnn_ctc.evaluation.report.page import comparison_page, result_page
from crnn_ctc.evaluation.report.tables import confusion_matrix, group_table
from crnn_ctc.evaluation.report.thumbnail import thumbnail
from crnn_ctc.evaluation.result import Contender, Result
from crnn_ctc.reading import Reading
from crnn_ctc.recognize import Recognition
from helpers.cli import run_cli, run_without
from helpers.data import EXAMPLES

PLATES = sorted((EXAMPLES / "plates").iterdir())
HOSTILE_NAME = "<img src=x onerror=alert(1)>\"'&{{7*7}}_1.jpg"
HOSTILE_LABEL = '"><SCRIPT>ALERT(1)</SCRIPT>'
HOSTILE_GROUP = "</style><script>alert(2)</script>"


def write_plates(folder: Path) -> Path:
    """The example plates: a wrong label, a hostile one, and a file that is no picture."""
    folder.mkdir(parents=True)
    rows = []
    for path in PLATES:
        label = path.stem.partition("_")[0]
        name = HOSTILE_NAME if label == "苏D18RL9" else path.name
        label = {"苏D18RL9": HOSTILE_LABEL, "鲁D89239": "鲁D88239"}.get(label, label)
        shutil.copy(path, folder / name)
        rows.append((name, label, HOSTILE_GROUP if len(rows) % 2 else "day"))
    (folder / "broken <b>.jpg").write_bytes(b"no picture")
    rows.append(("broken <b>.jpg", "皖A12345", "day"))
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file", "label", "subset"), *rows])
    return folder


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plates(tmp_path_factory.mktemp("report") / "set")


def read_set(plates: Path, grammar: str) -> Result:
    reader = Reader("plates-tiny")
    decoder = decoder_for(reader.card, "grammar", grammar)
    collection = open_collection(plates, [reader.card])
    without = pictures_without_text(EXAMPLES / "digits")
    return evaluate(
        Contender(f"plates-tiny, {grammar}", reader, decoder),
        collection,
        collection.read(reader, decoder, 4),
        list(read_pictures(reader, without, 4, decoder)),
    )


@pytest.fixture(scope="module")
def result(plates: Path) -> Result:
    return read_set(plates, "plates")


@pytest.fixture(scope="module")
def page(result: Result) -> str:
    return result_page(result)


@pytest.fixture(scope="module")
def both(plates: Path, result: Result) -> str:
    other = read_set(plates, "digits:7")  # in which no plate can be spelt
    return comparison_page(compare(other, result))


class Elements(HTMLParser):
    """Every element of a page, with its attributes, and the text between."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.found if tag == name]

    def classes(self, tag: str) -> Counter[str]:
        return Counter(c for a in self.of(tag) for c in a.get("class", "").split())


def test_the_page_needs_nothing_else(page: str, both: str) -> None:
    for document in (page, both):
        elements = Elements(document)
        tags = {tag for tag, _ in elements.found}
        assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form", "image"}
        for _, attributes in elements.found:
            assert not {a for a in attributes if a.startswith("on")}
            assert not {"href", "xlink:href", "srcset", "action"} & set(attributes)
            assert attributes.get("src", "data:image/").startswith("data:image/")
        assert not re.search(
            r"https?:|url\(|@import|//[a-z]", re.sub(r'"data:[^"]*"', "", document)
        )
        assert "default-src 'none'" in document


def test_names_and_labels_stay_text(page: str, both: str) -> None:
    for document in (page, both):
        elements = Elements(document)
        assert HOSTILE_NAME in elements.text
        assert HOSTILE_GROUP in elements.text
        assert "49" not in re.findall(r"onerror.{0,40}", elements.text)[0]
        assert "broken <b>.jpg: not a picture" in " ".join(elements.text.split())
        assert {a["alt"] for a in elements.of("img")} >= {HOSTILE_NAME}
        assert HOSTILE_LABEL in elements.text


def test_no_page_says_where_the_files_lie(page: str, plates: Path) -> None:
    assert str(plates.parent) not in page


def test_the_page_shows_what_was_measured(result: Result, page: str) -> None:
    elements = Elements(page)
    words = " ".join(elements.text.split())
    assert result.metrics.n == len(PLATES)
    assert f"{100 * result.metrics.exact_match:.2f} %" in words
    assert f"{100 * result.trust.ece:.2f} %" in words
    assert f"{result.trust.aurc:.5f}" in words
    for named in result.trust.points:
        assert named.rule in words
    assert result.rejection is not None
    assert f"{result.rejection.auroc:.5f}" in words
    wrong = sum(not read.right for read in result.reads)
    assert wrong == 2
    # the errors, and the pictures without text
    assert elements.classes("article")["entry"] == wrong + result.rejection.n
    # of 鲁D88239, read as 鲁D89239, one character is marked
    assert re.search(r'class="cell wrong"><b>9</b>\s*<em>8</em>', page)


def test_pictures_are_those_of_the_set(page: str, plates: Path) -> None:
    shown = next(a for a in Elements(page).of("img") if "鲁D89239" in a["alt"])
    kind, _, content = shown["src"].partition(";base64,")
    with (
        Image.open(io.BytesIO(base64.b64decode(content))) as inside,
        Image.open(plates / PLATES[-1].name) as original,
    ):
        assert kind == f"data:image/{(inside.format or '').lower()}"
        assert inside.size == original.size
        difference = np.asarray(inside.convert("RGB"), int) - np.asarray(
            original.convert("RGB"), int
        )
    assert abs(difference).mean() < 6


def test_places_lie_where_the_reader_says(plates: Path) -> None:
    path = PLATES[-1]
    reader = Reader("plates-tiny")
    decoder = decoder_for(reader.card)
    read = next(iter(read_pictures(reader, [EvaluationPicture("x", "鲁D89239", path)], 1, decoder)))
    shown = entry(read, str)
    with Image.open(path) as picture:
        width = picture.width
    for cell, character in zip(shown.below.cells, reader(path).characters, strict=True):
        assert cell.left is not None
        assert cell.left * width / 100 == pytest.approx(character.start, abs=width / 1000)
        assert (cell.left + cell.width) * width / 100 == pytest.approx(
            character.end, abs=width / 1000
        )
        assert cell.confidence == pytest.approx(character.confidence, abs=1e-4)


def test_two_rows_stand_above_and_below() -> None:
    """Steps 0 to 3 of 12 are the upper row, a missed character goes with the one before it."""
    spans = tuple(Span(0, t, t + 1, 0.9) for t in (0, 2, 5, 9))
    log_probs, size = np.zeros((12, 78), np.float32), (120, 60)
    seen = Recognition(Decoded("鲁D89", 0.9, spans), log_probs, two_rows=True, size=size)
    picture = EvaluationPicture("two.png", "鲁DX89", np.zeros((60, 120, 3), np.uint8))
    shown = entry(Read(picture, Reading.recognized(seen)), str)
    assert shown.above is not None
    assert [cell.pair.verdict for cell in shown.above.cells] == ["right", "right", "missed"]
    assert [cell.pair.read for cell in shown.below.cells] == ["8", "9"]
    assert all(0 <= (c.left or 0) <= 100 - c.width for c in shown.below.cells)


def test_a_picture_that_is_gone_leaves_a_page(tmp_path: Path) -> None:
    assert thumbnail(EvaluationPicture("x", "", tmp_path / "gone.png")) is None
    small = thumbnail(EvaluationPicture("x", "", np.zeros((32, 160, 1), np.uint8)))
    assert small is not None
    assert (small.width, small.height) == (160, 32)
    large = thumbnail(EvaluationPicture("x", "", np.zeros((2000, 1000, 3), np.uint8)))
    assert large is not None
    assert max(large.width / 480, large.height / 360) <= 1
    assert large.shown <= 240


@pytest.mark.parametrize("most", [0.0, 1e-4, 0.009, 0.021, 0.25, 1 / 3, 1.0])
def test_axes_end_on_a_tick(most: float) -> None:
    end, step = _nice(most)
    assert end >= most - 1e-12
    assert end / step == pytest.approx(round(end / step))
    assert 3 <= round(end / step) <= 6


def test_curves_stay_in_their_chart(result: Result) -> None:
    chart = risk_chart([result])
    points = [tuple(map(float, p.split(","))) for p in chart.curves[0].points.split()]
    assert len(points) == result.metrics.n
    assert all(chart.left <= x <= chart.right for x, _ in points)
    assert all(chart.top <= y <= chart.bottom for _, y in points)


def test_tables(result: Result) -> None:
    matrix = confusion_matrix(result)
    kept = sum(sum(row.counts) for row in matrix.rows)
    assert kept + matrix.left_out == sum(count for *_, count in result.confusions)
    assert all(sum(row.counts) for row in matrix.rows)
    assert max(len(matrix.rows), len(matrix.reads)) <= 20
    table = group_table(result.groups["length"])
    assert all(0 <= row.low <= row.at <= row.high <= 100 for row in table.rows)


def test_command_line(plates: Path, tmp_path: Path) -> None:
    page, file = tmp_path / "报告.html", tmp_path / "out.json"
    done = run_cli(
        "evaluate", "plates-tiny", plates, "--report", page, "--json", file,
        "--negatives", EXAMPLES / "digits",
    )  # fmt: skip
    assert done.returncode == 2  # one could not be read
    assert "broken <b>.jpg: not a picture" in done.stderr.decode()
    assert str(page) in done.stdout.decode()
    values = json.loads(file.read_text(encoding="utf-8"))
    points = {point["rule"]: point for point in values["confidence"]["operating_points"]}
    assert set(points) >= {"answers 95 %", "at most 0.2 % wrong", "from 0.9 up"}
    assert points["from 0.9 up"]["threshold"] == 0.9
    assert 0 <= values["confidence"]["aurc"] <= 1
    assert values["negatives"]["n"] == len(list((EXAMPLES / "digits").iterdir()))
    assert f"AUROC {values['negatives']['auroc']:.5f}" in done.stdout.decode()
    document = page.read_text(encoding="utf-8")
    assert f"{100 * values['exact_match']:.2f}\N{NO-BREAK SPACE}%" in document


def test_digits_have_a_report(small_emnist: Path, tmp_path: Path) -> None:
    page = tmp_path / "digits.html"
    done = run_cli("evaluate", "digits-tiny", small_emnist, "--report", page)
    assert done.returncode == 0, done.stderr
    elements = Elements(page.read_text(encoding="utf-8"))
    shown = elements.of("img")
    assert 0 < len(shown) <= 60
    assert {(a["width"], a["height"]) for a in shown} == {("160", "32")}
    assert all(re.fullmatch(r"row \d+", a["alt"]) for a in shown)


def test_what_is_wrong_is_said_before_reading(plates: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_bytes(b"no picture")
    for arguments, says in (
        (["--report", tmp_path], "cannot be written (it is a folder)"),
        (["--report", tmp_path / "none" / "x.html"], "cannot be written (no such folder)"),
        (["--report", tmp_path / "file" / "x.html"], "cannot be written (no such folder)"),
        (["--negatives", tmp_path / "none"], "no such folder"),
        (["--negatives", tmp_path / "empty"], "holds no pictures"),
        (["--negatives", tmp_path / "bad"], "none of its pictures can be read"),
    ):
        done = run_cli("evaluate", "plates-tiny", plates, *arguments)
        assert done.returncode == 2
        assert done.stdout == b""
        lines = done.stderr.decode().splitlines()
        # only that negatives cannot be read is found out after the labels are counted
        notes = lines[:-1] if says == "none of its pictures can be read" else []
        assert all(note.startswith(("labels: ", "warning: ")) for note in notes)
        (line,) = lines[len(notes) :]
        assert says in line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said(plates: Path) -> None:
    done = run_cli("evaluate", "plates-tiny", plates, "--report", "/dev/full")
    assert done.returncode == 2
    assert "/dev/full: cannot be written (No space left" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_without_jinja2_the_extra_is_named(plates: Path, tmp_path: Path) -> None:
    page = tmp_path / "x.html"
    done = run_without({"jinja2"}, "evaluate", "plates-tiny", plates, "--report", page)
    assert done.returncode == 2
    assert b'pip install "crnn-ctc[report]"' in done.stderr
    assert b"Traceback" not in done.stderr
    assert not page.exists()
    done = run_without({"jinja2"}, "evaluate", "plates-tiny", EXAMPLES / "plates")
    assert done.returncode == 0, done.stderr  # it needs no report


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    """Linux allows any bytes: they are shown as escapes."""
    folder = tmp_path / "odd"
    folder.mkdir()
    try:
        shutil.copy(PLATES[-1], os.fsencode(folder) + b"/\xe9\xb2\x81D88239_\xff.jpg")
    except OSError:
        pytest.skip("this file system wants names that are text")
    page, file = tmp_path / "odd.html", tmp_path / "odd.json"
    done = run_cli("evaluate", "plates-tiny", folder, "--report", page, "--json", file)
    assert done.returncode == 0, done.stderr
    assert "鲁D88239_\\xff.jpg" in page.read_text(encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8"))["n"] == 1


def browse(
    chromium: str, page: Path, work: Path, *arguments: str, dark: bool = False
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--user-data-dir={work / 'profile'}", *arguments, page.as_uri(),
        ],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip


#: Writes what it measures into the title, where --dump-dom shows it.
MEASURE = """<script>
const box = (e) => e.getBoundingClientRect(), all = (q) => [...document.querySelectorAll(q)];
document.title = JSON.stringify({
  wide: document.documentElement.scrollWidth - innerWidth,
  broken: all("img").filter((i) => !i.naturalWidth).length,
  entries: all("article.entry").length,
  bars: all("#errors .fan rect").every((r) => {
    const stage = box(r.closest(".stage").querySelector("img")), bar = box(r);
    return bar.left > stage.left - 1 && bar.right < stage.right + 1 && bar.width > 0;
  }),
  charts: all("svg.chart").map((c) => box(c).width > 200 && box(c).height > 120),
  red: getComputedStyle(document.querySelector(".cell.wrong b")).color,
});
</script>"""


@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_shows_the_page(
    chromium: str, result: Result, page: str, tmp_path: Path, width: int
) -> None:
    """Laid out by the browser: nothing is wider than the window, no picture is broken."""
    file = tmp_path / "page.html"
    # the page's own policy would stop the script that measures it
    file.write_text(re.sub(r"<meta http-equiv[^>]*>", "", page) + MEASURE, encoding="utf-8")
    dom = browse(chromium, file, tmp_path, "--dump-dom", f"--window-size={width},900").stdout
    title = re.search(r"<title>(.*?)</title>", dom.decode())
    assert title is not None
    assert result.rejection is not None
    assert json.loads(title[1]) == {
        "wide": 0,
        "broken": 0,
        "entries": 2 + result.rejection.n,
        "bars": True,
        "charts": [True, True],
        "red": "rgb(184, 31, 44)",
    }


def test_a_browser_runs_nothing_of_a_page(chromium: str, page: str, tmp_path: Path) -> None:
    """Even had a name got out of its place: the page's policy stops it."""
    file = tmp_path / "page.html"
    attack = "<script>document.title = 'run'</script><img src=x onerror=\"document.title='run'\">"
    file.write_text(page + attack, encoding="utf-8")
    dom = browse(chromium, file, tmp_path, "--dump-dom").stdout.decode()
    assert "<title>plates-tiny, plates on set</title>" in dom
    assert "49" not in re.findall(r"onerror=alert.{0,40}", dom)[0]


@pytest.mark.parametrize(("dark", "paper"), [(False, (245, 247, 249)), (True, (18, 23, 28))])
def test_light_and_dark(
    chromium: str, page: str, tmp_path: Path, dark: bool, paper: tuple[int, int, int]
) -> None:
    file, shot = tmp_path / "page.html", tmp_path / "shot.png"
    file.write_text(page, encoding="utf-8")
    browse(chromium, file, tmp_path, f"--screenshot={shot}", "--window-size=1280,4000", dark=dark)
    with Image.open(shot) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    assert tuple(pixels[2, 2].tolist()) == paper
    # the curve's blue, and the wrong character's ground, are on it
    for colour in [(106, 174, 255), (74, 34, 39)] if dark else [(31, 111, 208), (253, 227, 228)]:
        assert (pixels == colour).all(axis=2).sum() > 200
