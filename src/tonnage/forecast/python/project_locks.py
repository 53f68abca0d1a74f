"""Locks that lie beside a project: what they say is used as it is, and nothing is resolved that they decide.

Public:
    ``read_locked(request, target, uv=, archives=, web=, access=, kept=, cancel=) -> Lock``

uv's lock and the standard's have addresses and sizes: no index is asked, and what was read is kept. Those of Poetry and
PDM have versions only: the resolver gets them as constraints, so it decides about markers and finds the addresses, and
nothing else.

Source: uv 0.13.9 ``uv export``; lock files of Poetry 1.1 to 2.2 and of PDM 4.4 and later.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace
from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from tonnage.forecast.python.lock_checks import check_form, contradictions
from tonnage.forecast.python.parsing import requirement
from tonnage.forecast.python.permitted import lead_by_indexes
from tonnage.forecast.python.pipfiles import pinned_by_pipenv
from tonnage.forecast.python.project_requirements import needs
from tonnage.forecast.python.pylock import read_pylock
from tonnage.forecast.python.resolution import resolve
from tonnage.forecast.python.toml_text import read_toml
from tonnage.forecast.python.uv_workspaces import members_of
from tonnage.lazily import learned
from tonnage.model.forecast.python_lock import Lock, LockOrigin, Other

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.adapters.interface import Cancel
    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.forecast.python.source_archives import SourceArchives
    from tonnage.forecast.python.uv import Uv
    from tonnage.model.forecast.python_lock import LockedRequest, Target

# The number changes with what is made of a lock, so that what an earlier version made is never read.
_KIND = "locked-1"
_VERSIONS_ONLY = frozenset({"Pipfile.lock", "poetry.lock", "pdm.lock"})


def read_locked(
    request: LockedRequest,
    target: Target,
    *,
    uv: Uv,
    archives: SourceArchives,
    web: Web,
    access: IndexAccess,
    kept: DiskCache,
    cancel: Cancel | None = None,
) -> Lock:
    """Return what an installer takes from a lock.

    Raises:
        CannotResolveError: The lock cannot be read, or has nothing for this target.
        CannotFetchError: The lock has no addresses, and the index cannot be reached; or it is of a newer form.
        EngineLacksError: The resolver cannot be started.
    """
    if request.lock_name not in _VERSIONS_ONLY:
        key = hashlib.sha256(msgspec.json.encode((request, target, _resolver()))).hexdigest()
        lock = _earlier(kept, key)
        if lock is None:
            check_form(request.lock_name, request.lock_text)
            lock = _without(_with_addresses(request, target, uv, access), request)
            kept.keep(_KIND, key, msgspec.msgpack.encode(lock))
        return lead_by_indexes(lock, uv, archives, access, web)
    check_form(request.lock_name, request.lock_text)
    if request.lock_name == "Pipfile.lock":
        asked = replace(request.asked, requirements=tuple(pinned_by_pipenv(request)), dependencies=False)
        found = resolve(asked, target, uv=uv, archives=archives, web=web, access=access, kept=kept, cancel=cancel)
        return replace(found, origin=LockOrigin.FILE if found.origin is not LockOrigin.LAST_KNOWN else found.origin)
    pins, others, indexes, unclear = _pinned(request)
    lines = [line for line in _bare(needs(request)) if canonicalize_name(requirement(line).name) not in others]
    asked = replace(
        request.asked,
        requirements=tuple(lines),
        constraints=(*request.asked.constraints, *pins),
        dependencies=True,
    )
    reached = replace(access, extra_index_urls=tuple(dict.fromkeys((*access.extra_index_urls, *indexes))))
    lock = resolve(asked, target, uv=uv, archives=archives, web=web, access=reached, kept=kept, cancel=cancel)
    said = [*contradictions(request, _names(needs(request)))]
    said += [f"{request.lock_name} has several versions of {name}; the newest that fits is taken" for name in unclear]
    found = replace(
        lock,
        others=(*lock.others, *others.values()),
        notes=(*lock.notes, *said),
        origin=LockOrigin.FILE if lock.origin is not LockOrigin.LAST_KNOWN else lock.origin,
    )
    return _without(found, request)


def _earlier(kept: DiskCache, key: str) -> Lock | None:
    try:
        return msgspec.msgpack.decode(kept.read(_KIND, key) or b"", type=learned(Lock))
    except msgspec.MsgspecError:
        return None


def _resolver() -> str:
    """Return what tells the resolver that is installed from others; empty where there is none."""
    from uv import find_uv_bin  # noqa: PLC0415 - it is not needed where no lock is read

    try:
        told = Path(find_uv_bin()).stat()
    except OSError:
        return ""
    return f"{told.st_size} {told.st_mtime_ns}"


def _with_addresses(request: LockedRequest, target: Target, uv: Uv, access: IndexAccess) -> Lock:
    """Return what a lock says that has addresses: nothing else decides about it."""
    if request.lock_name != "uv.lock":
        groups = None if not (request.groups or request.only_groups) else (*request.groups, *request.only_groups)
        return read_pylock(request.lock_text, target, place=request.lock_name, extras=request.extras, groups=groups)
    lock = read_pylock(uv.export(request, access), target, place="uv.lock", groups=(), extras=())
    if request.packages or request.all_packages:
        members = members_of(request.lock_text)
        chosen = members if request.all_packages else map(canonicalize_name, request.packages)
        asked_for = tuple(dict.fromkeys(need for name in chosen if name in members for need in members[name].needs))
        return replace(lock, requested=asked_for)
    wanted = tuple(_names(needs(request)))
    return replace(lock, requested=wanted, notes=(*lock.notes, *contradictions(request, wanted)))


def _without(lock: Lock, request: LockedRequest) -> Lock:
    """Return a lock without the packages that are left out."""
    left_out: set[str] = {canonicalize_name(name) for name in request.left_out}
    if not left_out:
        return lock
    return replace(
        lock,
        wheels=tuple(wheel for wheel in lock.wheels if wheel.name not in left_out),
        sdists=tuple(sdist for sdist in lock.sdists if sdist.name not in left_out),
        others=tuple(other for other in lock.others if other.name not in left_out),
    )


def _names(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        try:
            yield canonicalize_name(requirement(line).name)
        except InvalidRequirement:
            continue


def _bare(lines: Iterable[str]) -> Iterator[str]:
    """Yield requirements without versions, which the lock decides."""
    for line in lines:
        try:
            wanted = requirement(line)
        except InvalidRequirement:
            continue
        extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
        yield f"{wanted.name}{extras}" + (f" ; {wanted.marker}" if wanted.marker else "")


def _pinned(request: LockedRequest) -> tuple[list[str], dict[str, Other], list[str], list[str]]:
    """Return pins, what is no package of an index, indexes, and names that have several versions without a marker."""
    told = read_toml(request.lock_text, request.lock_name)
    found: dict[str, dict[str, str]] = {}
    others: dict[str, Other] = {}
    indexes: list[str] = []
    packages = told.get("package")
    for package in packages if isinstance(packages, list) else ():
        if not isinstance(package, dict) or not isinstance(package.get("name"), str):
            continue
        name: str = canonicalize_name(package["name"])
        version = str(package.get("version", ""))
        told_source = package.get("source")
        source: dict[str, Any] = told_source if isinstance(told_source, dict) else {}
        address = _elsewhere(package, source)
        if address:
            others[name] = Other(name=name, requirement=address, reason="It is built from a checkout or a directory")
        elif version:
            found.setdefault(name, {})[version] = _marker(package)
            if str(source.get("type")) in {"legacy", "simple"} and str(source.get("url", "")).startswith("http"):
                indexes.append(source["url"])
    pins, unclear = [], []
    for name, versions in found.items():
        if len(versions) > 1 and not all(versions.values()):
            unclear.append(name)
            continue
        # A marker is needed to tell versions apart; where there is one version, it would only let others in.
        pins += [f"{name}=={v}" + (f" ; {m}" if len(versions) > 1 else "") for v, m in versions.items()]
    return pins, others, list(dict.fromkeys(indexes)), unclear


def _elsewhere(package: dict[str, Any], source: dict[str, Any]) -> str:
    """Return where a package comes from that comes from no index."""
    if str(source.get("type")) in {"git", "directory", "file", "url"}:
        return str(source.get("url", ""))
    return next((str(package[key]) for key in ("git", "path", "url") if package.get(key)), "")


def _marker(package: dict[str, Any]) -> str:
    """Return the marker under which a version holds; a marker that differs by group is taken for none."""
    told = package.get("markers", package.get("marker", ""))
    return told if isinstance(told, str) else ""
