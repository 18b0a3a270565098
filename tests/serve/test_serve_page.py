"""The service's page, in a browser: pictures are really given to it, answers read on it."""

from __future__ import annotations

import base64
import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.serve.keys import Keys
from helpers.browser import Tab, browser
from helpers.data import EXAMPLES
from helpers.service import DIGITS, KEY, PLATES, SMALL, Limits, serving
from helpers.streets import street

MODELS = ("plates-tiny", "digits-tiny")
PLATE = EXAMPLES / "plates" / "苏D18RL9_blue.jpg"
SURE = f"{100 * Reader(MODELS[0])(PLATE).confidence:.1f} %"
HOSTILE = "=HYPERLINK(<img src=x onerror=alert(1)>,\"'&).png"

#: What stands on the page.
TEXT = "document.querySelector('#reading .big').textContent"
SHOWN = "!document.querySelector('#reading').hidden"
STATUS = "document.querySelector('#status').textContent"
READY = "document.querySelector('#model').options.length > 0"


@pytest.fixture(scope="module")
def tab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(chromium, tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(Limits(), models=MODELS) as (client, _):
        yield str(client.base_url)


def visit(tab: Tab, address: str, language: str = "en") -> None:
    tab.device(1280, 900)
    tab.languages(language)
    tab.open(f"{address}/")
    tab.run("localStorage.clear()")
    tab.open(f"{address}/")
    tab.wait(READY)
    tab.events.clear()


def test_a_picture_is_read(tab: Tab, address: str) -> None:
    visit(tab, address)
    tab.give("#files", PLATE)
    tab.wait(SHOWN)
    assert tab.run(TEXT) == "苏D·18RL9"
    assert tab.run("document.querySelector('#reading .chip').textContent") == f"{SURE} · sure"
    assert tab.run("document.querySelector('#reading .chip').className") == "chip good"
    # said to those who hear the page
    assert tab.run(STATUS) == f"苏D·18RL9: {SURE} · sure"
    assert tab.run("document.querySelector('#status').getAttribute('aria-live')") == "polite"
    tab.wait("document.querySelector('#reading .fan')")
    cells = "[...document.querySelectorAll('#reading .cells b')].map((e) => e.textContent).join('')"
    assert tab.run(cells) == "苏D18RL9"
    # of three other texts, those below 0.1 % are not worth a look
    [reading] = Reader(MODELS[0], alternatives=3).read([PLATE])
    likely = sum(a.probability >= 0.001 for a in reading.alternatives)
    assert tab.run("document.querySelectorAll('#reading .alternatives li').length") == likely
    # every line ends over the picture
    assert tab.run("""(() => {
      const picture = document.querySelector("#reading img").getBoundingClientRect();
      return [...document.querySelectorAll("#reading .fan rect")].every((e) => {
        const bar = e.getBoundingClientRect();
        return bar.left > picture.left - 1 && bar.right < picture.right + 1 && bar.width > 0;
      });
    })()""")
    assert "roughly" in tab.run("document.querySelector('#reading .places').textContent")
    assert tab.run("document.querySelector('#list').hidden")
    assert tab.complaints() == []


def test_a_guess_does_not_look_like_an_answer(tab: Tab) -> None:
    unsure = next(p for p in PLATES if "green car" in p.name)
    with serving(SMALL, models=("plates-tiny",), min_confidence=0.98) as (client, _):
        visit(tab, str(client.base_url))
        assert tab.run("document.querySelector('#least').value") == "0.98"
        tab.give("#files", unsure)
        tab.wait(SHOWN)
        [reading] = Reader("plates-tiny", min_confidence=0.98).read([unsure])
        share = f"{100 * reading.confidence:.1f} %"
        assert tab.run("document.querySelector('#reading .chip').className") == "chip refused"
        assert tab.run(TEXT) == "Perhaps 沪D·GX2994"  # as it is heard
        assert tab.run("document.querySelector('#reading .big .said').textContent") == "沪D·GX2994"
        mark = "getComputedStyle(document.querySelector('#reading .said'), '::after').content"
        assert tab.run(mark).startswith('"?"')
        assert tab.run(STATUS) == f"Perhaps 沪D·GX2994: {share} · not sure"
        assert "Below 98 %" in tab.run("document.querySelector('#reading .guess').textContent")
        tab.give("#files", PLATE, unsure)
        tab.wait("document.querySelectorAll('#rows tr').length === 3")
        assert tab.run(STATUS) == "2 pictures read, 1 of them not surely."
        kinds = "[...document.querySelectorAll('#rows .text')].map((e) => e.className)"
        assert tab.run(kinds) == ["text refused", "text", "text refused"]
        # asked for less, the same is an answer
        tab.run("document.querySelector('#least').value = '0.5'")
        tab.give("#files", unsure)
        tab.wait("document.querySelectorAll('#rows tr').length === 4")
        assert tab.run(TEXT) == "沪D·GX2994"
        assert tab.complaints() == []


def test_nothing_comes_from_elsewhere(tab: Tab, address: str) -> None:
    tab.events.clear()
    tab.open(f"{address}/")
    tab.wait(READY)
    tab.open(f"{address}/docs")
    tab.wait("document.querySelectorAll('.doc').length > 8")
    assert "/v1/read" in tab.run("document.body.textContent")
    asked = tab.addresses()
    assert len(asked) > 10
    assert all(a.startswith((f"{address}/", f"blob:{address}/")) for a in asked), asked
    assert tab.complaints() == []


def test_several_pictures_become_a_table_and_a_file(tab: Tab, address: str, tmp_path: Path) -> None:
    visit(tab, address)
    hostile = tmp_path / HOSTILE
    shutil.copy(PLATE, hostile)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    tab.give("#files", *PLATES[:2], broken, hostile)
    tab.wait("document.querySelectorAll('#rows tr').length === 4")
    assert tab.run(STATUS) == "3 pictures read, 1 could not be."
    rows = tab.run("[...document.querySelectorAll('#rows tr')].map((e) => e.textContent)")
    assert "京G·6145警" in rows[0]
    assert "not a picture" in rows[2]
    assert HOSTILE in rows[3]
    assert tab.run("document.querySelectorAll('[onerror]').length") == 0
    # a row's picture is shown, and is where the keyboard goes on
    tab.run("document.querySelectorAll('.pick')[1].click()")
    assert tab.run(TEXT) == "川C·05479K"
    assert tab.run("document.activeElement.id") == "reading"

    tab.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "got"))
    tab.run("document.querySelector('#download').click()")
    file = tmp_path / "got" / "readings.csv"
    for _ in range(100):
        if file.is_file():
            break
        tab.run("new Promise((done) => setTimeout(done, 100))")
    content = file.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    table = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    columns = ["picture", "text", "display", "confidence", "error", "accepted"]
    assert table[0][:6] == columns
    assert [row[5] for row in table[1:]] == ["true", "true", "false", "true"]
    assert [row[1] for row in table[1:]] == ["京G6145警", "川C05479K", "", "苏D18RL9"]
    assert table[4][0] == f"'{HOSTILE}"  # what a spreadsheet would take for a formula
    assert "not a picture" in table[3][4]

    tab.run("document.querySelector('#clear').click()")
    assert tab.run("document.querySelector('#list').hidden")
    assert tab.run("document.querySelector('#reading').hidden")


