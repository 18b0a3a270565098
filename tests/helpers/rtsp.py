"""A camera's RTSP server for tests: H.264 over RTP, interleaved with RTSP on one connection.

RFC 2326 (RTSP), RFC 3550 (RTP) and RFC 6184 (H.264), as much of them as one client asks for.
"""

from __future__ import annotations

import re
import socketserver
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import av

_CLOCK = 90_000
_MOST = 60_000
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\n"
    f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/{_CLOCK}\r\n"
    "a=fmtp:96 packetization-mode=1\r\na=control:track\r\n"
)


def pictures_of(video: Path) -> list[list[bytes]]:
    """The NAL units of each picture of an H.264 file."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        to_stream = av.bitstream.BitStreamFilterContext("h264_mp4toannexb", stream)
        packets = [p for one in container.demux(stream) for p in to_stream.filter(one)]
    return [[n for n in re.split(b"\0\0\0?\1", bytes(p)) if n] for p in packets if p.size]


def _payloads(unit: bytes) -> list[bytes]:
    """A NAL unit as one packet, or as fragments (RFC 6184, 5.8): a packet has a 16-bit length."""
    if len(unit) <= _MOST:
        return [unit]
    parts = [unit[k : k + _MOST] for k in range(1, len(unit), _MOST)]
    begins, ends = [0x80, *[0] * (len(parts) - 1)], [*[0] * (len(parts) - 1), 0x40]
    kinds = [begin | end | unit[0] & 0x1F for begin, end in zip(begins, ends, strict=True)]
    return [
        bytes([unit[0] & 0xE0 | 28, kind]) + part for kind, part in zip(kinds, parts, strict=True)
    ]


class RtspServer(socketserver.ThreadingTCPServer):
    """Plays a video to each client and then closes the connection, as a camera that restarts.

    Args:
        video: an H.264 file.
        rate: pictures a second that it says.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self, video: Path, rate: int) -> None:
        super().__init__(("127.0.0.1", 0), _Client)
        self.pictures, self.rate, self.played = pictures_of(video), rate, 0


class _Client(socketserver.StreamRequestHandler):
    server: RtspServer

    def handle(self) -> None:
        while request := self.rfile.readline().decode():
            headers = dict(self._headers())
            method, url = request.split()[:2]
            answer, body = {"CSeq": headers["cseq"], "Session": "1"}, ""
            if method == "OPTIONS":
                answer["Public"] = "DESCRIBE, SETUP, PLAY, TEARDOWN"
            elif method == "DESCRIBE":
                body = _SDP
                answer |= {"Content-Type": "application/sdp", "Content-Base": f"{url}/"}
            elif method == "SETUP":
                answer["Transport"] = "RTP/AVP/TCP;unicast;interleaved=0-1"
            answer["Content-Length"] = str(len(body))
            lines = "".join(f"{name}: {value}\r\n" for name, value in answer.items())
            self.wfile.write(f"RTSP/1.0 200 OK\r\n{lines}\r\n{body}".encode())
            if method == "PLAY":
                self._play()
                return

    def _headers(self) -> Iterator[tuple[str, str]]:
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            yield name.lower(), value.strip()

    def _play(self) -> None:
        self.server.played += 1
        number = 0
        for k, units in enumerate(self.server.pictures):
            payloads = [payload for unit in units for payload in _payloads(unit)]
            for payload in payloads:
                last = payload is payloads[-1]
                stamp = k * _CLOCK // self.server.rate
                rtp = struct.pack("!BBHII", 0x80, 96 | last << 7, number & 0xFFFF, stamp, 1)
                rtp += payload
                self.wfile.write(b"$\0" + struct.pack("!H", len(rtp)) + rtp)
                number += 1
            time.sleep(1 / (4 * self.server.rate))
