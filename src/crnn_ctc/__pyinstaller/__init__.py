"""PyInstaller's hook, found through the entry point ``pyinstaller40`` of the package."""

from __future__ import annotations

from pathlib import Path


def hook_dirs() -> list[str]:
    """The folder that PyInstaller looks for hooks in."""
    return [str(Path(__file__).parent)]