def test_cells_of_a_spreadsheet_run_nothing(tab: Tab, address: str) -> None:
    visit(tab, address)
    names = ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "＝1", "a,b", 'a"b', "a\r\n=b", "plain"]
    reading = "{text: '', display: '', confidence: 0.5, error: null, alternatives: []}"
    rows = ",".join(f"{{name: {name!r}, reading: {reading}}}" for name in names)
    content = tab.run(f"import('/csv.js').then((m) => m.csv([{rows}]))")
    got = [row[0] for row in csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline=""))]
    assert got[1:8] == [f"'{name}" for name in names[:7]]
    assert got[8:] == names[7:]


def hand(tab: Tab, kind: str, content: bytes, name: str, media_type: str) -> None:
    """A file dropped on the page or pasted into it."""
    value, event = {
        "drop": ("dataTransfer", "DragEvent"),
        "paste": ("clipboardData", "ClipboardEvent"),
    }[kind]
    encoded = base64.b64encode(content).decode()
    tab.run(f"""(() => {{
      const bytes = Uint8Array.from(atob("{encoded}"), (c) => c.charCodeAt(0));
      const held = new DataTransfer();
      held.items.add(new File([bytes], "{name}", {{ type: "{media_type}" }}));
      window.dispatchEvent(new {event}("{kind}", {{ {value}: held, bubbles: true }}));
    }})()""")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(tab: Tab, address: str, kind: str) -> None:
    visit(tab, address)
    hand(tab, kind, PLATE.read_bytes(), "plate.jpg", "image/jpeg")
    tab.wait(SHOWN)
    assert tab.run(TEXT) == "苏D·18RL9"
    assert tab.run("document.querySelector('#reading .file').textContent") == "plate.jpg"
    hand(tab, kind, b"words", "notes.txt", "text/plain")
    tab.wait(f"{STATUS} === 'Give a file that is a picture.'")
    hand(tab, kind, b"<svg/>", "drawn.svg", "image/svg+xml")
    tab.wait("document.querySelectorAll('#rows tr').length === 2")
    assert "not a picture" in tab.run("document.querySelector('#reading .bad').textContent")
    assert "not a picture" in tab.run(STATUS)
    assert tab.complaints() == []


