"""Names that Tonnage gives to what it makes on an engine, so that it recognises its own things again.

The names of images start with ``localhost/``: an engine that had to look for them would ask this machine, never a
public registry.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.model.stack import ComposeMapping

_COMPONENT = regex(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_LONGEST_COMPONENT = 100
_HERE = "localhost/"
_CONTENT = "content-"
_RECORD = ".record"
_ADOPTED = "adopted-"
_SHARED = regex(r"localhost/tonnage/shared:[0-9a-f]{24}")
_CONFIG_LENGTH = 12
_VERSION = regex(
    r"(?P<withdrawn>withdrawn-)?v(?P<number>[0-9]{1,9})(?:-(?P<config>[0-9a-f]{12}))?(?P<record>\.record)?"
)

LABEL_STACK = "tonnage.stack"
LABEL_SERVICE = "tonnage.service"
LABEL_INPUTS = "tonnage.inputs"
LABEL_VERSION = "tonnage.version"
LABEL_SHARED = "tonnage.shared"
LABEL_WHEELS = "tonnage.wheels"


def shared_reference(digest: str) -> str:
    """Return the name of an image of wheels that services share, which tells its content."""
    return f"{_HERE}tonnage/shared:{digest}"


def first_compose_name(stack: str, service: str) -> str:
    """Return the name that Compose 1 gives the image of a service that has no other, tag written out."""
    return f"{stack.lstrip('_-')}_{service}:latest"


def content_reference(stack: str, service: str, content_digest: str) -> str:
    """Return the name by which the nodes of a cluster run an image that no registry has: it tells the content."""
    digest = content_digest.rpartition(":")[2][:24]
    return f"{_HERE}tonnage/{_component(stack)}/{_component(service)}:{_CONTENT}{digest}"


def is_content(reference: str) -> bool:
    """Tell whether a name is one that :func:`content_reference` gives."""
    return reference.startswith(f"{_HERE}tonnage/") and reference.rpartition(":")[2].startswith(_CONTENT)


def is_shared(reference: str) -> bool:
    """Tell whether a name is one of an image of wheels that services share."""
    return _SHARED.fullmatch(reference) is not None


def adopted_reference(stack: str, place: str) -> str:
    """Return the name that tells an engine that a stack in this directory is the one that runs there."""
    return f"{_HERE}tonnage/{_component(stack)}:{_ADOPTED}{hashlib.sha256(place.encode()).hexdigest()[:12]}{_RECORD}"


def how_to_get(reference: str) -> str:
    """Say how an image comes to an engine that lacks it: what has a name of this machine alone is in no registry."""
    if is_of_this_machine(reference):
        return "No registry has this name: build it, or load it here first:\n  docker load --input FILE"
    return f"Pull or build it here first:\n  docker pull {reference}"


def is_of_this_machine(reference: str) -> bool:
    """Tell whether a name is one of this machine alone; with a port it may be that of a registry here."""
    return reference.startswith(_HERE)


def candidate_reference(stack: str, service: str) -> str:
    """Return the name of a built image that is not proven yet."""
    return _reference(stack, service, "candidate")


def unproven_reference(stack: str, service: str) -> str:
    """Return the name that holds a running image which was never proven, until its successor is."""
    return _reference(stack, service, "unproven")


def image_in(project: ComposeMapping, service: str) -> str:
    """Return the name of the image that a service runs in a project for Compose, which gives one to what is built."""
    return str(project["services"][service].get("image") or f"{project['name']}-{service}")


class VersionName(Struct, frozen=True, order=True):
    """What a name of ours says of a version of a service.

    Args:
        number: Unique in its stack; a version that was proven later has a higher one.
        config: Beginning of the digest of its configuration; empty where that is not known.
        withdrawn: It was rolled away from.
        is_record: What has this name is not the image, but what is known of the version.
    """

    number: int
    config: str = ""
    withdrawn: bool = False
    is_record: bool = False

    def reference(self, stack: str, service: str) -> str:
        """Return the name itself."""
        withdrawn, record = "withdrawn-" * self.withdrawn, _RECORD * self.is_record
        return _reference(stack, service, f"{withdrawn}v{self.number}{'-' * bool(self.config)}{self.config}{record}")


def version_name(number: int, config_digest: str) -> VersionName:
    """Return the name of a version with this configuration."""
    return VersionName(number, config_digest[:_CONFIG_LENGTH])


def is_config(known: str, config_digest: str) -> bool:
    """Return whether what a name says of a configuration is meant by a digest; what says nothing means none."""
    return bool(known) and known == config_digest[:_CONFIG_LENGTH]


def read_version_name(stack: str, service: str, reference: str) -> VersionName | None:
    """Return what a name says of a version of this service; None when it is no such name."""
    return next((name for _, name in version_names(repository(stack, service), (reference,))), None)


def repository(stack: str, service: str) -> str:
    """Return what all names of ours for a service have before their colon."""
    return _reference(stack, service, "").removesuffix(":")


def version_names(repository: str, references: Iterable[str]) -> Iterator[tuple[str, VersionName]]:
    """Yield those of these names that tell of versions of one service, with what they say."""
    for reference in references:
        before, _, tag = reference.rpartition(":")
        found = _VERSION.fullmatch(tag) if before == repository else None
        if found is not None:
            number, config = int(found["number"]), found["config"] or ""
            yield reference, VersionName(number, config, bool(found["withdrawn"]), bool(found["record"]))


def record_of(reference: str) -> str:
    """Return the name of what is known of the version that a name of ours tells of."""
    return f"{reference}{_RECORD}"


def is_record(reference: str) -> bool:
    """Tell whether a name is one of what is known of a version."""
    found = _VERSION.fullmatch(reference.rpartition(":")[2]) if reference.endswith(_RECORD) else None
    return found is not None


def own_names(stack: str, service: str, references: Iterable[str]) -> Iterator[str]:
    """Yield those of these names that are ours for a service."""
    beginning = _reference(stack, service, "")
    return (reference for reference in references if reference.startswith(beginning))


def numbers_of(stack: str, references: Iterable[str]) -> Iterator[int]:
    """Yield the numbers of versions of a stack that names tell."""
    beginning = f"{_HERE}tonnage/{_component(stack)}/"
    for reference in references:
        found = _VERSION.fullmatch(reference.rpartition(":")[2]) if reference.startswith(beginning) else None
        if found is not None:
            yield int(found["number"])


def why_ours_stays(reference: str) -> str:
    """Return why an image with this name must stay; empty when the name is none of ours, or holds nothing."""
    tag = reference.rpartition(":")[2]
    found = _VERSION.fullmatch(tag) if reference.startswith(f"{_HERE}tonnage/") else None
    if found is not None:
        if not found["withdrawn"]:
            return "kept for rollback"
        return "record of a version that was rolled back" if found["record"] else ""
    if tag.startswith(_ADOPTED) and reference.startswith(f"{_HERE}tonnage/"):
        return "record of an adopted stack"
    reasons = {"candidate": "a deploy may be about to check its health", "unproven": "kept for undo of a deploy"}
    return reasons.get(tag, "") if reference.startswith(f"{_HERE}tonnage/") else ""


def is_ours(reference: str) -> bool:
    """Tell whether a name is one that Tonnage gives: others may begin alike."""
    if not reference.startswith(f"{_HERE}tonnage/"):
        return False
    tag = reference.rpartition(":")[2]
    known = tag in {"candidate", "unproven"} or _VERSION.fullmatch(tag) is not None
    return known or is_shared(reference) or (tag.startswith(_ADOPTED) and tag.endswith(_RECORD))


def candidate_container_name(stack: str, service: str) -> str:
    """Return the name of the container that is proven while the running version still serves."""
    return f"{stack}-{service}-candidate"


def _reference(stack: str, service: str, tag: str) -> str:
    return f"{_HERE}tonnage/{_component(stack)}/{_component(service)}:{tag}"


def _component(name: str) -> str:
    """Return a name as a part of an image's name, which may hold less and may not be as long."""
    if _COMPONENT.fullmatch(name) and len(name) <= _LONGEST_COMPONENT:
        return name
    kept = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_COMPONENT].rstrip("-")
    # Names that differ must differ here too, or one service would take the image of another.
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{kept}-{digest}" if kept else digest
