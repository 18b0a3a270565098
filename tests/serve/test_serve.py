"""The service: what it answers, what it refuses, and that it stops well."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.errors import InputError
from crnn_ctc.find.decoding import box_iou
from crnn_ctc.image import FORMATS
from crnn_ctc.serve.keys import Keys, keys_of
from crnn_ctc.serve.limits import Limits
from crnn_ctc.serve.models import ReadRequest, ServedModel, open_models
from crnn_ctc.serve.prometheus import ServiceMetrics
from crnn_ctc.serve.server import listen
from helpers.cli import command, run_cli, run_without
from helpers.service import DIGITS, KEY, PLATES, TEXTS, serving
from helpers.streets import quad, street


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(models=("digits-tiny", "plates-tiny")) as (client, _):
        yield client


def form(*paths: Path) -> list[tuple[str, tuple[str, bytes]]]:
    return [("pictures", (path.name, path.read_bytes())) for path in paths]


def problem(answer: httpx.Response, status: int, *words: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    values = dict(answer.json())
    assert values["status"] == status
    assert set(values) == {"type", "title", "status", "detail"}
    for word in words:
        assert word in values["detail"]
    return values


def png(width: int, height: int) -> bytes:
    """A white picture; a large one is a decompression bomb of some kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * width
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_form_of_pictures(client: httpx.Client) -> None:
    answer = client.post("/v1/read", files=form(*DIGITS[:4]))
    assert answer.status_code == 200, answer.text
    values = answer.json()
    assert values["model"] == "digits-tiny"
    assert values["ms"] > 0
    assert [r["text"] for r in values["readings"]] == TEXTS[:4]
    assert [r["name"] for r in values["readings"]] == [p.name for p in DIGITS[:4]]
    assert all(r["error"] is None and r["ms"] > 0 for r in values["readings"])


def test_one_picture_as_the_body(client: httpx.Client) -> None:
    """As Reader reads it, number for number."""
    content = PLATES[0].read_bytes()
    for kind in ("image/jpeg", "application/octet-stream", "IMAGE/PNG; x=y"):
        answer = client.post(
            "/v1/read",
            content=content,
            headers={"Content-Type": kind},
            params={"model": "plates-tiny"},
        )
        assert answer.status_code == 200, answer.text
    [reading] = answer.json()["readings"]
    expected = Reader("plates-tiny")(content)
    assert reading["text"] == expected.text == "京G6145警"
    assert reading["display"] == "京G·6145警"
    assert reading["confidence"] == pytest.approx(expected.confidence, abs=1e-4)
    assert reading["alternatives"] == []
    assert [c["text"] for c in reading["characters"]] == list(expected.text)
    for got, wanted in zip(reading["characters"], expected.characters, strict=True):
        assert (got["start"], got["end"]) == pytest.approx((wanted.start, wanted.end), abs=0.1)
        assert got["row"] == wanted.row


def test_alternatives(client: httpx.Client) -> None:
    query = {"model": "plates-tiny", "alternatives": 3}
    readings = client.post("/v1/read", files=form(*PLATES[:3]), params=query).json()["readings"]
    for reading in readings:
        probabilities = [a["probability"] for a in reading["alternatives"]]
        assert len(probabilities) == 3
        assert probabilities == sorted(probabilities, reverse=True)
        assert reading["confidence"] >= probabilities[0]
        assert "·" in reading["alternatives"][0]["display"]


def test_least_confidence() -> None:
    """The service has one, and a request may have another."""
    unsure = next(p for p in PLATES if "green car" in p.name)
    with serving(models=("plates-tiny",), min_confidence=0.98) as (client, _):

        def accepted(**query: object) -> list[bool]:
            files = [*form(PLATES[0], unsure), ("a", ("b", b"bad"))]
            answer = client.post(
                "/v1/read", files=files, params={k: str(v) for k, v in query.items()}
            )
            readings = answer.json()["readings"]
            assert readings[1]["text"] == "沪DGX2994"  # for a person to look at
            return [reading["accepted"] for reading in readings]

        assert accepted() == [True, False, False]
        assert accepted(alternatives=2) == [True, False, False]
        assert accepted(min_confidence=0) == [True, True, False]
        assert accepted(min_confidence=0, alternatives=2) == [True, True, False]
        assert accepted(min_confidence=1) == [False, False, False]
        assert accepted(min_confidence=0.98) == accepted()
        assert client.get("/v1/models").json()["models"][0]["min_confidence"] == 0.98
        text = client.get("/metrics").text
        assert re.search(
            r'crnn_ctc_pictures_total\{model="plates-tiny",outcome="refused"\} \d', text
        )