def test_a_photograph_is_read(tab: Tab, address: str) -> None:
    visit(tab, address)
    tab.give("#camera", PLATE)
    tab.wait(SHOWN)
    assert tab.run(TEXT) == "苏D·18RL9"


def test_digits(tab: Tab, address: str) -> None:
    visit(tab, address)
    hint = "document.querySelector('#hint').textContent"
    assert "licence plate" in tab.run(hint)
    tab.run("""(() => {
      const model = document.querySelector("#model");
      model.value = "digits-tiny";
      model.dispatchEvent(new Event("change"));
    })()""")
    assert "row of digits" in tab.run(hint)
    tab.give("#files", DIGITS[2])
    tab.wait(SHOWN)
    assert tab.run(TEXT) == DIGITS[2].name[:5]
    assert "roughly" not in tab.run("document.querySelector('#reading .places').textContent")


def test_a_picture_without_text_says_what_to_do(tab: Tab, address: str, tmp_path: Path) -> None:
    visit(tab, address)
    Image.new("RGB", (168, 48), "gray").save(tmp_path / "nothing.png")
    tab.give("#files", tmp_path / "nothing.png")
    tab.wait(SHOWN)
    if tab.run(TEXT) == "no text":
        assert "Crop the picture to the text" in tab.run(
            "document.querySelector('#reading').textContent"
        )
    script = """import("./reading.js").then(({ showReading }) => {
      const place = document.createElement("div");
      const reading = { text: "", error: null, alternatives: [], characters: [] };
      showReading(place, { url: "", name: "a", reading, least: 0 }, false, () => {});
      return place.textContent;
    })"""
    assert "Crop the picture to the text" in tab.run(script)


def test_chinese(tab: Tab, address: str) -> None:
    visit(tab, address, "zh-CN,zh,en")
    assert tab.run("document.documentElement.lang") == "zh-CN"
    assert tab.run("document.querySelector('label[for=files]').textContent") == "选择图片"
    tab.give("#files", PLATE)
    tab.wait(SHOWN)
    assert tab.run("document.querySelector('#reading .chip').textContent") == f"{SURE} · 可信"
    tab.run("""(() => {
      const language = document.querySelector("#language");
      language.value = "en";
      language.dispatchEvent(new Event("change"));
    })()""")
    assert tab.run("document.querySelector('#reading .chip').textContent") == f"{SURE} · sure"
    assert tab.run(STATUS) == f"苏D·18RL9: {SURE} · sure"
    tab.open(f"{address}/")  # the choice is kept
    assert tab.run("document.querySelector('label[for=files]').textContent") == "Choose pictures"


