"""Names of ours for images on their way: one that is not proven yet, and what holds the layers that arrived so far.

They name the stack, so that two stacks never take each other's away.
"""

from __future__ import annotations

from tonnage.lazily import regex

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


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:32]


def _part(owner: str) -> str:
    """Return the name of a stack as a part of an image's name; names of stacks may have more dashes in a row."""
    return owner if _OWNER.fullmatch(owner) else f"x{owner.encode().hex()}"
