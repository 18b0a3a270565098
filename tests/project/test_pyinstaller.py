"""PyInstaller's hook: an application made of this package finds its data files."""

from __future__ import annotations

import runpy
import sys
import types
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import crnn_ctc
from helpers.data import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = ROOT / "pyproject.toml"


def hook() -> Path:
    """The hook of the package, found as PyInstaller finds it."""
    points = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["entry-points"]
    point = EntryPoint("hook-dirs", points["pyinstaller40"]["hook-dirs"], "pyinstaller40")
    (folder,) = point.load()()
    return Path(folder) / "hook-crnn_ctc.py"


def test_the_hook_collects_the_data_files(monkeypatch: pytest.MonkeyPatch) -> None:
    collected: list[str] = []
    tools = types.ModuleType("PyInstaller.utils.hooks")
    tools.collect_data_files = lambda name: collected.append(name) or [("model", name)]  # type: ignore[attr-defined]
    for name in ("PyInstaller", "PyInstaller.utils"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "PyInstaller.utils.hooks", tools)
    assert runpy.run_path(str(hook()))["datas"] == [("model", "crnn_ctc")]
    assert collected == ["crnn_ctc"]


def test_the_real_pyinstaller_finds_models_fonts_and_recipes() -> None:
    pytest.importorskip("PyInstaller", reason="PyInstaller is not installed")
    root = Path(crnn_ctc.__file__).parent
    found = {Path(source).relative_to(root) for source, _ in runpy.run_path(str(hook()))["datas"]}
    for kind in ("models/*.onnx", "fonts/*.?tf", "recipes/*.toml", "serve/page/*"):
        assert {file.relative_to(root) for file in root.glob(kind)} <= found, kind
