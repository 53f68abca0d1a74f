"""The lines that the resolver is given: rendered anew from what was parsed, never a text that somebody wrote. Pure.

Public:
    ``sorted_out(lines) -> (requirements, others)``
    ``rendered(requirement, address=) -> str``: one line, which begins with a letter or a digit.

What is built from a checkout or a directory is not for the resolver, which would fetch or read it. Markers are decided
here for the target, so none is ever rendered. The resolver puts ``${NAME}`` of its environment into addresses; the
sign is encoded, so it finds none.

Source: PEP 508; uv 0.13.9 for the characters that mean something in a requirement file.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from tonnage.addresses import origin_of, redacted
from tonnage.errors import CannotResolveError
from tonnage.forecast.python.parsing import requirement, sdist_name, wheel_name
from tonnage.forecast.python.pylock import markers_of
from tonnage.forecast.requirements.lines import refused_character
from tonnage.lazily import regex
from tonnage.model.forecast.python_lock import Other

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.requirements import Requirement

    from tonnage.model.forecast.python_lock import Target

_DIRECT = regex(r"^(?:-e\b|--editable\b|(?:git|hg|svn|bzr)\+|\.{0,2}/|file:)")
_REMOTE = regex(r"https?://", re.IGNORECASE)
_MOST_SHOWN = 200
_VERSION = regex(r"[A-Za-z0-9][A-Za-z0-9._+!*-]{0,254}")
_EGG = regex(r"#egg=([A-Za-z0-9._-]+)")
# What may stand in an address as it is; a comma separates addresses in the resolver's settings.
_IN_ADDRESS = "!#%&'()*+/:=?@[]~-._"


def sorted_out(lines: Iterable[str]) -> tuple[list[Requirement], list[Other]]:
    """Return the requirements that the resolver can decide about, and the others.

    Raises:
        CannotResolveError: One is none.
    """
    named: list[Requirement] = []
    others: list[Other] = []
    for line in lines:
        text = line.strip()
        if not text:
            continue
        bare = "" if _DIRECT.match(text) else _named_by_file(text)
        wanted = _parsed(bare, text) if bare else None
        if wanted is None or (wanted.url and not _REMOTE.match(wanted.url)):
            egg = _EGG.search(text)
            name = wanted.name if wanted else egg[1] if egg else ""
            others.append(
                Other(
                    name=canonicalize_name(name),
                    requirement=text,
                    reason="It is built from a checkout or a directory, whose bytes are not known before",
                )
            )
        else:
            named.append(wanted)
    return named, others


def holding(wanted: Iterable[Requirement], target: Target) -> list[Requirement]:
    """Return the requirements whose markers hold for a target."""
    environment = {**markers_of(target), "extra": ""}
    return [each for each in wanted if _holds(each, environment)]


def _holds(wanted: Requirement, environment: Mapping[str, str]) -> bool:
    """Whether a marker holds; one that compares what cannot be compared leaves the requirement in."""
    try:
        return wanted.marker is None or wanted.marker.evaluate(environment)
    except (UndefinedComparison, UndefinedEnvironmentName, ValueError, RecursionError):
        return True


def rendered(wanted: Requirement, address: str = "") -> str:
    """Return a requirement as a line, without its marker.

    Args:
        address: Stands in for the address of it; empty for its own.
    """
    extras = f"[{','.join(sorted(canonicalize_name(each) for each in wanted.extras))}]" if wanted.extras else ""
    name = f"{canonicalize_name(wanted.name)}{extras}"
    if wanted.url:
        return f"{name} @ {address or encoded(wanted.url)}"
    return f"{name}{wanted.specifier}"


def encoded(url: str) -> str:
    """Return an address in which nothing means anything to the resolver but the address."""
    return quote(url, safe=_IN_ADDRESS)


def _named_by_file(text: str) -> str:
    """Return a requirement with the name that its address tells; empty where a bare address tells none."""
    if not _REMOTE.match(text):
        return text
    address = text.split(maxsplit=1)[0]
    if origin_of(address) is None:
        return ""
    filename = unquote(posixpath.basename(urlsplit(address).path))
    for parse in (wheel_name, sdist_name):
        try:
            return f"{parse(filename)[0]} @ {text}"
        except ValueError:
            continue
    return ""


def _parsed(bare: str, text: str) -> Requirement:
    try:
        wanted = requirement(bare)
        why = ""
    except InvalidRequirement as error:
        wanted, why = None, str(error).partition("\n")[0]
    if wanted is not None and not refused_character(text):
        if not all(_VERSION.fullmatch(each.version) for each in wanted.specifier):
            why = "A version has characters, or a length, that no version has."
        elif wanted.url and _REMOTE.match(wanted.url) and origin_of(wanted.url) is None:
            why = "Its address is none."
        else:
            return wanted
    text = redacted(text[:_MOST_SHOWN])
    name = re.match(r"[A-Za-z0-9._-]*", text)
    raise CannotResolveError(
        f"{text if text.isprintable() else ascii(text)} is not a requirement", "invalid",
        packages=(canonicalize_name(name[0]),) if name and name[0] else (), why=why,
    )  # fmt: skip
