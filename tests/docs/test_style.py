"""Wordings that were replaced stay out of the source and the documents (``docs/style.md``)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BANNED = (
    "asks whether it is healthy", "good only when it is healthy in its place", "proven what it was started for",
    "what the build left and no image uses", "fits, also all at once", "what is written cannot be built",
    "does not say what it was built from", "the engine has everything already", "What can be asked again",
    "Where the journal lies", "CUDA comes along", "as far as the journal knows", "10-based or 2-based",
    "nothing in it is known", "is told neither by", "what has to stay cannot be told, so",
    "nothing says how much", "a run left it that came to nothing", "it need not be: the run",
    "nothing that may go gives", "what takes it: tonnage", "Know the bytes of every image",
    "Build, prove and switch over", "cheapest to get back", "Say what went wrong in a log",
    "beside measured", "Ask every service now", "Leave alone what has such a name", "Ask no server:",
    "whose bytes nobody knows", "For another Python than", "Between two looks.", "All that may go. Asks",
    "Go on in the background, and", "Only say whether the files", "what it depends on and is not running",
    "too old or lacking a feature", "Removed is what costs", "came free of", "come free:", 'too little"',
    "--json tells all", "holds until something else is typed", "so does nothing else", "Three ways in",
    "tell so themselves", "what is not measured is told", "engine still lives", "not provably superseded",
    "needs none of them; the", "whose disk is the one that counts", "base image being there", "blanks or line ends",
    'unremarked"', "being ended and undone; once more", "that was not the name;", "for what nobody knows: --assume",
    "once what cannot be built is corrected", "hitherto", "thereof", "whereof", "hereby", "heretofore", "whilst",
    "tonnage deploy, cleaned", "nothing to mend", "without a price:", "files alone are looked at", "runs, never proven",
    "grows until it is removed by hand", "; breaks nothing",
)  # fmt: skip


_OLD = re.compile(
    r"\b(anew|nobody|somebody|hence|lest|shall|mends?|mended|mending)\b|\bfor want of\b"
    r"|\b(come|comes|came) free\b|\blies outside\b",
    re.IGNORECASE,
)
# What earlier versions wrote into files, by which these are known again.
_MARKS = ("Written anew by: ", "which writes it anew")


def _texts() -> list[Path]:
    source = [*(ROOT / "src").rglob("*.py"), *(ROOT / "src").rglob("*.toml"), *(ROOT / "src").rglob("*.sh")]
    # Records of decisions say what was said then.
    pages = [page for page in (ROOT / "docs").rglob("*.md") if "adr" not in page.parts and page.name != "style.md"]
    return [*source, *pages, ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "action.yml"]


@pytest.mark.parametrize("wording", BANNED)
def test_a_wording_that_was_replaced_is_nowhere(wording: str) -> None:
    lowered = wording.lower()
    found = [str(path.relative_to(ROOT)) for path, text in TEXTS if lowered in text]
    assert not found, f"{wording!r} in {found}: docs/style.md says what to write instead"


def test_no_old_word_is_printed() -> None:
    found = [
        f"{path.name}:{line}: {text}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for line, text in _printed(path)
        if _OLD.search(text) and not any(mark in text for mark in _MARKS)
    ]
    assert not found, "docs/style.md says what to write instead"


def _printed(path: Path) -> list[tuple[int, str]]:
    """Return the texts of a module that are no descriptions of its code, with their lines."""
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    described = {id(each.value) for each in nodes if isinstance(each, ast.Expr)}
    texts = [each for each in nodes if isinstance(each, ast.Constant) and id(each) not in described]
    return [(each.lineno, each.value) for each in texts if isinstance(each.value, str)]


def test_the_page_has_ten_rules_with_before_and_after() -> None:
    rows = [line.split("|") for line in (ROOT / "docs" / "style.md").read_text().splitlines() if line.startswith("| ")]
    rules = [row for row in rows if row[1].strip().isdecimal()]
    assert [int(row[1]) for row in rules] == list(range(1, 11))
    assert all(row[3].strip() and row[4].strip() for row in rules)


# Lines are joined, so that a wording is found wherever it is broken.
TEXTS = [(path, " ".join(path.read_text(encoding="utf-8").lower().split())) for path in _texts()]
