"""The names of images, taken apart. Nothing here knows which registry stands behind a name without one.

Source: the grammar of distribution/reference (``reference.go`` and ``normalize.go``, v0.6).
"""

from __future__ import annotations

from msgspec import Struct

from tonnage.lazily import regex

_LONGEST = 255
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE = regex(
    rf"(?P<name>(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?"
)


class ImageName(Struct, frozen=True, kw_only=True):
    """A name of an image.

    Args:
        domain: The registry, with its port; empty where none is written.
        path: The repository in the registry, as it is written.
        tag: The tag; empty where none is written.
        digest: The digest of the manifest; empty where none is written.
    """

    domain: str
    path: str
    tag: str = ""
    digest: str = ""


def image_name(text: str) -> ImageName | None:
    """Take a name apart; None when an engine would not take the text as the name of an image."""
    match = _REFERENCE.fullmatch(text)
    if match is None or len(match["name"]) > _LONGEST:
        return None
    first, slash, rest = match["name"].partition("/")
    if not slash or not (first == "localhost" or set(".:") & set(first) or first != first.lower()):
        first, rest = "", match["name"]
    return ImageName(domain=first, path=rest, tag=match["tag"] or "", digest=match["digest"] or "")