def test_every_word_is_in_both_languages(tab: Tab, address: str) -> None:
    visit(tab, address)
    content = httpx.get(f"{address}/words.js").text
    names = [set(), set()]
    for place, part in enumerate(content.split("\n  zh: {")):
        for name in tab.run(f'[...{part!r}.matchAll(/(\\w+): ["]/g)].map((m) => m[1])'):
            names[place].add(name)
    assert names[0] == names[1]
    used = set(tab.run("[...document.querySelectorAll('[data-word]')].map((e) => e.dataset.word)"))
    assert used <= names[0]


@pytest.mark.parametrize(
    ("width", "phone", "dark"), [(1280, False, False), (390, True, True), (320, True, False)]
)
def test_it_fits(
    tab: Tab, address: str, tmp_path: Path, width: int, phone: bool, dark: bool
) -> None:
    visit(tab, address)
    tab.device(width, 800, phone, dark)
    tab.open(f"{address}/")
    tab.wait(READY)
    long = tmp_path / f"{'IMG_20261128_' * 12}.jpg"
    shutil.copy(PLATE, long)
    tab.give("#files", *PLATES[:2], long)
    tab.wait("document.querySelectorAll('#rows tr').length === 3")
    clipped = "[...document.querySelectorAll('.pick bdi')].filter((e) => "
    clipped += (
        "e.getBoundingClientRect().right > e.closest('td').getBoundingClientRect().right + 1)"
    )
    assert tab.run(f"{clipped}.length") == 0
    assert tab.run("document.documentElement.scrollWidth - innerWidth") == 0
    ground = tab.run("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(18, 23, 28)" if dark else "rgb(245, 247, 249)")
    shown = "getComputedStyle(document.querySelector('label[for=camera]')).display !== 'none'"
    assert tab.run(shown) or not phone
    small = (
        "[...document.querySelectorAll('.button, select')]"
        ".filter((e) => e.offsetHeight && e.offsetHeight < 30)"
    )
    assert tab.run(f"{small}.length") == 0


@pytest.mark.parametrize("dark", [False, True])
def test_colours_can_be_told_apart(tab: Tab, address: str, dark: bool) -> None:
    """WCAG 2.2 AA: 4.5 to 1 for text."""
    visit(tab, address)
    tab.device(1280, 900, dark=dark)
    ratios = tab.run("""(() => {
      const probe = document.body.appendChild(document.createElement("i"));
      const light = (name) => {
        probe.style.color = `var(--${name})`;
        const parts = getComputedStyle(probe).color.match(/\\d+/g).map((v) => v / 255);
        const [r, g, b] = parts.map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const pairs = [["ink", "paper"], ["ink", "card"], ["soft", "paper"], ["soft", "card"],
        ["a", "card"], ["on-a", "a"], ["good", "good-ground"], ["unsure", "unsure-ground"],
        ["bad", "bad-ground"], ["bad", "card"], ["bad", "paper"]];
      const found = pairs.map(([x, y]) => {
        const [high, low] = [light(x), light(y)].sort((p, q) => q - p);
        return [`${x} on ${y}`, (high + 0.05) / (low + 0.05)];
      });
      probe.remove();
      return found;
    })()""")
    assert len(ratios) == 11
    assert [pair for pair in ratios if pair[1] < 4.5] == []


