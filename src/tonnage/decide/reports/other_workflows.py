"""What the user's own workflows do that written ones do as well: free disk, build the same images, push them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.reports.ci_job import DoneElsewhere

if TYPE_CHECKING:
    from collections.abc import Sequence

CLEANS, BUILDS = "cleans", "builds"
_CLEANS = regex(
    r"\brm\s+-\S*r\S*\s.{0,200}(?:/usr/share/dotnet|/usr/local/lib/android|/opt/ghc|/opt/hostedtoolcache|AGENT_TOOLSDIRECTORY"
    r"|/usr/local/share/(?:boost|powershell))|\bdocker\s+(?:system|image|builder|buildx|volume)\s+prune\b"
    r"|\bdocker\s+(?:rmi|image\s+rm)\b|\buses:\s*\S*(?:free-disk-space|maximize-build-space|disk-space-reclaimer)\S*",
)
_BUILDS = regex(
    r"\bdocker[ -]compose\b.{0,200}\s(?:build\b|up\b.{0,200}--build)|\bdocker\s+(?:buildx\s+)?(?:build|bake)\b"
    r"|\buses:\s*docker/(?:build-push-action|bake-action)@",
)
_COMMENT = regex(r"^\s*#")
_MOST_FOUND = 20
_LONGEST_SHOWN = 100


def done_elsewhere(file: str, text: str, images: Sequence[str]) -> tuple[DoneElsewhere, ...]:
    """Return the lines of a workflow that free disk or build images.

    Args:
        file: Its name, for people.
        images: Images of the stack that are built.

    Returns:
        The first twenty of them.
    """
    named = next((image for image in images if _without_tag(image) and _without_tag(image) in text), "")
    found: list[DoneElsewhere] = []
    for number, line in enumerate(text.splitlines(), 1):
        if len(found) == _MOST_FOUND:
            break
        if _COMMENT.match(line) or len(line) > 10 * _LONGEST_SHOWN:
            continue
        does = CLEANS if _CLEANS.search(line) else BUILDS if _BUILDS.search(line) else ""
        if does:
            shown = line.strip()[:_LONGEST_SHOWN]
            found.append(DoneElsewhere(file=file, line=number, does=does, text=shown, image=named * (does == BUILDS)))
    return tuple(found)


def _without_tag(image: str) -> str:
    name, _, tag = image.rpartition(":")
    return name if name and "/" not in tag else image