def test_the_service_and_the_command_line_say_the_same(client: httpx.Client) -> None:
    two_rows = next(p for p in PLATES if "mud" in p.name)
    query = {"model": "plates-tiny", "alternatives": 2, "min_confidence": 0.5}
    files = [*form(PLATES[0], two_rows), ("a", ("broken.png", b"no"))]
    answered = client.post("/v1/read", files=files, params=query).json()["readings"]
    broken = Path(two_rows.parent, "..", "broken.png")
    done = run_cli(
        "predict", PLATES[0], two_rows, broken, "--model", "plates-tiny", "--format", "json",
        "--alternatives", 2, "--min-confidence", 0.5,
    )  # fmt: skip
    printed = json.loads(done.stdout)
    for one, other in zip(answered, printed, strict=True):
        assert one.pop("name") == Path(other.pop("path")).name
        assert one.pop("plates") is other.pop("plate") is None  # crops
        assert one.keys() == other.keys()
        for name in ("text", "display", "accepted"):
            assert one[name] == other[name]
        assert one["confidence"] == pytest.approx(other["confidence"], abs=1e-4)
        for mine, its in zip(one["characters"], other["characters"], strict=True):
            assert mine.keys() == its.keys()
            assert (mine["text"], mine["row"]) == (its["text"], its["row"])
        for mine, its in zip(one["alternatives"], other["alternatives"], strict=True):
            assert (mine["text"], mine["display"]) == (its["text"], its["display"])
    assert {c["row"] for c in answered[1]["characters"]} == {0, 1}


