"""Draws report.png: parts of a report on drawn plates, as a browser shows it.

crnn-ctc data synth drawn --count 1736 --evenly --seed 1000005
crnn-ctc evaluate plates-tiny drawn --report report.html
python docs/images/report.py report.html    # needs chromium
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1280, 1760
LEFT_OUT = ("groups", "confusions")
"""Sections that would make the picture too long."""


def main() -> None:
    page = Path(sys.argv[1]).read_text(encoding="utf-8")
    for name in LEFT_OUT:
        page = re.sub(rf'<section id="{name}">.*?</section>', "", page, flags=re.DOTALL)
    with tempfile.TemporaryDirectory() as work:
        short, shot = Path(work, "page.html"), Path(work, "shot.png")
        short.write_text(page, encoding="utf-8")
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={work}/profile", f"--window-size={WIDTH},{HEIGHT}"]
        command += ["--blink-settings=preferredColorScheme=1", f"--screenshot={shot}"]
        subprocess.run([*command, short.as_uri()], check=True, capture_output=True)  # noqa: S603
        with Image.open(shot) as opened:
            small = opened.convert("RGB").resize((WIDTH * 2 // 3, HEIGHT * 2 // 3))
    small.save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
