"""The site of the pages: every page is in its menu, every link leads somewhere, nothing is fetched."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tonnage.errors import TonnageError

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SETTINGS: Any = YAML(typ="safe").load((ROOT / "mkdocs.yml").read_text())
GUIDES = [DOCS / "index.md", *sorted((DOCS / "guide").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^()\s#]*)(?:#([^()\s]*))?\)")
MKDOCS = ROOT / ".build" / "docs" / "bin" / "mkdocs"


def in_menu(entries: object) -> list[str]:
    match entries:
        case str():
            return [entries]
        case list():
            return [page for entry in entries for page in in_menu(entry)]
        case dict():
            return [page for entry in entries.values() for page in in_menu(entry)]
    return []


def test_every_page_is_in_the_menu_once_and_every_entry_is_there() -> None:
    menu = in_menu(SETTINGS["nav"])

    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert sorted(page for page in menu if not page.startswith("project/")) == sorted(
        page for page in pages if not page.startswith("adr/")
    )
    assert all((ROOT / page.removeprefix("project/")).exists() for page in menu if page.startswith("project/"))


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_links_of_a_guide_lead_somewhere(page: Path) -> None:
    found = LINK.findall(page.read_text())

    for target, anchor in found:
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^a-z0-9 _-]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, (target, anchor)
    assert found or page.stem in {"rollback", "small-vm", "comparison"}


def test_the_first_screen_has_the_quickstart() -> None:
    lines = (DOCS / "index.md").read_text().splitlines()[:12]
    typed = [line for line in lines if line.startswith("$ ")]
    assert len(typed) == 5
    assert typed[-1].startswith("$ tonnage deploy")


def test_troubleshooting_has_every_exit_code() -> None:
    page = (DOCS / "guide" / "troubleshooting.md").read_text()
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}

    def below(kind: type[TonnageError]) -> set[int]:
        return {kind.exit_code}.union(*(below(each) for each in kind.__subclasses__()))

    assert {code for code in below(TonnageError) if code < 128} <= codes


@pytest.mark.long("makes the whole site")
@pytest.mark.skipif(not MKDOCS.exists(), reason="script/docs was not run")
def test_the_site_is_made_without_a_network_and_fetches_nothing(tmp_path: Path) -> None:
    nowhere = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https", "all")}
    subprocess.run(
        [MKDOCS, "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT, check=True, env=os.environ | nowhere,
    )  # fmt: skip

    for page in tmp_path.rglob("*.html"):
        text = page.read_text()
        assert not re.findall(r'<(?:script|img|iframe)[^>]*src="https?:', text), page
        assert not re.findall(r'<link[^>]*rel="(?:stylesheet|preconnect)"[^>]*href="https?:', text), page