def test_the_answer_is_as_described(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    values = client.post("/v1/read", files=form(DIGITS[0]), params={"alternatives": 1}).json()
    schemas = described["components"]["schemas"]
    for name, value in (
        ("Answer", values),
        ("ReadingAnswer", values["readings"][0]),
        ("Character", values["readings"][0]["characters"][0]),
        ("AlternativeAnswer", values["readings"][0]["alternatives"][0]),
    ):
        assert list(schemas[name]["properties"]) == list(value), name
    operation = described["paths"]["/v1/read"]["post"]
    asked = {each["name"]: each["in"] for each in operation["parameters"]}
    assert asked == dict.fromkeys(("model", "alternatives", "min_confidence", "find"), "query")
    assert operation["security"] == [{"key": []}, {"header": []}, {}]


def test_a_bad_picture_costs_its_own_answer_alone(client: httpx.Client) -> None:
    files = [
        *form(DIGITS[0]),
        ("a", ("cut.png", DIGITS[2].read_bytes()[:200])),
        ("b", ("page.html", b"<html><script>alert(1)</script>")),
        *form(DIGITS[1]),
    ]
    readings = client.post("/v1/read", files=files).json()["readings"]
    assert [r["text"] for r in readings] == [TEXTS[0], "", "", TEXTS[1]]
    assert "broken" in readings[1]["error"]
    assert "not a picture" in readings[2]["error"]
    readings = client.post("/v1/read", files=[("a", ("empty.png", b""))]).json()["readings"]
    assert "empty file" in readings[0]["error"]


def test_a_body_that_is_no_picture(client: httpx.Client) -> None:
    picture = {"Content-Type": "image/png"}
    problem(client.post("/v1/read", content=b"no", headers=picture), 422, "not a picture")
    problem(client.post("/v1/read", content=b"", headers=picture), 400, "empty")
    problem(client.post("/v1/read"), 400, "empty")


def test_pictures_that_would_fill_the_memory(client: httpx.Client) -> None:
    """Refused by their heads: the pixels of the second, 900 million, are never made."""
    picture = {"Content-Type": "image/png"}
    problem(
        client.post("/v1/read", content=png(1001, 1000), headers=picture),
        422, "1001x1000", "limit of 1 megapixels", "crop it",
    )  # fmt: skip
    bomb = png(30_000, 1).replace(
        struct.pack(">II", 30_000, 1), struct.pack(">II", 30_000, 30_000), 1
    )
    head = bomb[12:29]
    bomb = bomb[:29] + struct.pack(">I", zlib.crc32(head)) + bomb[33:]
    answer = client.post("/v1/read", files=[("a", ("bomb.png", bomb)), *form(DIGITS[0])])
    assert "limit of 1 megapixels" in answer.json()["readings"][0]["error"]
    assert answer.json()["readings"][1]["text"] == TEXTS[0]
    assert client.post("/v1/read", content=png(1000, 1000), headers=picture).status_code == 200


@pytest.mark.parametrize("kind", ["EPS", "PDF", "TGA", "PCX", "ICO"])
def test_kinds_of_pictures_that_are_not_read(client: httpx.Client, kind: str) -> None:
    """Pillow opens most of these, EPS by starting another program."""
    content = io.BytesIO()
    Image.new("RGB", (32, 32)).save(content, kind)
    answer = client.post("/v1/read", files=[("a", ("x.png", content.getvalue()))])
    assert "not a picture" in answer.json()["readings"][0]["error"]


@pytest.mark.parametrize("kind", FORMATS)
def test_kinds_of_pictures_that_are_read(client: httpx.Client, kind: str) -> None:
    content = io.BytesIO()
    with Image.open(DIGITS[2]) as image:
        image.convert("RGB").save(content, kind)
    answer = client.post("/v1/read", files=[("a", ("x", content.getvalue()))])
    assert answer.json()["readings"][0]["text"] == TEXTS[2]


@pytest.mark.parametrize(
    ("kind", "body", "status", "word"),
    [
        ("application/x-www-form-urlencoded", b"a=b", 415, "multipart/form-data"),
        ("application/json", b"{}", 415, "application/json"),
        ("text/html", b"<p>", 415, "text/html"),
        ("", b"x", 415, "image/*"),
        ("multipart/form-data", b"x", 400, "boundary"),
        ("multipart/form-data; boundary=x", b"nonsense", 400, "form"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 400, "without a file"),
        ("multipart/form-data; boundary=x",
         b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n1',
         400, "cut short"),
        ("multipart/form-data; boundary=x",
         b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n', 400, "query"),
        ("multipart/form-data; boundary=x",
         b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\n1\r\n--x--\r\n', 400, "name"),
    ],
)  # fmt: skip
def test_wrong_bodies(client: httpx.Client, kind: str, body: bytes, status: int, word: str) -> None:
    problem(client.post("/v1/read", content=body, headers={"Content-Type": kind}), status, word)


def test_wrong_parameters(client: httpx.Client) -> None:
    def ask(**query: str) -> httpx.Response:
        return client.post("/v1/read", files=form(DIGITS[0]), params=query)

    problem(ask(alternatives="many"), 422, "alternatives")
    problem(ask(alternatives="-1"), 422, "alternatives")
    problem(ask(alternatives="1000"), 422, "alternatives")
    for share in ("-0.1", "1.1", "nan", "inf", "much"):
        problem(ask(min_confidence=share), 422, "min_confidence")
    problem(ask(modle="plates-tiny"), 422, "modle")
    problem(ask(model="../../etc/passwd"), 404, "digits-tiny, plates-tiny")
    problem(ask(model="x" * 300), 422, "model")


def test_pages_that_are_not_there(client: httpx.Client) -> None:
    problem(client.get("/v2/read"), 404, "/docs")
    assert problem(client.get("/v1/read"), 405)["title"] == "Method Not Allowed"
    assert client.get("/v1/read").headers["allow"] == "POST"
    problem(client.request("PROPFIND", "/"), 405)
    assert client.request("BREW", "/").status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/..\\..\\x", "/page/index.html", "/index.html", "/page.css/../../app.py", "/site.py",
        "/file:///etc/passwd", "/page.css%00.html", "/v1/../../etc/passwd",
    ],
)  # fmt: skip
def test_no_file_of_the_server_is_reachable(client: httpx.Client, path: str) -> None:
    """Sent as they stand: a client would tidy them."""
    host, port = client.base_url.host, client.base_url.port
    with socket.create_connection((host, port or 0), 10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split()[1] == b"404", answer[:200]


def test_hostile_names_stay_text(client: httpx.Client) -> None:
    names = ["../../etc/passwd", "=cmd|'/c calc'!A1", '"><script>alert(1)</script>', "名" * 500]
    files = [("a", (name, DIGITS[0].read_bytes())) for name in names]
    answer = client.post("/v1/read", files=files)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    got = [r["name"] for r in answer.json()["readings"]]
    assert got[:2] == names[:2]
    assert "script" in got[2]
    assert got[3] == "名" * 200
    body = (
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="\xff\xfe\r\n\x00.png"\r\n\r\n'
        b"1\r\n--x--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/v1/read", content=body, headers=kind).status_code in {200, 400}


def test_too_much(client: httpx.Client) -> None:
    problem(client.post("/v1/read", files=form(*DIGITS[:5])), 413, "over 4 pictures")
    problem(client.post("/v1/read", files=form(*DIGITS[:1] * 9)), 413, "over 4 pictures")
    large = b"x" * 300_001
    problem(client.post("/v1/read", files=[("a", ("a", large))]), 413, "0.3 MB")
    kind = {"Content-Type": "image/png"}
    problem(client.post("/v1/read", content=large, headers=kind), 413, "0.3 MB")
    # in pieces, of unknown length
    problem(
        client.post("/v1/read", content=iter([large[:5000]] * 200), headers=kind), 413, "0.3 MB"
    )


@pytest.mark.parametrize("refused", ["declared", "in pieces", "no key", "no such page"])
def test_a_client_that_sends_much_sees_why_it_is_refused(refused: str) -> None:
    """More than the sockets' buffers take: were it cut off, it would see a reset."""
    keys = Keys([KEY]) if refused == "no key" else Keys()
    status = {"no key": 401, "no such page": 404}.get(refused, 413)
    with serving(Limits(body=9_000_000), keys) as (client, _):
        path = "/v2/read" if refused == "no such page" else "/v1/read"
        large = b"x" * 30_000_000
        content = iter([large]) if refused == "in pieces" else large
        kind = {"Content-Type": "image/png"}
        problem(client.post(path, content=content, headers=kind), status)


def test_a_length_that_is_none(client: httpx.Client) -> None:
    host, port = client.base_url.host, client.base_url.port
    for length in (b"-1", b"many", b"9" * 5000):
        with socket.create_connection((host, port or 0), 10) as connection:
            connection.sendall(
                b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n"
            )
            assert connection.recv(65536).split()[1] in {b"400", b"413"}


@pytest.mark.parametrize(
    "endless",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 1000,
        b"GET /healthz HTTP/1.1\r\n" + b"A: x\r\n" * 200,
        b"GET /" + b"x" * 1000,
        b"POST /v1/read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        + b"A: x\r\n" * 200,
    ],
    ids=["value", "names", "path", "trailers"],
)
def test_a_head_that_never_ends(client: httpx.Client, endless: bytes) -> None:
    """It is cut off after some 64 kB, whatever it goes on with."""
    more = endless[-1000:] if endless[-1:] == b"x" else b"A: x\r\n" * 150
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), 10) as it:
        sent = it.send(endless)
        while sent < 50_000_000:
            try:
                sent += it.send(more)
            except (ConnectionResetError, BrokenPipeError):
                break
    assert sent < 10_000_000  # what the sockets hold
    assert client.get("/healthz").status_code == 200