def test_the_keyboard_reaches_everything(tab: Tab, address: str) -> None:
    visit(tab, address)
    tab.give("#files", *PLATES[:2])
    tab.wait("document.querySelectorAll('#rows tr').length === 2")
    tab.run("document.activeElement.blur(); scrollTo(0, 0)")
    tab.run("document.querySelector('nav a').focus()")
    reached = []
    for _ in range(12):
        reached.append(tab.run("document.activeElement.id || document.activeElement.className"))
        tab.press("Tab", 9)
    assert {"language", "files", "model", "others", "least", "download", "clear", "pick"} <= set(
        reached
    )
    # the browser's own accessibility tree: what can be used has a name
    nodes = tab.send("Accessibility.getFullAXTree")["nodes"]
    usable = [n for n in nodes if n.get("role", {}).get("value") in {"button", "combobox", "link"}]
    assert len(usable) >= 8
    assert [n for n in usable if not n.get("name", {}).get("value")] == []


def test_a_key_is_asked_for(tab: Tab) -> None:
    with serving(SMALL, keys=Keys([KEY]), models=("plates-tiny",)) as (client, _):
        tab.device(1280, 900)
        tab.languages("en")
        tab.open(f"{client.base_url}/")
        tab.wait("!document.querySelector('#unlock').hidden")
        tab.give("#files", PLATE)  # before the key: kept until it is there
        for key, said in (("wrong", "That key does not open it."), (KEY, None)):
            tab.run(f"document.querySelector('#key').value = '{key}'")
            tab.run("document.querySelector('#unlock').requestSubmit()")
            if said:
                tab.wait(f"{STATUS} === '{said}'")
        tab.wait("document.querySelector('#unlock').hidden")
        tab.wait(SHOWN)
        assert tab.run(TEXT) == "苏D·18RL9"
        hand(tab, "drop", bytes(400_000), "large.png", "image/png")
        tab.wait(f"{STATUS} === 'large.png is over 0.3 MB; crop it to the text.'")


def test_a_service_that_is_gone(tab: Tab) -> None:
    with serving(SMALL, models=("plates-tiny",)) as (client, _):
        tab.device(1280, 900)
        tab.languages("en")
        tab.open(f"{client.base_url}/")
        tab.wait(READY)
    tab.give("#files", PLATE)
    tab.wait(f"{STATUS} === 'The service does not answer. Is it running?'")


def test_a_photograph_is_read_on_a_phone(tab: Tab, address: str, tmp_path: Path) -> None:
    photo = tmp_path / "car park.png"
    street(("yellow", (560, 380), 180), ("blue", (150, 330), 160)).save(photo)
    visit(tab, address)
    tab.device(390, 844, phone=True)
    tab.give("#files", photo)
    tab.wait(SHOWN)
    outlines = "document.querySelectorAll('#reading .photo polygon')"
    tab.wait(f"{outlines}.length === 2")
    assert tab.run(TEXT) == "苏D·18RL9"
    assert tab.run("document.querySelectorAll('#rows tr').length") == 2
    tab.run(f"{outlines}[1].dispatchEvent(new Event('click'))")
    assert tab.run(TEXT) == "鲁D·89239"
    tab.wait(f"{outlines}[1].classList.contains('current')")
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert tab.run(wide)
    box = tab.run(
        f"(() => {{ const r = {outlines}[1].getBoundingClientRect();"
        " const p = document.querySelector('#reading .photo img').getBoundingClientRect();"
        " return [(r.left - p.left) / p.width, (r.top - p.top) / p.height]; })()"
    )
    assert box == pytest.approx([560 / 900, 380 / 600], abs=0.03)
    assert tab.run("document.querySelector('#reading canvas').width") > 0
    assert not tab.complaints()


def test_a_photograph_without_plates_says_so(tab: Tab, address: str, tmp_path: Path) -> None:
    photo = tmp_path / "street.png"
    street().save(photo)
    visit(tab, address)
    tab.give("#files", photo)
    tab.wait(SHOWN)
    assert tab.run(TEXT) == "no plate found"
    assert tab.run("document.querySelectorAll('#reading .photo img').length") == 1
