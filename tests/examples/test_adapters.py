"""The examples for other projects' programs, with the real packages where they are installed."""

from __future__ import annotations

import json
import runpy
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest

from crnn_ctc import Reader
from crnn_ctc.image import load
from crnn_ctc.model_file.opening import model_path
from helpers.data import EXAMPLES

PLATE = EXAMPLES / "plates" / "苏D18RL9_blue.jpg"


def test_fast_alpr_reads_with_a_reader() -> None:
    fast_alpr = pytest.importorskip("fast_alpr", reason='needs pip install "fast-alpr[onnx]"')
    from fast_alpr.base import BaseDetector
    from open_image_models.detection.core.base import BoundingBox, DetectionResult

    plate = load(PLATE)[..., ::-1]
    frame = np.full((300, 500, 3), 90, np.uint8)
    height, width = plate.shape[:2]
    frame[100 : 100 + height, 40 : 40 + width] = plate

    class Detector(BaseDetector):  # type: ignore[misc]
        def predict(self, frame: Any) -> list[Any]:
            boxes = [(40, 100, 40 + width, 100 + height), (0, 0, 3, 3)]
            return [
                DetectionResult(label="plate", confidence=0.9, bounding_box=BoundingBox(*box))
                for box in boxes
            ]

    example = runpy.run_path(str(EXAMPLES / "fast_alpr_ocr.py"))
    alpr = fast_alpr.ALPR(detector=Detector(), ocr=example["CrnnCtcOCR"](Reader()))
    found, too_small = alpr.predict(frame)
    assert found.ocr.text == "苏D18RL9"
    assert found.ocr.confidence == Reader()(load(PLATE)).confidence
    assert too_small.ocr is None


def test_cpp_reads_with_the_card(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino", reason="needs pip install openvino")
    compiler = shutil.which("g++")
    headers = ("nlohmann/json.hpp", "stb/stb_image_resize.h")
    if not compiler or not all((Path("/usr/include") / header).is_file() for header in headers):
        pytest.skip("needs g++, nlohmann-json3-dev and libstb-dev of Debian 12")
    root = Path(openvino.__file__).parent
    program = tmp_path / "read"
    subprocess.run(
        [
            compiler, "-std=c++17", "-Wall", "-Wextra", f"-I{root / 'include'}",
            EXAMPLES / "cpp" / "read.cpp", "-o", program, *(root / "libs").glob("libopenvino.so.*"),
            f"-Wl,-rpath,{root / 'libs'}",
        ],
        check=True,
    )  # fmt: skip
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    with model_path("plates-nano") as model:
        done = subprocess.run(
            [program, model, PLATE, broken, PLATE], capture_output=True, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stdout == f"{PLATE}\t苏D18RL9\n" * 2
    assert done.stderr.startswith(f"{broken}: ")


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return int(it.getsockname()[1])


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if not program:
        pytest.skip("no broker here; install it with: apt-get install mosquitto")
    port = free_port()
    process = subprocess.Popen([program, "-p", str(port)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def until(works: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if works():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.1)


def test_pictures_over_mqtt_are_read(broker: str) -> None:
    mqtt = pytest.importorskip("paho.mqtt.client", reason="needs pip install paho-mqtt")
    pytest.importorskip("fastapi", reason="needs the extra serve")
    from crnn_ctc.serve.limits import Limits
    from helpers.service import serving

    read: Queue[dict[str, Any]] = Queue()
    subscribed = threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe("cameras/gate/plate")
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _, __, message: read.put(json.loads(message.payload))
    host, port = broker.split(":")
    client.connect(host, int(port))
    client.loop_start()
    with serving(Limits(), models=("plates-tiny",)) as (service, _):
        example = EXAMPLES / "mqtt_bridge.py"
        address = str(service.base_url).rstrip("/")
        bridge = subprocess.Popen([sys.executable, example, broker, address, "cameras/+"])
        try:
            assert subscribed.wait(30)

            def answered(picture: bytes) -> dict[str, Any]:
                def arrived() -> bool:  # the bridge may not have subscribed yet
                    client.publish("cameras/gate", picture)
                    time.sleep(0.5)
                    return not read.empty()

                until(arrived)
                answer = read.get()
                time.sleep(1)
                while not read.empty():
                    read.get()
                return answer

            assert answered(PLATE.read_bytes())["text"] == "苏D18RL9"
            refused = answered(b"no picture")
            assert (refused["text"], "422" in refused["error"]) == ("", True)
        finally:
            bridge.terminate()
            bridge.wait(30)
            client.loop_stop()
