"""What a reader of plates takes on disk once installed, with all that it depends on.

python bench/sizes.py

Each package is installed by pip into a new environment. Counted are the bytes of the files added to
site-packages, weights included, without compiled Python (__pycache__), as not all installers write
it. pip downloads each package, so this needs a package index. fast-plate-ocr's weights are
downloaded separately and not counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import Row, report

HERE = Path(__file__).parents[1]
PACKAGES = {
    "crnn-ctc": [str(HERE)],
    "agentclpr 1.1.0": ["agentclpr==1.1.0"],
    "rapidocr_onnxruntime 1.4.4": ["rapidocr_onnxruntime==1.4.4"],
    "fast-plate-ocr 1.1.0, without weights": ["fast-plate-ocr[onnx]==1.1.0"],
}


def sizes(site: Path) -> dict[str, int]:
    """Bytes of each entry of a site-packages folder."""
    return {
        entry.name: sum(
            file.stat().st_size
            for file in ([entry] if entry.is_file() else entry.rglob("*"))
            if file.is_file() and "__pycache__" not in file.parts
        )
        for entry in site.iterdir()
    }


def installed(requirements: list[str], place: Path) -> dict[str, int]:
    """Bytes of each entry that pip adds for these requirements."""
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = str(place / "bin" / "python")
    where = "import json, sysconfig; print(json.dumps(sysconfig.get_path('purelib')))"
    site = Path(json.loads(subprocess.check_output([python, "-c", where])))
    before = sizes(site)
    pip = [python, "-m", "pip", "install", "--quiet", "--no-compile", *requirements]
    subprocess.run(pip, check=True)
    return {name: size for name, size in sizes(site).items() if name not in before}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.parse_args()
    rows: list[Row] = []
    facts: dict[str, object] = {}
    for name, requirements in PACKAGES.items():
        with tempfile.TemporaryDirectory() as place:
            found = installed(requirements, Path(place) / "venv")
        mb = sum(found.values()) / 1e6
        rows.append(Row(name, mb, mb, mb, mb / rows[0].median if rows else 1.0))
        largest = sorted(found, key=lambda entry: -found[entry])[:5]
        facts[f"largest of {name}"] = ", ".join(f"{e} {found[e] / 1e6:.0f}" for e in largest)
    report("sizes", "MB of files in site-packages", rows, facts)


if __name__ == "__main__":
    main()
