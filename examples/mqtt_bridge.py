"""Reads pictures that cameras publish over MQTT, by a running crnn-ctc service.

    pip install paho-mqtt
    python examples/mqtt_bridge.py BROKER http://127.0.0.1:8000 "frigate/+/car/snapshot"

What is read is published as JSON at the picture's topic followed by /plate.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTMessage


def read(service: str, picture: bytes) -> dict[str, Any]:
    """The service's reading of a picture, or ``{"text": "", "error": ...}``."""
    headers = {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{service}/v1/read", picture, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)["readings"][0]
    except OSError as error:  # no service, or it refuses the picture
        return {"text": "", "error": str(error)}


def main(broker: str, service: str, topic: str) -> None:
    """Read until interrupted; the connection is made again where it breaks."""
    client = Client(CallbackAPIVersion.VERSION2)

    def answer(client: Client, _: object, message: MQTTMessage) -> None:
        client.publish(f"{message.topic}/plate", json.dumps(read(service, message.payload)))

    client.on_connect = lambda client, *_: client.subscribe(topic)
    client.on_message = answer
    host, _, port = broker.partition(":")
    client.connect(host, int(port or 1883))
    client.loop_forever()


if __name__ == "__main__":
    main(*sys.argv[1:4])
