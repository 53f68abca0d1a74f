"""What a set of Python requirements resolves to for the Python of an image: uv decides, nothing is built or installed.

Public:
    ``resolve(request, target, uv=, archives=, web=, access=, kept=, cancel=, now_s=) -> Lock``

Nothing of a source archive is ever run on this machine, so wheels alone are considered; a package that has none is
left out of the resolution and told, with what only it needs. The resolver's answer is kept for a day, or for ever
where the requirements leave it no choice; the last known one is used, and said to be, where no index answers.

Limits: for pip, indexes are weighed as pip does (the best version of all). Where the newest version of a package has no
wheel, pip builds it while this takes the newest version that has one. Where an index tells no hash of a wheel, the
resolver fetches all of it, and it is said.
Source: uv 0.13.9, ``uv pip compile --format pylock.toml``.
"""

from __future__ import annotations

import hashlib
import re
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urldefrag

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from tonnage.addresses import shown
from tonnage.errors import CannotFetchError, CannotResolveError, TonnageError
from tonnage.forecast.python.direct_archives import of_context, read_archives, read_installed, taken_from_context
from tonnage.forecast.python.lock_notes import machine_notes, note_of_whole, notes_of_built
from tonnage.forecast.python.parsing import requirement, specifiers
from tonnage.forecast.python.permitted import check_further, check_servers
from tonnage.forecast.python.pylock import in_words
from tonnage.forecast.python.ranged_file import Servers
from tonnage.forecast.python.rejected_versions import rejected_versions, with_a_choice
from tonnage.forecast.python.resolver_lines import encoded, holding, sorted_out
from tonnage.forecast.python.source_archives import (
    archive_at,
    needed_by,
    suits,
    taken_from,
    unread_archive,
    versions_asked_for,
)
from tonnage.forecast.python.uv_messages import failure, without_wheels
from tonnage.forecast.python.wheels import keep_local, read_metadata
from tonnage.lazily import learned
from tonnage.model.forecast.python_lock import OF_CONTEXT, Lock, LockOrigin, Sdist, Wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.requirements import Requirement

    from tonnage.adapters.interface import Cancel
    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.forecast.python.direct_archives import DirectArchives
    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.forecast.python.source_archives import SourceArchives
    from tonnage.forecast.python.uv import Uv
    from tonnage.model.forecast.python_lock import Other, Rejected, ResolveRequest, SourceContents, Target

_KIND = "lock-6"
_FRESH_S = 86400.0
_MOST_WITHOUT_WHEELS = 12
_SMALL_BYTES = 4_000_000


class _Asked(Struct, frozen=True, kw_only=True):
    """One question to the resolver, and who answers what belongs to it."""

    request: ResolveRequest
    target: Target
    access: IndexAccess
    uv: Uv
    archives: SourceArchives
    web: Web
    kept: DiskCache
    cancel: Cancel | None
    offline: bool


