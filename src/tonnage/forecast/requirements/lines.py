"""One requirement as it is written to a ``Requirement``: by name, by address, by path.

Source: ``pip/_internal/req/constructors.py`` and ``req_file.py`` of pip 26.3.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.forecast.requirements import Requirement, RequirementKind

if TYPE_CHECKING:
    from tonnage.model.stack import Place

_NAMED = regex(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[(?P<extras>[^\]]*)\])?\s*"
    r"(?:\(?(?P<specifier>(?:(?:===|==|~=|!=|<=|>=|<|>)[^;@)]*)?)\)?\s*)?(?:;\s*(?P<marker>.*))?",
    re.DOTALL,
)
# A comma may end them. What versions there are, and how they are compared, is for the resolver to know.
_CLAUSES = regex(r"(?: ?(?:===|==|~=|!=|<=|>=|<|>) ?[^ ,<>=!~]+ ?(?:,|$))*")
_AT = regex(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[(?P<extras>[^\]]*)\])?\s*@\s*"
    r"(?P<location>\S+)(?:\s+;\s*(?P<marker>.*))?",
    re.DOTALL,
)
_ADDRESS = regex(r"[a-zA-Z][a-zA-Z0-9+.-]*:", re.DOTALL)
_REPOSITORY = regex(r"(?:git|hg|bzr|svn)\+", re.IGNORECASE)
_ARCHIVE = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar")
_EGG = regex(r"(?:^|[#&])egg=(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^\]]*)\])?")

# Every character that ends a line somewhere, and every other one that controls something; a tab is a space.
_REFUSED = regex(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def refused_character(text: str) -> str:
    """Return the first character that no requirement may hold, such as ``U+000C``; empty where there is none."""
    found = _REFUSED.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def normal_name(name: str) -> str:
    """Return a project's name in the form by which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_requirement(
    text: str, place: Place, *, directory: str = "", editable: bool = False, hashes: tuple[str, ...] = ()
) -> Requirement | None:
    """Read one requirement, paths from a directory on where one is given; None when the text is none."""
    text = text.strip()
    if not text:
        return None
    # Blanks in a row would be tried in every order between the parts.
    squeezed = " ".join(text.split())
    named = _AT.fullmatch(squeezed)
    if named is not None:
        kind = _kind(named["location"])
        location = named["location"]
        return Requirement(
            text=text,
            kind=kind,
            place=place,
            name=normal_name(named["name"]),
            extras=_extras(named["extras"]),
            marker=(named["marker"] or "").strip(),
            location=_joined(directory, location) if kind is RequirementKind.PATH else location,
            editable=editable,
            hashes=hashes or _hash(location),
        )
    location, _, marker = text.partition(" ;") if " ;" in text else text.partition("; ")
    if editable or _ADDRESS.match(text) or _is_path(location):
        return _located(location.strip(), marker.strip(), place, directory, hashes, text=text, editable=editable)
    match = _NAMED.fullmatch(squeezed)
    if match is None or not _CLAUSES.fullmatch((match["specifier"] or "").rstrip()):
        return None
    return Requirement(
        text=text,
        kind=RequirementKind.NAMED,
        place=place,
        name=normal_name(match["name"]),
        extras=_extras(match["extras"]),
        specifier=re.sub(r"\s+", "", match["specifier"] or "").rstrip(","),
        marker=(match["marker"] or "").strip(),
        hashes=hashes,
    )


def _located(
    location: str, marker: str, place: Place, directory: str, hashes: tuple[str, ...], *, text: str, editable: bool
) -> Requirement:
    kind = _kind(location)
    egg = _EGG.search(location.partition("#")[2])
    extras = _extras(egg["extras"]) if egg else ()
    name = normal_name(egg["name"]) if egg else ""
    if kind is RequirementKind.PATH:
        location, with_extras = _without_extras(location)
        extras = _extras(with_extras) or extras
        location = _joined(directory, location)
    file = location.partition("#")[0].partition("?")[0].rpartition("/")[2]
    if not name and file.endswith(".whl"):
        name = normal_name(file.partition("-")[0])
    return Requirement(
        text=text,
        kind=kind,
        place=place,
        name=name,
        extras=extras,
        marker=marker,
        location=location,
        editable=editable,
        hashes=hashes or _hash(location),
    )


def _without_extras(location: str) -> tuple[str, str]:
    """Return a path, and what stands in brackets at its end."""
    inner = location.removesuffix("]")
    begin = inner.find("[", max(inner.rfind("]"), inner.rfind("/")) + 1)
    return (location, "") if inner == location or begin < 0 else (location[:begin], inner[begin + 1 :])


def _kind(location: str) -> RequirementKind:
    if _REPOSITORY.match(location):
        return RequirementKind.REPOSITORY
    if location.startswith("file:"):
        return RequirementKind.PATH
    return RequirementKind.ADDRESS if _ADDRESS.match(location) else RequirementKind.PATH


def _is_path(text: str) -> bool:
    """Return whether pip takes a text for a path: it begins with a dot, has a slash, or ends like an archive."""
    bare = text.partition("[")[0]
    return text.startswith(".") or "/" in bare or bare.endswith(_ARCHIVE)


def _joined(directory: str, location: str) -> str:
    path = location.removeprefix("file:").removeprefix("//")
    return posixpath.normpath(posixpath.join(directory, path)) if directory else path


def _extras(text: str | None) -> tuple[str, ...]:
    return tuple(normal_name(each.strip()) for each in (text or "").split(",") if each.strip())


def _hash(location: str) -> tuple[str, ...]:
    match = re.search(r"[#&](sha(?:256|384|512|1)|md5)=([0-9a-fA-F]+)", location)
    return (f"{match[1]}:{match[2].lower()}",) if match else ()
