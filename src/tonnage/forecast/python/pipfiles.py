"""What a ``Pipfile.lock`` pins, and what a ``Pipfile`` asks for, as requirements. Text in, lines out.

Source: Pipenv 2026.10, ``pipenv requirements``; pipfile-spec 6.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement

from tonnage.addresses import origin_of
from tonnage.errors import CannotResolveError
from tonnage.forecast.python.parsing import requirement
from tonnage.forecast.python.toml_text import read_toml
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.model.forecast.python_lock import LockedRequest

# What Pipenv writes into every new file, so that a setting of the machine for the usual index still counts.
_USUAL = regex(r"https://pypi\.(?:org|python\.org)/simple/?")
_IN_LOCK = {"packages": "default", "dev-packages": "develop"}


def pinned_by_pipenv(request: LockedRequest) -> list[str]:
    """Return everything that a lock installs.

    Raises:
        CannotResolveError: It cannot be read.
    """
    try:
        told = json.loads(request.lock_text)
    except (ValueError, RecursionError) as error:
        raise CannotResolveError("Pipfile.lock is not a valid lock file", "invalid", why=str(error)) from error
    told = told if isinstance(told, dict) else {}
    return [line for group in _groups(request) for line in _lines(told.get(_IN_LOCK.get(group, group)))]


def asked_by_pipfile(request: LockedRequest) -> list[str]:
    """Return what a project asks for.

    Raises:
        CannotResolveError: It cannot be read.
    """
    told = read_toml(request.project_text, "Pipfile")
    return [line for group in _groups(request) for line in _lines(told.get(group))]


def unverified_hosts(text: str) -> tuple[str, ...]:
    """Return the hosts of a ``Pipfile`` for which Pipenv has pip trust them; none where it cannot be read."""
    origins = (origin_of(str(each.get("url"))) for each in _sources(text) if each.get("verify_ssl") is False)
    return tuple(host for origin in origins if origin is not None for host in origin[1:2])


def indexes_of(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the index that a ``Pipfile`` names in place of the usual one, empty for that, and its further ones.

    One with a variable in it is left out: what that holds is no business of a forecast.
    """
    urls = [url for each in _sources(text) if isinstance(url := each.get("url"), str) and "$" not in url]
    first, further = "".join(urls[:1]), tuple(urls[1:])
    return ("" if _USUAL.fullmatch(first) else first), further


def _sources(text: str) -> list[dict[str, Any]]:
    try:
        sources = read_toml(text, "Pipfile").get("source")
    except CannotResolveError:
        return []
    return [each for each in sources if isinstance(each, dict)] if isinstance(sources, list) else []


def _groups(request: LockedRequest) -> tuple[str, ...]:
    return request.only_groups or ("packages", *request.groups)


def _lines(packages: object) -> Iterator[str]:
    for name, value in packages.items() if isinstance(packages, dict) else ():
        table: dict[str, Any] = value if isinstance(value, dict) else {"version": value}
        version = str(table.get("version") or "*")
        extras = table.get("extras")
        chosen = f"[{','.join(map(str, extras))}]" if isinstance(extras, list) and extras else ""
        place = table.get("git") or table.get("file") or table.get("path")
        at = f" @ {'git+' if table.get('git') else ''}{place}" if place else "" if version == "*" else version
        marker = f" ; {table['markers']}" if table.get("markers") else ""
        for line in (f"{name}{chosen}{at}{marker}", f"{name}{chosen}"):
            with suppress(InvalidRequirement):
                requirement(line)
                yield line
                break
