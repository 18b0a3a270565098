"""Draws page.png: the service's page with a drawn plate, as a browser shows it.

python docs/images/page.py    # needs chromium, and the extra dev
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser import browser  # noqa: E402

WIDTH = 900
PLATES = ROOT / "examples" / "plates"
GIVEN = ("沪DGX2994_green car.png", "苏D18RL9_blue.jpg", "豫L689RT_泥 mud.png")


def main() -> None:
    command = [sys.executable, "-m", "crnn_ctc", "serve", "--port", "0"]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE) as service,  # noqa: S603
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work,
        browser("chromium", Path(work)) as tab,
    ):
        assert service.stderr is not None
        address = re.search(rb"http://\S+/", service.stderr.readline())
        assert address is not None
        tab.device(WIDTH, 900)
        tab.languages("en")
        tab.open(address[0].decode())
        tab.wait("document.querySelector('#model').options.length")
        tab.give("#files", *(PLATES / name for name in GIVEN))
        tab.wait("document.querySelectorAll('#rows tr').length === 3")
        tab.wait("document.querySelector('#reading .fan')")
        tab.device(WIDTH, tab.run("document.documentElement.scrollHeight"))
        shot = Path(work, "shot.png")
        tab.screenshot(shot, whole=False)
        service.terminate()
        with Image.open(shot) as opened:
            few = opened.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