def resolve(
    request: ResolveRequest,
    target: Target,
    *,
    uv: Uv,
    archives: SourceArchives,
    web: Web,
    access: IndexAccess,
    kept: DiskCache,
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
    asked = _Asked(
        request=request, target=target, access=access, uv=uv, archives=archives, web=web, kept=kept, cancel=cancel,
        offline=web.offline,
    )  # fmt: skip
    check_servers(request, access, web)
    for each in request.offered:
        keep_local(each, kept)
    lock = _known_or_asked(asked, time.time() if now_s is None else now_s)
    # An index that may be asked says itself where its files lie.
    web.lead((*(each.url for each in lock.wheels), *(each.url for each in lock.sdists)))
    return lock


def _known_or_asked(asked: _Asked, now_s: float) -> Lock:
    web, kept, key = asked.web, asked.kept, _key(asked.request, asked.target, asked.access)
    earlier = _earlier(kept, key)
    fresh_s = float("inf") if _is_settled(asked.request) else _FRESH_S
    if earlier is not None and (web.offline or now_s - earlier.resolved_s < fresh_s):
        if now_s - earlier.resolved_s < fresh_s:
            return replace(earlier, origin=LockOrigin.REMEMBERED)
        return _last_known(earlier, "There is no network")
    try:
        lock = _ask(asked)
    except CannotFetchError as error:
        if earlier is not None:
            return _last_known(earlier, error.what)
        if web.offline or error.cause != "unreachable":
            raise
        try:
            lock = _ask(replace(asked, offline=True))
        except TonnageError:
            raise error from None
    if lock.origin is LockOrigin.RESOLVED:
        # Where pages of earlier stood in for the index, its next answer must not wait for a day.
        lock = replace(lock, resolved_s=now_s)
        kept.keep(_KIND, key, msgspec.msgpack.encode(lock))
    return lock


def _key(request: ResolveRequest, target: Target, access: IndexAccess) -> str:
    """Return what tells one question from others; the addresses are hashed, because they can hold passwords."""
    asked = msgspec.json.encode((request, target, access.index_url, access.extra_index_urls))
    return hashlib.sha256(asked).hexdigest()


def _earlier(kept: DiskCache, key: str) -> Lock | None:
    try:
        return msgspec.msgpack.decode(kept.read(_KIND, key) or b"", type=learned(Lock))
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


def _ask(asked: _Asked) -> Lock:
    """Ask the resolver, once more for each package that turns out to have no wheel but a source archive."""
    request, target = asked.request, asked.target
    named, others = sorted_out(request.requirements)
    limits, elsewhere = sorted_out(request.constraints)
    in_image = [each for each in (*request.extra_index_urls, *request.find_links) if not _is_remote(each)]
    links = tuple(each for each in request.find_links if _is_remote(each))
    check_further(request, offline=asked.offline)
    if request.no_index and in_image and not (links or request.offered):
        raise CannotFetchError(
            f"What {shown(in_image[0])} offers is known to the build alone",
            "not found",
            why="It is a place in the image.",
        )
    access = asked.access.knowing([*links, *(each.url for each in (*named, *limits) if each.url)])
    here = holding((*named, *limits), target)
    servers = Servers(asked.web, access)
    elsewhere_named = [each for each in here if each.url and not each.url.startswith(OF_CONTEXT)]
    direct = read_archives(((e.name, e.url or "") for e in elsewhere_named), servers=servers, kept=asked.kept)
    direct = direct.and_those(of_context(request.offered))
    present = read_installed(request.kept, servers=servers, kept=asked.kept)
    # What cannot be read is taken to satisfy, as everything does whose version is not known.
    left_out = (*request.left_out, *(each.name for each in request.kept if each not in present.known.values()))
    asked = replace(asked, request=replace(request, find_links=links, left_out=left_out), access=access)
    direct = direct.and_those(present)
    unread = [each for each in here if each.url and each.url not in direct.stand_ins]
    sources = [each for each in unread if each in named and not urldefrag(each.url or "").url.endswith(".whl")]
    # A checkout that a constraint names comes in place of what the index offers under that name, as what is not read.
    checkouts = {each.name: each for each in (*elsewhere, *map(unread_archive, unread)) if each.name}
    solving = _Question(
        named=[each for each in named if each not in unread],
        limits=[each for each in limits if each not in unread],
        checkouts=checkouts,
        direct=direct,
        servers=servers,
        built={},
        offered=taken_from_context(request.offered, here, target),
        contents={e.url: e.contents for e in direct.known.values() if isinstance(e, Sdist) and e.contents},
    )
    _build(solving, {canonicalize_name(each.name): archive_at(each.url or "", each.name) for each in sources})
    answer = _solved(asked, solving)
    direct, built = solving.direct, solving.built
    wheels = tuple(each for each in map(direct.real, answer.wheels) if isinstance(each, Wheel))
    needed = _needed(asked, wheels) if built or checkouts else {}
    lines = [line for each in needed.values() for line in each]
    wanted = {canonicalize_name(each.name) for each in (*named, *lines)}
    found = (_built_from(asked, name, "", (*named, *limits, *lines)) or built[name] for name in built)
    sdists = tuple(replace(each, contents=solving.contents.get(each.url, each.contents)) for each in found)
    lock = replace(
        answer,
        wheels=wheels,
        sdists=(*(each for each in map(direct.real, answer.sdists) if isinstance(each, Sdist)), *sdists),
        others=(*answer.others, *others, *(e for name, e in checkouts.items() if name in wanted and name not in built)),
        requested=tuple(dict.fromkeys(canonicalize_name(each.name) for each in named)),
        notes=(
            *(f"{shown(each)} is a place in the image: what it offers is not known" for each in in_image),
            *direct.notes,
            *notes_of_built(sdists, needed, target),
            *note_of_whole(asked.uv, (each for each in wheels if each not in request.kept)),
        ),
        machine_notes=machine_notes(access, offline=asked.offline),
        origin=LockOrigin.LAST_KNOWN if asked.offline else LockOrigin.RESOLVED,
    )
    return replace(_as_built(asked, lock), rejected=_rejected(asked, solving, lock))


def _rejected(asked: _Asked, now: _Question, lock: Lock) -> tuple[Rejected, ...]:
    """Return what pip looks at and does not take; uv asks for metadata alone."""
    request = replace(asked.request, dependencies=False)
    left_out, named = now.asked_for(request, now.speaking)
    free = with_a_choice(named) if asked.request.dependencies and request.best_of_all_indexes else []
    # Its pages were fetched a moment ago.
    newest = free and asked.uv.resolve(
        request, asked.target, asked.access, free, now.limits, excluded=left_out, stand_ins=now.direct.stand_ins,
        within_s=asked.web.resolver_s(), offline=True, cancel=asked.cancel,
    )  # fmt: skip
    if not isinstance(newest, Lock):
        return ()
    pages = partial(asked.archives.listed, access=asked.access, indexes=_indexes(asked))
    return rejected_versions(lock, newest, (*named, *now.limits), pages)


class _Question(Struct, kw_only=True):
    """A set of requirements while it is solved.

    Args:
        checkouts: What is left out, by name: it comes from a checkout, or could not be read.
        direct: The files that are handed over in place of addresses.
        built: Source archives that are left out.
        offered: Wheels of the context that are taken for what is asked under their names.
        speaking: Source archives that are handed over, because they say themselves what they need.
        contents: What lies in those that were read, by address.
    """

    named: Sequence[Requirement]
    limits: Sequence[Requirement]
    checkouts: Mapping[str, Other]
    direct: DirectArchives
    servers: Servers
    built: dict[str, Sdist]
    offered: Sequence[Requirement] = ()
    speaking: dict[str, Sdist] = {}
    contents: dict[str, SourceContents] = {}

    def asked_for(self, request: ResolveRequest, besides: Iterable[str] = ()) -> tuple[set[str], list[Requirement]]:
        """Return what is left out, by name, and what is asked for without it."""
        left_out = {*self.checkouts, *self.built, *besides, *map(canonicalize_name, request.left_out)}
        return left_out, [each for each in self.named if canonicalize_name(each.name) not in left_out]


def _solved(asked: _Asked, now: _Question) -> Lock:
    """Ask until nothing without a wheel is left."""
    while True:
        left_out, named = now.asked_for(asked.request)
        answer = asked.uv.resolve(
            asked.request, asked.target, asked.access, named, now.limits,
            overrides=[*now.offered, *(taken_from(each, now.named) for each in now.speaking.values())],
            excluded=left_out, stand_ins=now.direct.stand_ins, within_s=asked.web.resolver_s(), offline=asked.offline,
            cancel=asked.cancel,
        )  # fmt: skip
        if isinstance(answer, Lock):
            lines = [line for each in _needed(asked, answer.wheels).values() for line in each] if now.speaking else []
            others = {name for name, each in now.speaking.items() if not suits(each, lines, asked.target)}
            if not others:
                return answer
            _build(now, {name: now.speaking.pop(name) for name in others})
            continue
        versions = {canonicalize_name(name): version for name, version in without_wheels(answer).items()}
        known = {*left_out, *now.speaking}
        names = [name for name in versions if name not in known and _may_be_built(name, asked.request)]
        found = [_built_from(asked, name, versions[name], (*now.named, *now.limits)) for name in names]
        archives = {archive.name: archive for archive in found if archive is not None}
        # Where it is not told whose fault it is, it is that of what was put in.
        silent = [name for name in now.speaking if name in versions] or ([] if archives else list(now.speaking))
        if not (archives or silent) or len(now.built) + len(now.speaking) >= _MOST_WITHOUT_WHEELS:
            raise _failure(asked, answer)
        _build(now, {name: now.speaking.pop(name) for name in silent})
        small = [each for each in archives.values() if 0 < (each.size_bytes or 1) < _SMALL_BYTES]
        read = read_archives(
            ((each.name, encoded(each.url)) for each in small),
            servers=now.servers, kept=asked.kept, number=len(now.direct.stand_ins), most_bytes=_SMALL_BYTES,
        )  # fmt: skip
        seen = {each.url: read.known.get(encoded(each.url)) for each in small}
        now.contents |= {u: each.contents for u, each in seen.items() if isinstance(each, Sdist) and each.contents}
        told = {each.name: each for each in small if encoded(each.url) in read.stand_ins}
        read = replace(read, known={encoded(each.url): each for each in told.values()})
        now.direct = now.direct.and_those(read)
        now.speaking |= told
        _build(now, {name: each for name, each in archives.items() if name not in told})


def _build(now: _Question, archives: Mapping[str, Sdist]) -> None:
    """Leave source archives out; what they said that they need when they were made is asked for in their place."""
    now.built |= archives
    for each in archives.values():
        contents = now.contents.get(each.url)
        for line in () if contents is None else contents.requires:
            with suppress(InvalidRequirement):
                now.named = [*now.named, requirement(line)]


def _built_from(asked: _Asked, name: str, version: str, lines: Iterable[Requirement]) -> Sdist | None:
    """Find what a package is built from, where several lines ask for it."""
    lines = tuple(lines)
    address = next((each.url for each in lines if each.url and canonicalize_name(each.name) == name), None)
    if address:
        return archive_at(address, name)
    allowed = versions_asked_for(name, lines, asked.target)
    if version:
        allowed &= specifiers(f"=={version}")
    return asked.archives.find(name, allowed, asked.target.python, asked.access, _indexes(asked))


def _indexes(asked: _Asked) -> list[str]:
    """Return the addresses of the indexes that are asked, the one of last resort last."""
    if asked.request.no_index:
        return []
    last = asked.access.index_url or asked.uv.default_index(asked.access)
    return [each for each in (*asked.access.extra_index_urls, last) if each]


def _failure(asked: _Asked, printed: str) -> CannotResolveError | CannotFetchError:
    """Return the failure that the resolver's words mean; among several indexes it passes over one that refuses."""
    reason = failure(printed, target=in_words(asked.target))
    if isinstance(reason, CannotResolveError) and reason.cause == "missing" and asked.access.extra_index_urls:
        for name in reason.packages:
            index = asked.archives.refusing(name, asked.access, _indexes(asked))
            if index:
                return CannotFetchError(f"The package index {index} refuses access", "refused", why=reason.why)
    return reason


def _needed(asked: _Asked, wheels: Iterable[Wheel]) -> dict[Wheel, tuple[Requirement, ...]]:
    """Return what each wheel needs, as far as it can be read."""
    servers = Servers(asked.web, asked.access)
    read = {wheel: read_metadata(wheel, servers=servers, kept=asked.kept) for wheel in wheels}
    return {wheel: needed_by(found.text) for wheel, found in read.items() if found is not None}


def _may_be_built(name: str, request: ResolveRequest) -> bool:
    """Whether a package may come from a source archive."""
    return ":all:" not in request.only_binary and name not in {canonicalize_name(each) for each in request.only_binary}


def _as_built(asked: _Asked, lock: Lock) -> Lock:
    """Move wheels that may not be taken to what is built from source."""
    no_binary = asked.request.no_binary
    names = {canonicalize_name(name) for name in no_binary if not name.startswith(":")}
    everything = ":all:" in no_binary
    refused = [wheel for wheel in lock.wheels if everything or wheel.name in names]
    built = [
        _built_from(asked, wheel.name, wheel.version, ())
        or Sdist(name=wheel.name, version=wheel.version, index=wheel.index)
        for wheel in refused
    ]
    return replace(
        lock,
        wheels=tuple(wheel for wheel in lock.wheels if wheel not in refused),
        sdists=(*lock.sdists, *built),
    )


def _is_remote(url: str) -> bool:
    return url.startswith(("http://", "https://"))
