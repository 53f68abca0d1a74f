"""What ``pip download`` and ``pip wheel`` leave: the archives as files, and what pip keeps of them in its cache. Pure.

What is fetched waits in the temporary directory until the end, and is copied from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.costs.installer_caches import cacheable_of, pip_needs
from tonnage.forecast.costs.wheel_installs import Installation
from tonnage.model.forecast.compression import Content
from tonnage.model.forecast.estimate import assumed, exactly, total
from tonnage.model.forecast.sized_effects import WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.installs import CacheKind
    from tonnage.model.forecast.python_lock import Lock, WheelContents


def fetched(
    lock: Lock, contents: Sequence[WheelContents], place: str, cache: CacheKind, assumed_bytes: int
) -> Installation:
    """Return what fetching a lock leaves, and needs on top."""

    def piece(filename: str, size_bytes: int | None) -> WrittenBytes:
        size = assumed(assumed_bytes) if size_bytes is None else exactly(size_bytes)
        return WrittenBytes.of_size(filename, place, size, "the index", download=size, content=Content.PACKED)

    wheels = [piece(each.filename or each.name, each.size_bytes) for each in lock.wheels]
    pieces = (*wheels, *(piece(each.filename or each.name, each.size_bytes) for each in lock.sdists))
    known = {each.wheel.digest or each.wheel.url: each for each in contents}
    allowed: list[Estimate] = []
    for wheel, written in zip(lock.wheels, wheels, strict=True):
        read = known.get(wheel.digest or wheel.url)
        allowed += [cacheable_of(written, read)] if read is not None else []
    kept, transient = pip_needs(total(each.download for each in pieces), total(allowed), len(pieces), cache)
    return Installation(pieces=pieces, cache=kept, transient=transient, inodes=len(pieces))
