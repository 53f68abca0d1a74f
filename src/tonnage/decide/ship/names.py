"""Names of ours for images on their way: one that is not proven yet, and what holds the layers that arrived so far.

They name the stack, so that two stacks never take each other's away.
"""

from __future__ import annotations

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.forecast.image_reference import image_name

_PREFIX = "localhost/tonnage-ship"
_OURS = regex(rf"{_PREFIX}/(?P<owner>[a-z0-9_-]+)/(?:carrier:[0-9a-f]{{32}}-\d+|incoming:[0-9a-f]{{32}})")
_OWNER = regex(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


def incoming(owner: str, config_digest: str) -> str:
    """Return the name that an image has until it is proven to be whole.

    Args:
        owner: The stack.
    """
    return f"{_PREFIX}/{_part(owner)}/incoming:{_short(config_digest)}"


def carrier(owner: str, config_digest: str, layers: int) -> str:
    """Return the name of an image that holds the first layers of another one."""
    return f"{_PREFIX}/{_part(owner)}/carrier:{_short(config_digest)}-{layers}"


def is_ours(name: str, owner: str = "") -> bool:
    """Return whether a name is one of these, of a certain stack where one is named."""
    found = _OURS.fullmatch(name)
    return found is not None and (not owner or found["owner"] == _part(owner))


def check_through(through: str) -> str:
    """Return a registry, with the beginning of repositories in it, as names of images begin with it.

    Raises:
        UsageError: It names no registry.
    """
    told = through.strip().rstrip("/")
    parsed = image_name(f"{told}/image")
    if parsed is None or not parsed.domain:
        raise UsageError(
            f"through: {through!r} names no registry",
            todo="Write its address as names of images begin with it, such as registry.example.org/fleet.",
        )
    return told


def repository_in(through: str, name: str) -> tuple[str, bool]:
    """Return the repository in which an image goes through a registry, and whether that is its own.

    Args:
        through: As :func:`check_through` returns it.
        name: What the image is called.

    Raises:
        UsageError: It has no name that a registry takes.
    """
    parsed = image_name(name)
    if parsed is None:
        raise UsageError(f"{name!r} is not the name of an image, so it goes through no registry")
    own = f"{parsed.domain}/{parsed.path}" if parsed.domain else parsed.path
    if own.startswith(f"{through}/"):
        return own, True
    return f"{through}/{parsed.path}", False


def transit_tag(config_digest: str) -> str:
    """Return the tag of an image in a registry on the way: made of its content, so it never moves."""
    return f"tonnage-{_short(config_digest)}"


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:32]


def _part(owner: str) -> str:
    """Return the name of a stack as a part of an image's name; names of stacks may have more dashes in a row."""
    return owner if _OWNER.fullmatch(owner) else f"x{owner.encode().hex()}"
