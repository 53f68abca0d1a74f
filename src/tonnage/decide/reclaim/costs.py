"""What it costs to get a thing of an engine back, in seconds, and how. The seconds only put things in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.inventory import CacheRecord, Container, Image

PULLED_BYTES_PER_S = 40_000_000
BUILT_BYTES_PER_S = 20_000_000
COPIED_BYTES_PER_S = 200_000_000
NOT_TO_BE_HAD_AGAIN_S = 600.0
"""An image that was neither pulled nor built here for a stack: perhaps nobody can make it again."""
LOST_DATA_S = 3600.0
"""What only exists in this one place."""
LOST_LOG_S = 1200.0
"""What a container has printed so far."""

_REMOVED_BYTES_PER_S = 1_500_000_000
_CALL_S = 0.1
_CALL_CACHE_S = 0.03

_CACHE_BYTES_PER_S = {
    "source.local": COPIED_BYTES_PER_S,
    "source.git.checkout": PULLED_BYTES_PER_S,
    "exec.cachemount": PULLED_BYTES_PER_S,
    "frontend": PULLED_BYTES_PER_S,
    "internal": COPIED_BYTES_PER_S,
}
_CACHE_BACK = {
    "source.local": "the next build sends its files again",
    "source.git.checkout": "the next build fetches the repository again",
    "exec.cachemount": "the next build downloads again what it kept there",
    "frontend": "the next build fetches its frontend again",
    "internal": "the next build makes it again",
}


def image_cost(
    image: Image, build_seconds: Mapping[tuple[str, str], float], program: str, *, brought: bool = False
) -> tuple[float, str]:
    """Return what it costs to get an unused image back.

    Args:
        brought: The machine came with it, and the next one does too: most probably nobody pulls it on this one.
    """
    own = (image.labels.get("tonnage.stack", ""), image.labels.get("tonnage.service", ""))
    pulled_s = 2.0 + image.size_bytes / PULLED_BYTES_PER_S
    if brought:
        return pulled_s / 10, f"{program} pull {shown(image)}; the next runner comes with it again"
    if image.pullable:
        return pulled_s, f"{program} pull {shown(image)}"
    if own in build_seconds:
        return build_seconds[own], f"the next build of {own[1]} in the stack {own[0]}, as long as the last one took"
    rebuilt_s = 1.0 + image.unique_bytes / BUILT_BYTES_PER_S
    if not image.references:
        # Nothing can ask for it by name; what it is good for is that a build may find its layers.
        return rebuilt_s / 10, "a build that needs its layers makes them again"
    if all(own):
        return rebuilt_s, f"the next build of {own[1]} in the stack {own[0]}"
    lost = "no registry is known to have it" if image.digests else "it cannot be pulled"
    return NOT_TO_BE_HAD_AGAIN_S + rebuilt_s, f"{lost}; whoever made it has to make it again"


def cache_cost(record: CacheRecord, *, worthless: bool) -> tuple[float, str]:
    """Return what it costs to get a record of the build cache back."""
    if worthless:
        return 0.0, "no need to recreate"
    speed = _CACHE_BYTES_PER_S.get(record.kind, BUILT_BYTES_PER_S)
    return 0.1 + record.size_bytes / speed, _CACHE_BACK.get(record.kind, "the next build runs that instruction again")


def container_cost(container: Container, program: str) -> tuple[float, str]:
    """Return what it costs to get a stopped container back."""
    if container.writable_bytes == 0:
        return 5.0, f"{program} run {container.image_reference}, with the options that it had"
    return LOST_DATA_S, "what it wrote into its own layer is lost, as is its log"


def builder_volume_cost(size_bytes: int) -> tuple[float, str]:
    """Return what it costs to get the cache of a builder back that is gone: nobody looks for it any more."""
    return (0.1 + size_bytes / BUILT_BYTES_PER_S) / 10, "builds of a new builder make it again"


def removal_s(kind: str, size_bytes: int) -> float:
    """Return how long the engine takes to remove something."""
    return (_CALL_CACHE_S if kind == "cache" else _CALL_S) + size_bytes / _REMOVED_BYTES_PER_S


def shown(image: Image) -> str:
    """Return what people call an image: a name, a digest, or the beginning of its id."""
    return next(iter(image.references or image.digests), image.image_id.removeprefix("sha256:")[:12])