def test_a_head_of_some_size(client: httpx.Client) -> None:
    for size, status in ((60_000, 200), (70_000, 400)):
        with socket.create_connection((client.base_url.host, client.base_url.port or 0), 10) as it:
            it.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: ")
            for _ in range(size // 10_000):
                it.sendall(b"x" * 10_000)
                time.sleep(0.01)
            it.sendall(b"\r\n\r\n")
            assert it.recv(65536).split()[1] == str(status).encode()


def test_a_client_that_asks_ahead_and_leaves(caplog: pytest.LogCaptureFixture) -> None:
    """It is no error of the service's."""
    content = DIGITS[0].read_bytes()
    head = b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    with serving() as (client, service):
        model = service.models["digits-tiny"]
        slow = Slow(model)
        with socket.create_connection((client.base_url.host, client.base_url.port or 0), 10) as it:
            it.sendall((head + b"Content-Length: %d\r\n\r\n" % len(content) + content) * 4)
            until(lambda: _busy(model))
        time.sleep(0.1)  # the service sees that it has gone
        slow.go.set()
        assert client.post("/v1/read", files=form(DIGITS[0])).status_code == 200
        time.sleep(0.1)
    assert caplog.text == ""


def test_a_body_that_never_comes() -> None:
    with (
        serving(Limits(body=100_000, queue=64, seconds=0.5)) as (client, _),
        socket.create_connection((client.base_url.host, client.base_url.port or 0), 10) as slow,
    ):
        slow.sendall(
            b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
            b"Content-Length: 90000\r\n\r\nabc"
        )
        assert slow.recv(65536).split()[1] == b"408"
        assert client.post("/v1/read", files=form(DIGITS[0])).status_code == 200


def test_keys() -> None:
    with serving(keys=Keys(["another-key-of-length", KEY])) as (client, _):
        files = form(DIGITS[0])
        for headers in (
            {},
            {"Authorization": f"Bearer {KEY}x"},
            {"Authorization": f"Basic {KEY}"},
            {"Authorization": "Bearer"},
            {"X-API-Key": ""},
        ):
            answer = client.post("/v1/read", files=files, headers=headers)
            assert KEY not in answer.text
            problem(answer, 401, "Authorization: Bearer")
            assert answer.headers["www-authenticate"] == "Bearer"
        for path in ("/v1/models", "/metrics"):
            problem(client.get(path), 401)
        for path in ("/", "/docs", "/healthz", "/readyz", "/openapi.json"):
            assert client.get(path).status_code == 200
        for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}):
            answer = client.post("/v1/read", files=files, headers=headers)
            assert answer.json()["readings"][0]["text"] == TEXTS[0]
            assert client.get("/v1/models", headers=headers).status_code == 200
        # a stranger's body is not even received
        problem(client.post("/v1/read", content=b"x" * 10), 401)


