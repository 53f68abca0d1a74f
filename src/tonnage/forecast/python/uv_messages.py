"""What the resolver prints when it finds no solution, sorted into failures of ours. Pure: text in, failure out.

Source: uv 0.13.9, ``uv pip compile``; the tests of ``resolving`` run it into each of these failures.
"""

from __future__ import annotations

import re

from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.lazily import regex

# A name has a length, and so has what is looked for behind one: names and versions are an index's, and may be anything.
_NAME = r"(?<![A-Za-z0-9._-])[A-Za-z0-9][A-Za-z0-9._-]{0,200}?"
_SOURCE_ONLY = regex(
    r"(?:Wheels are required for|Building source distributions for|building .{0,200}? is disabled.{0,200}?)"
    rf" `({_NAME})`"
)
_NO_USABLE = regex(rf"({_NAME})(?:==(\S{{1,200}}?))? ha(?:s|ve) no usable wheels")
_MISSING = regex(rf"({_NAME}) was not found in the (?:package registry|provided package locations)")
_NO_VERSION = regex(
    rf"there (?:is|are) no versions? of ({_NAME})(?:\[[^\]]{{0,500}}\])?([<>=!~][^\s]{{0,200}})?(?=[ ,])"
)
_NO_WHEELS = regex(rf"({_NAME})(?:==(\S{{1,200}}))? ha(?:s|ve) no wheels with a matching")
_PARSE = regex(r"Couldn't parse requirement|Expected `--hash`|Unsupported (?:option|flag)|Unexpected '")
_REQUIRED = regex(rf"({_NAME})(?:\[[^\]]{{0,500}}\])?(?:\{{[^}}]{{0,500}}\}})?(?:[<>=!~]=?|===)\S")
_ASKED = regex(rf"\b(?:all versions of|you require) ({_NAME})(?=[\s,.])(?: and (?!all )({_NAME})(?=[\s,.]))?")
_NETWORK = regex(
    r"Failed to fetch|error sending request|client error \(Connect\)|dns error|Could not connect|timed out"
    r"|Request failed|connection (?:reset|refused)",
    re.IGNORECASE,
)
_STATUS = regex(r"HTTP status (?:client|server) error \((\d{3}) ")
_REFUSED = regex(r"\b(40[137]) (?:Unauthorized|Forbidden|Proxy Authentication Required)")
# Everything else that it prints is about itself, not about what was asked.
_DECIDED = regex(r"No solution found|unsatisfiable|conclude that|has no usable wheels|Wheels are required")
_NO_PAGE = regex(r"Received some unexpected (?:HTML|JSON)|(?:Unsupported|Missing) `Content-Type`")
_OFFLINE = regex(r"was not found in the cache|network was disabled|Network connectivity is disabled")
_PLATFORMS = regex(r"on the following platforms?: (.*)")


def source_only(stderr: str) -> dict[str, str]:
    """Return the packages that exist as source archives only, and their version where it was told.

    Returns:
        Versions by name; an empty one where none was told.
    """
    found = dict.fromkeys(_SOURCE_ONLY.findall(stderr), "")
    for name, version in _NO_USABLE.findall(stderr):
        if name in found and version:
            found[name] = version.rstrip(",")
    return found


def without_wheels(stderr: str) -> dict[str, str]:
    """Return the packages that have no wheel for the target, whether or not they have a source archive.

    Returns:
        Versions by name; an empty one where none was told.
    """
    found = source_only(stderr)
    for name, version in _NO_WHEELS.findall(" ".join(stderr.split())):
        found.setdefault(name, version)
    return found


def failure(stderr: str, *, target: str) -> CannotResolveError | CannotFetchError:
    """Return the failure that the resolver's words mean."""
    why = _reason(stderr)
    if _OFFLINE.search(stderr):
        return CannotFetchError("What the requirements need is not in the cache", "offline", why=why)
    status = _STATUS.search(stderr)
    refused = _REFUSED.search(stderr) or (status if status and status[1] in {"401", "403", "407"} else None)
    if refused:
        return CannotFetchError(f"The package index refuses access ({refused[1]})", "refused", why=why)
    if status:
        return CannotFetchError(f"The package index answers {status[1]}", "unreachable", why=why)
    if _NO_PAGE.search(stderr):
        return CannotFetchError(
            "The answer of the package index is not a package index page", "not understood", why=why
        )
    if _NETWORK.search(stderr) and "No solution found" not in stderr:
        return CannotFetchError("The package index cannot be reached", "unreachable", why=why)
    if _PARSE.search(stderr):
        return CannotResolveError("A requirement cannot be read", "invalid", why=why)
    if not _DECIDED.search(stderr):
        return CannotFetchError("The resolver failed", "not understood", why=why)
    return _unsolved(stderr, why, target)


def _unsolved(stderr: str, why: str, target: str) -> CannotResolveError:
    """Return which kind of a set that has no solution it is."""
    one_line = " ".join(stderr.split())
    without = tuple(dict.fromkeys(name for name, _ in _NO_WHEELS.findall(one_line)))
    if without:
        offered = _PLATFORMS.search(stderr)
        return CannotResolveError(
            f"There is no wheel of {_listed(without)} for {target}",
            "no wheels",
            packages=without,
            why="\n".join(line for line in why.splitlines() if not offered or offered[1] not in line),
            todo=f"Take a version or an image that there is a wheel for: {offered[1]}"
            if offered
            else "Take another version of it, or an image with another Python.",
        )
    missing = tuple(dict.fromkeys(_MISSING.findall(one_line)))
    if missing:
        return CannotResolveError(
            f"{_listed(missing)} {'does' if len(missing) == 1 else 'do'} not exist in the package index",
            "missing",
            packages=missing,
            why=why,
            todo="Correct the name, or name the index that has it.",
        )
    only_source = tuple(source_only(stderr))
    if only_source:
        return CannotResolveError(
            f"{_listed(only_source)} must be built from source", "source only", packages=only_source, why=why
        )
    versions = _NO_VERSION.findall(one_line)
    if versions and one_line.count("ecause") == 1:
        asked = tuple(dict.fromkeys(f"{name}{specifier}" for name, specifier in versions))
        names = tuple(dict.fromkeys(name for name, _ in versions))
        return CannotResolveError(f"There is no {_listed(asked)}", "missing", packages=names, why=why)
    named = (*_REQUIRED.findall(one_line), *(name for pair in _ASKED.findall(one_line) for name in pair if name))
    names = tuple(dict.fromkeys(name.lower() for name in named))
    what = "The requirements have no solution"
    if len(names) == 1:
        what = f"No version of {names[0]} matches the requirement"
    elif names:
        what = f"What is asked of {_listed(names)} cannot be had together"
    todo = "Ask for other versions of one of them." if len(names) > 1 else ""
    return CannotResolveError(what, "unsatisfiable", packages=names, why=why, todo=todo)


def _reason(stderr: str) -> str:
    """Return the resolver's words without its prefixes; a marker that says nothing to people stays."""
    lines = []
    for line in stderr.splitlines():
        text = re.sub(r"^\s*(?:error|cause|hint|×|╰─▶|│)\s*:?\s*", "", line).strip()  # noqa: RUF001 - as it is printed
        if text and not text.startswith(("No solution found", "warning:")):
            lines.append(text)
    return "\n".join(lines)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
