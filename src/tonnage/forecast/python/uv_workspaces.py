"""Which projects a workspace of uv has, as its lock tells.

Public:
    ``members_of(lock_text) -> dict[str, Member]``: by normalised name.
    ``project_texts(members)``: the least that uv wants to find where each lies.

Source: uv 0.13.9, ``uv export --frozen --package``: members have to be there, and nothing of them but the name counts.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from packaging.utils import canonicalize_name

from tonnage.forecast.python.toml_text import read_toml
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST = 1_000
_NAME = regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PATH = regex(r"[A-Za-z0-9_@+-][A-Za-z0-9._@+ -]{0,99}(?:/[A-Za-z0-9_@+-][A-Za-z0-9._@+ -]{0,99}){0,19}")


class Member(Struct, frozen=True):
    """One project of a workspace.

    Args:
        path: Where it lies below the workspace; ``.`` for the workspace itself.
        needs: The names of what it asks for.
    """

    path: str
    needs: tuple[str, ...]


def members_of(lock_text: str) -> dict[str, Member]:
    """Return the projects that are built from directories of the workspace; none of a lock that cannot be read.

    Raises:
        CannotResolveError: It is no TOML.
    """
    packages = read_toml(lock_text, "uv.lock").get("package")
    found: dict[str, Member] = {}
    for each in packages if isinstance(packages, list) else ():
        member = _member(each) if isinstance(each, dict) else None
        if member is not None and len(found) < _MOST:
            found[canonicalize_name(each["name"])] = member
    return found


def project_texts(members: Mapping[str, Member]) -> Iterator[tuple[str, str]]:
    """Yield the path of each file that has to be there, and what has to stand in it."""
    for name, member in members.items():
        if member.path != ".":
            yield posixpath.join(member.path, "pyproject.toml"), f'[project]\nname = "{name}"\nversion = "0"\n'


def _member(package: dict[str, Any]) -> Member | None:
    source, name = package.get("source"), package.get("name")
    told = source if isinstance(source, dict) else {}
    path = told.get("editable", told.get("virtual", told.get("directory")))
    if not isinstance(path, str) or not isinstance(name, str) or not _NAME.fullmatch(name):
        return None
    # A lock of strangers leads to no place outside.
    if path != "." and not _PATH.fullmatch(path):
        return None
    asked = package.get("dependencies")
    needs = [each.get("name") for each in asked if isinstance(each, dict)] if isinstance(asked, list) else []
    return Member(path, tuple(canonicalize_name(each) for each in needs if isinstance(each, str)))