def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return a == b

    monkeypatch.setattr("hmac.compare_digest", compare)
    keys = Keys([KEY, "another-key-of-length"])
    assert keys.allow(KEY)
    assert not keys.allow("k")
    assert not keys.allow(None)
    assert len(compared) == 6  # each with each, the first of which matched
    assert {len(value) for pair in compared for value in pair} == {32}


def test_key_files(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of the gate\n{KEY}\n\n  another-key-of-length \n", encoding="utf-8")
    keys = keys_of(file, "a-third-key-of-length,")
    assert all(keys.allow(k) for k in (KEY, "another-key-of-length", "a-third-key-of-length"))
    assert not keys.allow("# of the gate")
    assert not keys_of(None, None)
    for content, word in [
        ("# none\n", "holds no API key"),
        ("short\n", "at least 16"),
        ("é" * 20, "ASCII"),
    ]:
        file.write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=word) as raised:
            keys_of(file, None)
        assert "short" not in str(raised.value)
    with pytest.raises(InputError, match="No such file"):
        keys_of(tmp_path / "none", None)


class Slow:
    """Holds a model's thread until it is told to go on."""

    def __init__(self, model: ServedModel) -> None:
        self.go = threading.Event()
        self.batches: list[int] = []
        work = model.batcher._work

        def read(jobs: list[ReadRequest]) -> Any:
            assert self.go.wait(60)
            self.batches.append(len(jobs))
            return work(jobs)

        model.batcher._work = read


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_full_queue_says_so_and_answers_what_it_took() -> None:
    with serving(Limits(body=300_000, pictures=4, queue=6, batch=4)) as (client, service):
        model = service.models["digits-tiny"]
        slow = Slow(model)
        with ThreadPoolExecutor(4) as pool:
            accepted = [pool.submit(client.post, "/v1/read", files=form(DIGITS[0]))]
            until(lambda: service.metrics is not None and _busy(model))
            accepted.append(pool.submit(client.post, "/v1/read", files=form(*DIGITS[:3])))
            until(lambda: model.batcher.waiting == 3)
            refused = client.post("/v1/read", files=form(*DIGITS[:4]))
            problem(refused, 503, "3 pictures wait")
            assert int(refused.headers["retry-after"]) >= 1
            accepted.append(pool.submit(client.post, "/v1/read", files=form(*DIGITS[1:4])))
            until(lambda: model.batcher.waiting == 6)
            problem(client.get("/readyz"), 503, "digits-tiny")
            assert client.get("/healthz").json() == {"status": "alive"}  # nothing blocks the loop
            assert (
                'crnn_ctc_waiting_pictures{model="digits-tiny"} 6.0' in client.get("/metrics").text
            )
            slow.go.set()
            texts = [[r["text"] for r in a.result().json()["readings"]] for a in accepted]
        assert texts == [TEXTS[:1], TEXTS[:3], TEXTS[1:4]]
        assert slow.batches == [1, 4, 2]  # two requests shared a batch
        assert client.get("/readyz").status_code == 200


