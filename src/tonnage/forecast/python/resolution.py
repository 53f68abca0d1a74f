"""What a set of Python requirements resolves to for the Python of an image: uv decides, nothing is built or installed.

Public:
    ``resolve(request, target, web=, access=, kept=, relay=, environment=, cancel=, now_s=) -> Lock``

Nothing of a source archive is ever run on this machine, so wheels alone are considered; a package that has none is
left out of the resolution and told, with what only it needs. The resolver's answer is kept for a day, or for ever
where the requirements leave it no choice; the last known one is used, and said to be, where no index answers.

Limits: for pip, indexes are weighed as pip does (the best version of all). Where the newest version of a package has no
wheel, pip builds it while this takes the newest version that has one.

Source: uv 0.13.9, ``uv pip compile --format pylock.toml``.
"""

from __future__ import annotations

import hashlib
import re
import time
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tonnage.adapters.web.client import shown as addressed
from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.forecast.python.index_session import WHEEL_ADDRESS
from tonnage.forecast.python.pylock import shown
from tonnage.forecast.python.source_archives import needed_by, source_archive, versions_asked_for
from tonnage.forecast.python.uv import run_resolver
from tonnage.forecast.python.uv_messages import failure, without_wheels
from tonnage.lazily import regex
from tonnage.model.forecast.python_lock import Lock, LockOrigin, Other, Sdist

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tonnage.adapters.interface import Cancel
    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.forecast.python.index_relay import IndexRelay
    from tonnage.forecast.python.index_session import ResolverRun
    from tonnage.model.forecast.python_lock import ResolveRequest, Target, Wheel

_KIND = "lock-2"
_FRESH_S = 86400.0
_MOST_WITHOUT_WHEELS = 12
_DIRECT = regex(r"^(?:-e\b|--editable\b|(?:git|hg|svn|bzr)\+|\.{0,2}/|file:)")
_OPTION = regex(r"\s+--(?:hash|config-settings?|global-option)\b.*$", re.DOTALL)


def resolve(
    request: ResolveRequest,
    target: Target,
    *,
    web: Web,
    access: IndexAccess,
    kept: DiskCache,
    relay: IndexRelay,
    environment: Mapping[str, str],
    cancel: Cancel | None = None,
    now_s: float | None = None,
) -> Lock:
    """Resolve requirements.

    Args:
        now_s: Now, seconds since the epoch; None to ask the clock.

    Raises:
        CannotResolveError: There is no such requirement, no solution, or nothing for this target.
        CannotFetchError: The index cannot be reached and nothing is known of earlier.
        EngineLacksError: The resolver cannot be started.
        StepFailedError: It was cancelled.
    """
    now_s = time.time() if now_s is None else now_s
    key = _key(request, target, access)
    earlier = _earlier(kept, key)
    fresh_s = float("inf") if _is_settled(request) else _FRESH_S
    if earlier is not None and (web.offline or now_s - earlier.resolved_s < fresh_s):
        if now_s - earlier.resolved_s < fresh_s:
            return replace(earlier, origin=LockOrigin.REMEMBERED)
        return _last_known(earlier, "There is no network")
    try:
        lock = _ask(request, target, access, relay, environment, cancel, offline=web.offline)
    except CannotFetchError as error:
        if earlier is None:
            raise
        return _last_known(earlier, error.what)
    if lock.origin is LockOrigin.LAST_KNOWN:
        # Pages of earlier stood in for the index: its next answer must not wait for a day.
        return lock if earlier is None else _last_known(earlier, "The package index cannot be reached")
    lock = replace(lock, resolved_s=now_s)
    kept.keep(_KIND, key, msgspec.msgpack.encode(lock))
    return lock


def _key(request: ResolveRequest, target: Target, access: IndexAccess) -> str:
    """Return what tells one question from others; the addresses are hashed, because they can hold passwords."""
    asked = msgspec.json.encode((request, target, access.index_url, access.extra_index_urls))
    return hashlib.sha256(asked).hexdigest()


def _earlier(kept: DiskCache, key: str) -> Lock | None:
    content = kept.read(_KIND, key)
    if content is None:
        return None
    try:
        return msgspec.msgpack.decode(content, type=Lock)
    except msgspec.MsgspecError:
        return None


