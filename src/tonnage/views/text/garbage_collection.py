"""An engine's garbage collection: as a check, as a JSON-able mapping, and the block that is written for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from tonnage.units import format_bytes
from tonnage.views.text.checks import OK, WARNING, Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tonnage.model.reclaim.garbage_collection import CollectionLoss, CollectionPolicy, CollectionReport

_HOUR_S = 3600
NAME = "garbage collection"


def collection_check(report: CollectionReport) -> Check:
    """Return what was found as one check: a warning where the stack would lose cache, or the disk is not looked at."""
    state = WARNING if report.losses or report.cache_mount else OK
    return Check(name=NAME, state=state, found=_found(report), todo="\n".join(_remarks(report)))


def collection_form(report: CollectionReport) -> dict[str, object]:
    """Return what is known as a JSON-able mapping."""
    return {
        "engine_version": report.version,
        "builder": report.builder,
        "told_by": report.policy.told_by,
        "mount": report.filesystem.mount,
        "size_bytes": report.filesystem.size_bytes,
        "reserve_bytes": report.reserve_bytes,
        "cache_bytes": report.cache_bytes,
        "rules": [asdict(rule) for rule in report.policy.rules],
        "losses": [asdict(each) for each in report.losses],
        "unknown": list(report.unknown),
    }


def block_text(block: Mapping[str, object]) -> str:
    """Return ``builder.gc`` as it stands in an engine's configuration."""
    return json.dumps({"builder": {"gc": block}}, indent=2) + "\n"


def block_form(block: Mapping[str, object], *, path: str | None, state: str) -> dict[str, object]:
    """Return ``builder.gc`` as a JSON-able mapping, with the file that it belongs in and how that is."""
    return {"path": path, "state": state, "builder_gc": dict(block)}


def _found(report: CollectionReport) -> str:
    policy, mount = report.policy, report.filesystem.mount
    whole = "unused build cache"
    if not policy.told_by:
        known = "reports its limits only while it runs, and to buildx 0.18 or newer"
        return f"unknown: the builder {report.builder} {known}"
    if not policy.rules:
        return f"none: {whole} grows until you remove it ({policy.told_by})"
    bound = policy.bound
    if bound is None:
        return f"{len(policy.rules)} rules, and none bounds the whole of the cache ({policy.told_by})"
    parts = []
    if bound.max_used_bytes > bound.reserved_bytes:
        parts.append(f"is above {format_bytes(bound.max_used_bytes)}")
        if bound.min_free_bytes:
            parts.append(f"less than {format_bytes(bound.min_free_bytes)} of {mount} are free")
        text = f"{whole} is removed, oldest first, once it {' or '.join(parts)}"
        text += f"; {format_bytes(bound.reserved_bytes)} of it always stay" if bound.reserved_bytes else ""
    elif bound.min_free_bytes and not bound.max_used_bytes:
        text = (
            f"{whole} is removed, oldest first, once less than {format_bytes(bound.min_free_bytes)} of {mount} are free"
        )
        text += f"; {format_bytes(bound.reserved_bytes)} of it always stay" if bound.reserved_bytes else ""
    else:
        text = f"at most {format_bytes(bound.reserved_bytes)} of {whole} stay"
    return f"{text}{_short_lived(policy)} ({policy.told_by})"


def _short_lived(policy: CollectionPolicy) -> str:
    first = policy.rules[0]
    if not first.filters or first.matches_nothing or not first.unused_s:
        return ""
    limit = format_bytes(first.max_used_bytes or first.reserved_bytes)
    hours = first.unused_s // _HOUR_S
    return f"; contexts, cache mounts and git checkouts go above {limit} once they are unused for {hours} h"


def _remarks(report: CollectionReport) -> Iterator[str]:
    bound, disk = report.policy.bound, report.filesystem
    begins = bound.min_free_bytes - disk.reserved_bytes if bound is not None else 0
    if bound is not None and begins > report.reserve_bytes:
        yield (
            f"It begins at {format_bytes(begins)} available, and the reserve is {format_bytes(report.reserve_bytes)}:"
            f" between the two no more than {format_bytes(bound.reserved_bytes)} of cache are sure to stay."
        )
    if report.cache_mount:
        yield (f"It measures {disk.mount}, and the cache is on {report.cache_mount}: it never sees that one fill.")
    for each in report.losses:
        yield _loss(each)
    if report.policy.rules and report.unknown:
        yield f"Not compared with the builds of {', '.join(report.unknown)}, which are not forecast yet:"
        yield "  tonnage forecast"
    if not report.builder and (report.losses or (report.cache_mount and report.policy.rules)):
        yield "For limits that suit this stack and disk:"
        yield "  tonnage doctor --builder-gc"


def _loss(loss: CollectionLoss) -> str:
    who = f"{', '.join(loss.needed_by)}, built later" if loss.needed_by else "the next deploy"
    return (
        f"After the build of {loss.after} {format_bytes(loss.free_bytes)} would be free: up to"
        f" {format_bytes(loss.removed_bytes)} of cache go, up to {format_bytes(loss.needed_bytes)} of it what {who},"
        " would find (forecast)."
    )