def _busy(model: ServedModel) -> bool:
    """Whether its thread has begun; nothing waits then."""
    return (
        model.batcher.waiting == 0
        and model.batcher._thread._work_queue.qsize() == 0
        and bool(model.batcher._thread._threads)
    )


def test_what_takes_too_long_is_given_up() -> None:
    with serving(Limits(body=300_000, pictures=4, queue=8, batch=1, seconds=0.5)) as (
        client,
        service,
    ):
        slow = Slow(service.models["digits-tiny"])
        answer = client.post("/v1/read", files=form(*DIGITS[:3]))
        problem(answer, 503, "not read within 0.5 s")
        assert int(answer.headers["retry-after"]) >= 1
        slow.go.set()
        assert (
            client.post("/v1/read", files=form(DIGITS[1])).json()["readings"][0]["text"] == TEXTS[1]
        )
        assert slow.batches == [1, 1]  # the two that waited were not read for nobody


def test_too_many_bytes_at_once() -> None:
    with serving() as (client, service), service.budget.take(service.limits.held - 1000):
        answer = client.post("/v1/read", files=form(DIGITS[0]))
        problem(answer, 503, "try again")
        assert answer.headers["retry-after"] == "1"


def test_a_crash_costs_one_request(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as (client, service):
        model = service.models["digits-tiny"]
        work, poison = model.batcher._work, DIGITS[3].read_bytes()

        def read(jobs: list[ReadRequest]) -> Any:
            if any(job.content == poison for job in jobs):
                raise MemoryError("secret")
            return work(jobs)

        model.batcher._work = read
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda p: client.post("/v1/read", files=form(p)), DIGITS[:5]))
        problem(answers[3], 500)
        assert "secret" not in answers[3].text
        assert answers[3].headers["x-content-type-options"] == "nosniff"
        assert "MemoryError" in caplog.text
        for place in (0, 1, 2, 4):
            assert answers[place].json()["readings"][0]["text"] == TEXTS[place]


def test_requests_are_not_mixed_up() -> None:
    """Many at once, good and bad: each gets its own answer."""
    limits = Limits(body=2_000_000, queue=500, seconds=60)
    with serving(limits, models=("digits-tiny",)) as (client, _):

        def ask(number: int) -> bool:
            place = number % len(DIGITS)
            if number % 5 == 4:
                answer = client.post(
                    "/v1/read", content=b"bad", headers={"Content-Type": "image/png"}
                )
                return answer.status_code == 422
            name = f"{number}"
            query = {"alternatives": number % 2}
            files = [("a", (name, DIGITS[place].read_bytes()))]
            reading = client.post("/v1/read", files=files, params=query).json()["readings"][0]
            return (reading["name"], reading["text"]) == (name, TEXTS[place])

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(ask, range(200)))