def _is_settled(request: ResolveRequest) -> bool:
    """Whether the requirements leave no choice: each is pinned, and nothing else may come."""
    pinned = all(re.search(r"(?<![<>=!~])===?(?![^;]*\*)", line) for line in request.requirements)
    return bool(request.requirements) and pinned and (request.require_hashes or not request.dependencies)


def _last_known(earlier: Lock, why: str) -> Lock:
    """Return an earlier answer that is no longer fresh, and say so."""
    day = time.strftime("%Y-%m-%d", time.gmtime(earlier.resolved_s))
    notes = (*earlier.notes, f"{why}: what the requirements resolved to on {day} is used")
    return replace(earlier, origin=LockOrigin.LAST_KNOWN, notes=notes)


def _ask(
    request: ResolveRequest,
    target: Target,
    access: IndexAccess,
    relay: IndexRelay,
    environment: Mapping[str, str],
    cancel: Cancel | None,
    *,
    offline: bool,
) -> Lock:
    """Ask the resolver, once more for each package that turns out to have no wheel but a source archive."""
    named, others = _sorted_out(request.requirements)
    excluded: dict[str, Sdist] = {}
    indexes = () if request.no_index else relay.indexes(access)
    addresses = [*indexes, *request.find_links, *(found[0] for line in named for found in WHEEL_ADDRESS.finditer(line))]
    access = access.knowing(addresses)
    stood_in = _stood_in_for(request, addresses, access, relay, offline=offline)
    asked_for = [_OPTION.sub("", line) for line in (*named, *request.constraints)]

    def built_from(name: str, version: str, needed: Iterable[str]) -> Sdist | None:
        """Find what a package is built from, where several lines ask for it."""
        allowed = versions_asked_for(name, (*asked_for, *needed), target)
        if version:
            allowed &= SpecifierSet(f"=={version}")
        return source_archive(name, allowed, target.python, relay.pages, access, indexes)

    with relay.session(access, dated=bool(request.exclude_newer)) as session:
        while True:
            plain = session.plain
            asked = replace(request, requirements=tuple(line for line in named if _name(line) not in excluded))
            reached = access
            if stood_in:
                local = tuple(map(session.address, indexes))
                asked = session.request(asked)
                reached = replace(access, index_url=local[-1] if local else "", extra_index_urls=local[:-1])
            answer = run_resolver(
                asked, target, reached, environment, cancel,
                excluded=excluded, offline=offline and not stood_in, session=session if stood_in else None,
            )  # fmt: skip
            if session.failure is not None:
                raise session.failure
            if stood_in and (session.is_locked_out or (session.plain and access.credentials)):
                # The resolver may know the user in more ways, and takes nobody along from the loopback to a server.
                stood_in = False
                continue
            if isinstance(answer, Lock):
                break
            if session.plain and not plain:
                continue
            reason = failure(answer, target=shown(target))
            versions = {canonicalize_name(name): version for name, version in without_wheels(answer).items()}
            names = [name for name in versions if name not in excluded and _may_be_built(name, request)]
            found = [built_from(name, versions[name], ()) for name in names]
            archives = {archive.name: archive for archive in found if archive is not None}
            if not archives or len(excluded) >= _MOST_WITHOUT_WHEELS:
                raise _better(reason, session, access)
            excluded |= archives
        wheels = tuple(map(session.told, answer.wheels))
        needed = {
            wheel: needed_by(session.metadata[wheel.url].text) for wheel in wheels if wheel.url in session.metadata
        }
        lines = [line for each in needed.values() for line in each]
        built = tuple(built_from(name, "", lines) or archive for name, archive in excluded.items())
    machine_notes = _machine_notes(access, session)
    notes = _notes_of_built(built, needed, target)
    return _as_built(
        replace(
            answer,
            wheels=wheels,
            sdists=(*answer.sdists, *built),
            others=(*answer.others, *others),
            requested=tuple(name for name in map(_name, named) if name),
            notes=notes,
            machine_notes=machine_notes,
            origin=LockOrigin.LAST_KNOWN if session.oldest_s else LockOrigin.RESOLVED,
        ),
        request.no_binary,
    )


def _machine_notes(access: IndexAccess, session: ResolverRun) -> tuple[str, ...]:
    """Return what is true of this machine alone."""
    notes = []
    if access.left_out:
        left_out = ", ".join(access.left_out)
        notes.append(f"settings of pip on this machine are not used, because a build cannot see them: {left_out}")
    if session.oldest_s:
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - session.oldest_s))
        notes.append(f"the package index cannot be asked: what it offered on {day} is used")
    return tuple(notes)


