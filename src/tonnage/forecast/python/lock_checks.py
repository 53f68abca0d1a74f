"""Whether a lock is one that is read here, and one of its project. Text in, complaints out.

Public:
    ``check_form(name, text)``: refuses a lock of a newer form than is read.
    ``contradictions(request, asked) -> list[str]``: what a lock and its project do not agree about, as notes.

Source: ``poetry/packages/locker.py`` of Poetry 1.8 and 2.2 for the sum of what a lock was made for.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from tonnage.errors import CannotFetchError
from tonnage.forecast.python.toml_text import read_toml
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.model.forecast.python_lock import LockedRequest

_FORM = regex(r'^(?:lock-version|lock_version) = "?(\d{1,6})', re.MULTILINE)
_FORM_OF_UV = regex(r"^version = (\d{1,6})$", re.MULTILINE)
_NEWEST = {"uv.lock": 1, "poetry.lock": 2, "pdm.lock": 4}
_NAME = regex(r'^name = "([^"\n]{1,200})"', re.MULTILINE)
_MADE_FOR = regex(r'^content-hash = "([0-9a-f]{64})"', re.MULTILINE)
_OLD_KEYS = ("dependencies", "source", "extras", "dev-dependencies")
_MOST_NAMED = 5


def check_form(name: str, text: str) -> None:
    """Check that a lock has a form that is read.

    Raises:
        CannotFetchError: It is newer.
    """
    told = _FORM_OF_UV.search(text) if name == "uv.lock" else _FORM.search(text)
    newest = _NEWEST.get(name, 1)
    if told is not None and int(told[1]) > newest:
        raise CannotFetchError(
            f"{name} has the form {told[1]}, which is newer than what is read here ({newest})",
            "not understood",
            why="A newer version of the program that made it may install from it.",
        )


def contradictions(request: LockedRequest, asked: Iterable[str]) -> list[str]:
    """Return where a lock does not belong to its project.

    Args:
        asked: The normalised names that the project asks for.
    """
    there = {canonicalize_name(name) for name in _NAME.findall(request.lock_text)}
    lacking = [name for name in dict.fromkeys(asked) if name not in there]
    found = []
    if lacking:
        named = ", ".join(lacking[:_MOST_NAMED]) + (f" and {len(lacking) - _MOST_NAMED} more" if lacking[5:] else "")
        found.append(
            f"{request.lock_name} does not have {named}, which pyproject.toml asks for: an installer that checks it"
            f" refuses it. Make it again"
        )
    told = _MADE_FOR.search(request.lock_text) if request.lock_name == "poetry.lock" else None
    if told is not None and not lacking and told[1] not in _sums(request.project_text):
        found.append("poetry.lock was made for another pyproject.toml: Poetry refuses it. Run poetry lock")
    return found


def _sums(project_text: str) -> Iterator[str]:
    """Yield the sums that versions of Poetry make of a project."""
    told = read_toml(project_text, "pyproject.toml")
    project, tool = _table(told, "project"), _table(told, "tool")
    poetry = _table(tool, "poetry")
    own = {key: poetry.get(key) for key in _OLD_KEYS}
    group = {"group": poetry["group"]} if poetry.get("group") is not None else {}
    standard = {
        key: project[key] for key in ("requires-python", "dependencies", "optional-dependencies") if key in project
    }
    groups = told.get("dependency-groups")
    given = {key: value for key, value in {**own, **group}.items() if value is not None}
    yield _sum({**own, **group})
    yield _sum(own)
    for content in ({"project": standard, "tool": {"poetry": given}}, {"project": standard, "tool": {"poetry": {}}}):
        yield _sum(content)
        yield _sum({**content, "dependency-groups": groups})


def _sum(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _table(told: dict[str, Any], name: str) -> dict[str, Any]:
    below = told.get(name)
    return below if isinstance(below, dict) else {}
