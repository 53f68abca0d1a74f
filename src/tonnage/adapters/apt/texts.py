"""The files of apt and dpkg as data. Pure: text in, values out.

Source: deb-control(5), sources.list(5), apt.conf(5), dpkg.cfg(5) of Debian 12.
"""

from __future__ import annotations

import re
from itertools import islice, product
from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.forecast.base_image import AptSource
from tonnage.model.forecast.debian_package import DebPackage, Relation
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tonnage.model.forecast.debian_package import Alternatives

_RELATION = regex(
    r"\s*(?P<name>[a-zA-Z0-9][a-zA-Z0-9+.-]*)(?::[a-z0-9-]+)?"
    r"\s*(?:\(\s*(?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[^)\s]{1,256})\s*\))?"
)
_ONE_LINE = regex(r"deb\s+(?:\[[^\]]*\]\s+)?(?P<address>\S+)\s+(?P<suite>\S+)(?P<components>(?:\s+\S+)*)")
# What begins and does not end is taken whole, so that nothing is looked at twice.
_SETTING = regex(
    r'(?<![\w:/.-])([A-Za-z][\w:/.-]*+)\s*+(?:"((?:[^"\\]|\\.)*+)"|(\{)|;)|(\})|"((?:[^"\\]|\\.)*+)"\s*+;'
    r'|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)',
    re.DOTALL,
)
_COMMENT = regex(
    r'("(?:[^"\\]|\\.)*+(?:"|\\?\Z))|//[^\n]*|/\*(?:.*?\*/|.*\Z)|^[^\S\n]*+#[^\n]*', re.DOTALL | re.MULTILINE
)
_OLD = {"<": "<=", ">": ">="}
_KIB = 1024
_DEEPEST = 50
_LONGEST_VERSION = 256
_MOST_SOURCES = 1_000


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """Read paragraphs of fields, such as ``/var/lib/dpkg/status`` has them.

    Yields:
        The fields of each paragraph, names in small letters; continued lines are joined by line ends.
    """
    fields: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if not line.strip():
            if fields:
                yield {each: "\n".join(lines) for each, lines in fields.items()}
            fields, name = {}, ""
        elif line[0] in " \t":
            if name:
                fields[name].append(line.strip())
        elif not line.startswith("#"):
            name, _, value = line.partition(":")
            name = name.lower()
            fields[name] = [value.strip()]
    if fields:
        yield {each: "\n".join(lines) for each, lines in fields.items()}


def relations(text: str) -> tuple[Alternatives, ...]:
    """Return what a field such as ``Depends`` asks for, of each need the alternatives."""
    found = []
    for part in text.split(","):
        alternatives = tuple(
            Relation(match["name"], _OLD.get(match["operator"] or "", match["operator"] or ""), match["version"] or "")
            for each in part.split("|")
            if (match := _RELATION.match(each))
        )
        if alternatives:
            found.append(alternatives)
    return tuple(found)


def package(fields: Mapping[str, str]) -> DebPackage | None:
    """Return a package of an index; None where its version or a size that it tells is none."""
    if len(fields.get("version", "")) > _LONGEST_VERSION:
        return None
    installed_kib = told_count(fields.get("installed-size") or "0")
    deb_bytes = told_count(fields.get("size") or "0")
    if deb_bytes is None or installed_kib is None or told_count(installed_kib * _KIB) is None:
        return None
    return DebPackage(
        name=fields.get("package", ""),
        version=fields.get("version", ""),
        architecture=fields.get("architecture", ""),
        installed_bytes=installed_kib * _KIB,
        deb_bytes=deb_bytes,
        depends=(*relations(fields.get("pre-depends", "")), *relations(fields.get("depends", ""))),
        recommends=relations(fields.get("recommends", "")),
        provides=tuple(each[0] for each in relations(fields.get("provides", ""))),
        conflicts=tuple(
            one for name in ("conflicts", "breaks") for each in relations(fields.get(name, "")) for one in each
        ),
        filename=fields.get("filename", ""),
        essential=fields.get("essential", "") == "yes",
        priority=fields.get("priority", ""),
    )


def installed(status: str) -> tuple[dict[str, str], dict[str, str]]:
    """Read what dpkg has installed.

    Args:
        status: The text of ``/var/lib/dpkg/status``.

    Returns:
        The version of each installed package by name, and the further names that those provide, with a
        version where one is told.
    """
    versions: dict[str, str] = {}
    provided: dict[str, str] = {}
    for fields in stanzas(status):
        if fields.get("status", "").endswith(" installed"):
            versions[fields.get("package", "")] = fields.get("version", "")
            provided |= {each[0].name: each[0].version for each in relations(fields.get("provides", ""))}
    return versions, provided


def one_line_sources(text: str) -> tuple[AptSource, ...]:
    """Return the sources of a ``sources.list``."""
    found = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0].strip())
        if match and "://" in match["address"]:
            components = tuple(match["components"].split())
            found.append(AptSource(address=match["address"].rstrip("/"), suite=match["suite"], components=components))
    return tuple(found[:_MOST_SOURCES])


def paragraph_sources(text: str) -> tuple[AptSource, ...]:
    """Return the sources of a ``*.sources`` file that are in use."""
    found: list[AptSource] = []
    for fields in stanzas(text):
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {"no", "false"}:
            continue
        components = tuple(fields.get("components", "").split())
        addresses = [each.rstrip("/") for each in fields.get("uris", "").split() if "://" in each]
        # Two long lists would be multiplied out.
        pairs = islice(product(addresses, fields.get("suites", "").split()), _MOST_SOURCES - len(found))
        found += [AptSource(address=address, suite=suite, components=components) for address, suite in pairs]
    return tuple(found)


def settings(text: str) -> dict[str, str]:
    """Return the values of an ``apt.conf`` by their whole name in small letters; of a list all of them, by lines."""
    found: dict[str, list[str]] = {}
    path: list[str] = []
    for match in _SETTING.finditer(_COMMENT.sub(lambda found: found[1] or "", text)):
        name, value, opens, closes, item = match.groups()
        if closes:
            path = path[:-1]
        elif opens:
            if len(path) >= _DEEPEST:
                break
            path.append(name)
        elif item is not None:
            found.setdefault("::".join(path).lower(), []).append(item)
        elif value is not None:
            whole = "::".join([*path, name]).lower()
            key = whole.removesuffix("::")
            if not whole.endswith("::"):
                found[key] = []
            found.setdefault(key, []).append(value)
    return {key: "\n".join(filter(None, values)) for key, values in found.items()}


def is_true(value: str, *, otherwise: bool) -> bool:
    """Return what apt takes a value for.

    Args:
        value: Its text; empty for what is not set.
        otherwise: What it is when it is not set.
    """
    word = value.strip().lower()
    if word in {"1", "yes", "true", "with", "on", "enable"}:
        return True
    return False if word in {"0", "no", "false", "without", "off", "disable"} else otherwise


def path_excludes(text: str) -> tuple[str, ...]:
    """Return what dpkg is told to leave out.

    Args:
        text: The text of a file of ``/etc/dpkg/dpkg.cfg.d``.
    """
    return tuple(re.findall(r"^path-exclude[= ]\s*(\S+)", text, re.MULTILINE))