def _notes_of_built(built: Iterable[Sdist], needed: Mapping[Wheel, tuple[str, ...]], target: Target) -> tuple[str, ...]:
    """Return what is to be said of packages that are built from source."""
    built = tuple(built)
    notes = [f"{each.name} has no wheel for this target: what it needs itself is not known" for each in built]
    notes += [
        f"{wheel.name} {wheel.version} needs another {archive.name} than {archive.version}: the installer may take"
        " other versions, or find none"
        for archive in built
        for wheel, lines in needed.items()
        if not versions_asked_for(archive.name, lines, target).contains(archive.version, prereleases=True)
    ]
    return tuple(notes)


def _stood_in_for(
    request: ResolveRequest, addresses: Iterable[str], access: IndexAccess, relay: IndexRelay, *, offline: bool
) -> bool:
    """Whether the relay stands in for every index, page and wheel, or the resolver must go there itself."""
    if not request.requirements or (offline and request.torch_backend):
        return False
    # Directories of this machine are read by the resolver, whoever stands in for the others.
    local = set(request.find_links)
    return all(relay.stands_in(each, access) for each in addresses if each not in local or "://" in each)


def _better(
    reason: CannotResolveError | CannotFetchError, session: ResolverRun, access: IndexAccess
) -> CannotResolveError | CannotFetchError:
    """Return a failure as the resolver told it, or what was met on its behalf where that says more."""
    if isinstance(reason, CannotFetchError) and session.troubles:
        met = session.troubles[0]
        what = (
            "What the requirements need is not in the cache"
            if met.cause == "offline"
            else "The package index cannot be reached"
        )
        return CannotFetchError(what, met.cause, why=f"{met.what}: {met.why}" if met.why else met.what, todo=met.todo)
    # Among several indexes the resolver passes over one that refuses.
    missing = isinstance(reason, CannotResolveError) and reason.cause == "missing" and access.extra_index_urls
    if missing and session.refused:
        index = addressed(session.refused[0].rstrip("/").rpartition("/")[0])
        return CannotFetchError(f"The package index {index} refuses access", "refused", why=reason.why)
    return reason


def _may_be_built(name: str, request: ResolveRequest) -> bool:
    """Whether a package may come from a source archive."""
    return ":all:" not in request.only_binary and name not in {canonicalize_name(each) for each in request.only_binary}


def _as_built(lock: Lock, no_binary: Iterable[str]) -> Lock:
    """Move wheels that may not be taken to what is built from source."""
    names = {canonicalize_name(name) for name in no_binary if not name.startswith(":")}
    everything = ":all:" in no_binary
    refused = [wheel for wheel in lock.wheels if everything or wheel.name in names]
    built = [Sdist(name=wheel.name, version=wheel.version, index=wheel.index) for wheel in refused]
    return replace(
        lock,
        wheels=tuple(wheel for wheel in lock.wheels if wheel not in refused),
        sdists=(*lock.sdists, *built),
    )


def _sorted_out(lines: Iterable[str]) -> tuple[list[str], list[Other]]:
    """Return the requirements that the resolver can decide about, and the others.

    Raises:
        CannotResolveError: One is none.
    """
    named, others = [], []
    for line in lines:
        text = line.strip()
        direct = _DIRECT.match(text)
        try:
            url = "" if direct else Requirement(_OPTION.sub("", text)).url or ""
        except InvalidRequirement as error:
            if text and "://" not in text:
                name = re.match(r"[A-Za-z0-9._-]*", text)
                raise CannotResolveError(
                    f"{text} is no requirement", "invalid",
                    packages=(canonicalize_name(name[0]),) if name and name[0] else (),
                    why=str(error).partition("\n")[0],
                ) from error  # fmt: skip
            url = ""
        if direct or url.startswith(("git+", "hg+", "svn+", "bzr+")):
            name = re.search(r"#egg=([A-Za-z0-9._-]+)", text)
            others.append(
                Other(
                    name=_name(text) or (canonicalize_name(name[1]) if name else ""),
                    requirement=text,
                    reason="It is built from a checkout or a directory, whose bytes are not known before",
                )
            )
        elif text:
            named.append(text)
    return named, others


def _name(line: str) -> str:
    try:
        return canonicalize_name(Requirement(_OPTION.sub("", line)).name)
    except InvalidRequirement:
        return ""
