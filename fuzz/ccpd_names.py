"""Names of CCPD's pictures, which hold its annotations."""

from __future__ import annotations

from crnn_ctc.data.ccpd import parse_name
from promise import Target, kept


def check(data: bytes) -> None:
    """What a name says is possible; or it is refused."""
    with kept():
        name = parse_name(data.decode("utf-8", "surrogateescape"))
        assert 0 <= name.area < 1
        assert len(name.plate) in {7, 8}
        (left, top), (right, bottom) = name.box
        assert left < right
        assert top < bottom
        assert len(set(name.corners)) == 4


TARGET = Target(
    check,
    (
        b"025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15.jpg",
        b"02625-94_253-242&460_494&565-494&565_256&530_242&460_485&480-0_0_3_24_24_29_25_32-76-47",
        b"CCPD2019/ccpd_base/1-0_0-0&0_9&9-9&9_0&9_0&0_9&0-33_24_34_34_34_34_34-0-0.jpg",
        "京/0-0_0-1&1_2&2-2&2_1&2_1&1_2&1-1_1_1_1_1_1_1-1-1.PNG".encode(),
    ),
)