def test_models_and_limits(client: httpx.Client) -> None:
    values = client.get("/v1/models").json()
    assert [m["name"] for m in values["models"]] == ["digits-tiny", "plates-tiny"]
    assert [m["approximate_places"] for m in values["models"]] == [False, True]
    assert values["models"][0]["characters"] == "0123456789"
    assert values["limits"] == {
        "body_bytes": 300_000, "pixels": 1_000_000, "pictures": 4,
        "alternatives": 10, "seconds": 3.0,
    }  # fmt: skip


def test_metrics(client: httpx.Client) -> None:
    client.post("/v1/read", files=[*form(DIGITS[0]), ("a", ("b", b"bad"))])
    for path in ("/secret-1", "/secret-2"):
        client.get(path)
    text = client.get("/metrics").text
    assert re.search(r'crnn_ctc_pictures_total\{model="digits-tiny",outcome="read"\} \d', text)
    assert re.search(r'crnn_ctc_pictures_total\{model="digits-tiny",outcome="error"\} \d', text)
    assert 'crnn_ctc_requests_total{method="GET",path="other",status="404"}' in text
    assert "secret" not in text
    assert "process_resident_memory_bytes" in text


def test_the_description_and_the_page_need_nobody_else(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/v1/read", "/v1/models", "/healthz", "/readyz", "/metrics"}
    content = described["paths"]["/v1/read"]["post"]["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "image/*", "application/octet-stream"}
    for path in ("/", "/docs"):
        page = client.get(path)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"\son\w+=|\sstyle=|<style|<script>|javascript:", page.text)
        for name in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            assert not re.match(r"[a-z]+:|//", name)
            assert client.get(f"/{name.removeprefix('./')}").status_code == 200
        assert client.head(path).status_code == 200


@contextmanager
def process(*arguments: object, **env: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The command line's service, and its address."""
    with subprocess.Popen(
        command("serve", "--port", 0, *arguments),
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
    ) as running:
        try:
            assert running.stderr is not None
            said = running.stderr.readline().decode()
            address = re.search(r"http://[^/]+", said)
            assert address is not None, said + running.stderr.read().decode()
            yield running, address[0]
        finally:
            if running.poll() is None:
                running.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_answers_what_it_took(number: signal.Signals) -> None:
    with process("--model", "digits-tiny", "--batch-size", 1, "--timeout", 60) as (
        running,
        address,
    ):
        with httpx.Client(base_url=address, timeout=60) as client:
            assert client.get("/readyz").status_code == 200
        big = io.BytesIO()
        with Image.open(DIGITS[2]) as image:
            image.convert("RGB").resize((2400, 1440)).save(big, "PNG")
        files = [("a", (f"{n}", big.getvalue())) for n in range(4)]

        def ask(_: int) -> httpx.Response:
            return httpx.post(f"{address}/v1/read", files=files, timeout=60)

        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(ask, n) for n in range(3)]
            until(lambda: _waiting(address) > 8)  # of 12: all three have arrived
            running.send_signal(number)
            answers = [each.result() for each in asked]
        assert running.wait(60) == 0
        assert running.stderr is not None
        assert running.stderr.read() == b""
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert [r["text"] for r in answer.json()["readings"]] == [TEXTS[2]] * 4
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/healthz")


def _waiting(address: str) -> float:
    """Pictures that wait, by the service's own count."""
    text = httpx.get(f"{address}/metrics", timeout=60).text
    found = re.search(r"^crnn_ctc_waiting_pictures\{.*\} (.*)$", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_keys_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEY, encoding="utf-8")
    with process("--model", "digits-tiny", "--api-key-file", file, CRNN_CTC_API_KEYS="b" * 16) as (
        running,
        address,
    ):
        problem(httpx.get(f"{address}/v1/models"), 401)
        for key in (KEY, "b" * 16):
            answer = httpx.get(f"{address}/v1/models", headers={"Authorization": f"Bearer {key}"})
            assert [m["name"] for m in answer.json()["models"]] == ["digits-tiny"]
        running.terminate()
        assert running.wait(60) == 0


def test_a_device_and_a_least_confidence_on_the_command_line() -> None:
    unsure = next(p for p in PLATES if "green car" in p.name)
    options = ("--device", "auto", "--min-confidence", "0.98")
    with process("--model", "plates-tiny", *options) as (running, address):
        answer = httpx.post(f"{address}/v1/read", files=form(PLATES[0], unsure), timeout=60)
        readings = answer.json()["readings"]
        assert [(r["display"], r["accepted"]) for r in readings] == [
            ("京G·6145警", True),
            ("沪D·GX2994", False),
        ]
        running.terminate()
        assert running.wait(60) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "nothing.onnx"], ["nothing.onnx", "no such model"]),
        (["--model", "digits-tiny", "--model", "digits-tiny"], ["second model", "rename"]),
        (["--api-key-file", "none"], ["none", "No such file"]),
        (["--queue", "8"], ["queue of 8", "longer queue"]),
        (["--max-body", "0"], ["limit body"]),
        (["--timeout", "-1"], ["limit seconds"]),
        (["--device", "tpu"], ["device 'tpu'", "cpu, cuda"]),
        (["--min-confidence", "1.5"], ["least confidence 1.5", "from 0 to 1"]),
        (
            ["--host", "192.0.2.1", "--model", "digits-tiny"],
            ["192.0.2.1:8000", "cannot listen", "--host"],
        ),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], words: list[str]) -> None:
    done = run_cli("serve", *arguments)
    assert done.returncode == 2
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=rf"127.0.0.1:{port}: cannot listen .*--port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    "missing", ["fastapi", "httptools", "uvicorn", "python_multipart", "prometheus_client"]
)
def test_the_extra_is_named(missing: str) -> None:
    done = run_without({missing}, "serve")
    assert done.returncode == 2
    assert b'pip install "crnn-ctc[serve]"' in done.stderr
    assert missing.encode() in done.stderr


def test_reading_loads_nothing_of_the_service() -> None:
    done = run_without({"fastapi", "starlette", "uvicorn"}, "predict", PLATES[0])
    assert done.returncode == 0, done.stderr


def test_no_batch_is_larger_than_it_may_be() -> None:
    metrics = ServiceMetrics()
    [model] = open_models(["digits-tiny"], Limits(), metrics).values()
    mixed = [ReadRequest(path.read_bytes(), n % 3) for n, path in enumerate(DIGITS)] + [
        ReadRequest(b"", 1)
    ]
    readings = model.read(mixed)
    assert [r.text for r in readings] == [*TEXTS, ""]
    assert [len(r.alternatives) for r in readings] == [0, 1, 2, 0, 1, 2, 0]
    assert [bool(r.error) for r in readings] == [*[False] * len(DIGITS), True]
    assert all(r.ms > 0 for r in readings)
    assert json.dumps(metrics.text().decode())


def test_a_photograph_is_searched_as_asked(client: httpx.Client) -> None:
    photo = io.BytesIO()
    street(("yellow", (560, 380), 180), ("blue", (150, 330), 160)).save(photo, "JPEG", quality=92)
    send = {"files": [("a", ("photo.jpg", photo.getvalue()))]}
    (found,) = client.post("/v1/read", **send, params={"model": "plates-tiny"}).json()["readings"]
    assert [plate["text"] for plate in found["plates"]] == ["苏D18RL9", "鲁D89239"]
    assert found["text"] in {"苏D18RL9", "鲁D89239"}
    places = (quad(150, 330, 310, 381), quad(560, 380, 740, 437))
    for plate, place in zip(found["plates"], places, strict=True):
        assert box_iou(np.array(plate["corners"], np.float32), place) > 0.7
    never = {"model": "plates-tiny", "find": "never"}
    (whole,) = client.post("/v1/read", **send, params=never).json()["readings"]
    assert whole["plates"] is None
    wrong = client.post("/v1/read", **send, params={"model": "digits-tiny", "find": "always"})
    assert wrong.status_code == 422
    assert "reads no plates" in wrong.json()["detail"]
    assert client.post("/v1/read", **send, params={"find": "maybe"}).status_code == 422
