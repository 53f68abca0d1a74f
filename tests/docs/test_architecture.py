from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text()


def test_every_module_that_the_page_names_is_there() -> None:
    modules = [path.as_posix() for path in (ROOT / "src" / "tonnage").rglob("*.py")]
    named = set(re.findall(r"`([\w/]+\.py)`", TEXT))
    assert len(named) > 30
    assert not [name for name in named if not any(f"/{module}".endswith(f"/{name}") for module in modules)]


def test_every_folder_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`([a-z][\w/]*/)`", TEXT)) - {"lint/"}
    places = [ROOT, ROOT / "src" / "tonnage", *(path for path in (ROOT / "src" / "tonnage").iterdir() if path.is_dir())]
    assert not [name for name in named if not any((place / name).is_dir() for place in places)]


def test_every_layer_of_the_house_is_named() -> None:
    layers = [path.name for path in (ROOT / "src" / "tonnage").iterdir() if (path / "__init__.py").exists()]
    assert not [layer for layer in layers if f"`{layer}/`" not in TEXT]
