"""China: every civil kind of GA36-2018 and what came before it; see :mod:`.rules`."""

from __future__ import annotations

from crnn_ctc.alphabet import PLATES
from crnn_ctc.plates.rules import PARTS, named_kind, pattern, plate_pattern
from crnn_ctc.plates.scheme import PlateScheme
from crnn_ctc.plates.text import with_dot

CHINA = PlateScheme(
    name="cn",
    country="China",
    characters=PLATES.characters,
    pattern=plate_pattern,
    lengths=frozenset({7, 8}),
    irregular="|".join(pattern(kind) for kind in ("hazard", "armed_police_old")),
    lookalikes=(("I", "1"), ("O", "0")),
    regions=PARTS["province"].strip("[]"),
    region_name="province",
    display=with_dot,
    kind=named_kind,
)
