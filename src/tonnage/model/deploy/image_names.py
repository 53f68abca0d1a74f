"""Names that Tonnage gives to what it makes on an engine, so that it recognises its own things again.

The names of images start with ``localhost/``: an engine that had to look for them would ask this machine, never a
public registry.
"""

from __future__ import annotations

import hashlib
import re

from tonnage.lazily import regex

_COMPONENT = regex(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_LONGEST_COMPONENT = 100
_HERE = "localhost/"

LABEL_STACK = "tonnage.stack"
LABEL_SERVICE = "tonnage.service"
LABEL_INPUTS = "tonnage.inputs"
LABEL_CONFIG = "tonnage.config"


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


def previous_reference(stack: str, service: str) -> str:
    """Return the name that keeps the image of the previous good version for rollback."""
    return _reference(stack, service, "previous")


def withdrawn_reference(stack: str, service: str) -> str:
    """Return the name of the image that was rolled away from, until the next deploy of the service."""
    return _reference(stack, service, "withdrawn")


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
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{kept}-{digest}" if kept else digest
