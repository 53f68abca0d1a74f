"""What a set of Python requirements resolves to for the Python of an image: uv decides, nothing is built or installed.

Public:
    ``resolve(request, target, web=, access=, kept=, environment=, cancel=, now_s=) -> Lock``

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
from packaging.utils import canonicalize_name

from tonnage.adapters.pylock import shown
from tonnage.adapters.resolver import indexes_asked, run_resolver
from tonnage.adapters.resolver_words import failure, without_wheels
from tonnage.adapters.source_archives import refusing, source_archive
from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.lazily import regex
from tonnage.model.lock import Lock, LockOrigin, Other, Sdist

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tonnage.adapters.index_access import IndexAccess
    from tonnage.adapters.interface import Cancel
    from tonnage.adapters.kept import Kept
    from tonnage.adapters.web import Web
    from tonnage.model.lock import ResolveRequest, Target

_KIND = "lock-1"
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
    kept: Kept,
    environment: Mapping[str, str],
    cancel: Cancel | None = None,
    now_s: float | None = None,
) -> Lock:
    """Resolve requirements.

    Args:
        request: What is asked for.
        target: The Python that it is for.
        web: The door to the network; where that is offline, only what is known from earlier is used.
        access: How the indexes are reached.
        kept: What was resolved earlier.
        environment: The user's environment.
        cancel: Stops the resolver when it is set.
        now_s: Now, seconds since the epoch; None to ask the clock.

    Returns:
        What will be installed.

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
        lock = _ask(request, target, web, access, environment, cancel)
    except CannotFetchError as error:
        if earlier is None:
            raise
        return _last_known(earlier, error.what)
    lock = replace(lock, resolved_s=now_s)
    kept.keep(_KIND, key, msgspec.msgpack.encode(lock))
    return lock


def _key(request: ResolveRequest, target: Target, access: IndexAccess) -> str:
    """Return what tells one question from others; the addresses are hashed, because they can hold passwords."""
    asked = msgspec.json.encode((request, target, access.index_url, access.extra_index_urls))
    return hashlib.sha256(asked).hexdigest()


def _earlier(kept: Kept, key: str) -> Lock | None:
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
    web: Web,
    access: IndexAccess,
    environment: Mapping[str, str],
    cancel: Cancel | None,
) -> Lock:
    """Ask the resolver, once more for each package that turns out to have no wheel but a source archive."""
    named, others = _sorted_out(request.requirements)
    excluded: dict[str, Sdist] = {}
    indexes: tuple[str, ...] = ()
    while True:
        stated = tuple(line for line in named if _name(line) not in excluded)
        asked = replace(request, requirements=stated)
        answer = run_resolver(asked, target, access, environment, cancel, excluded=excluded, offline=web.offline)
        if isinstance(answer, Lock):
            break
        reason = failure(answer, target=shown(target))
        versions = {canonicalize_name(name): version for name, version in without_wheels(answer).items()}
        names = [name for name in versions if name not in excluded and _may_be_built(name, request)]
        indexes = indexes or (indexes_asked(access, environment) if names else ())
        found = [
            source_archive(name, versions[name] or _pin(named, name), web=web, access=access, indexes=indexes)
            for name in names
        ]
        archives = {archive.name: archive for archive in found if archive is not None}
        if not archives or len(excluded) >= _MOST_WITHOUT_WHEELS:
            raise _with_refusal(reason, web, access, environment)
        excluded |= archives
    built = tuple(excluded.values())
    notes = []
    if access.left_out:
        notes.append(
            f"left out, because a build cannot see them: {', '.join(access.left_out)} of this machine's settings"
        )
    notes += [f"{each.name} has no wheel for this target: what it needs itself is not known" for each in built]
    return _as_built(
        replace(
            answer,
            sdists=(*answer.sdists, *built),
            others=(*answer.others, *others),
            requested=tuple(name for name in map(_name, named) if name),
            notes=tuple(notes),
            origin=LockOrigin.RESOLVED,
        ),
        request.no_binary,
    )


def _with_refusal(
    reason: CannotResolveError | CannotFetchError, web: Web, access: IndexAccess, environment: Mapping[str, str]
) -> CannotResolveError | CannotFetchError:
    """Return a failure, or the better one that an index refuses: among several the resolver passes over it."""
    if not isinstance(reason, CannotResolveError) or reason.cause != "missing" or not access.extra_index_urls:
        return reason
    indexes = indexes_asked(access, environment)
    refused = [refusing(name, web=web, access=access, indexes=indexes) for name in reason.packages]
    if not any(refused):
        return reason
    return CannotFetchError(
        f"The package index {next(filter(None, refused))} refuses access", "refused", why=reason.why
    )


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
    """Return the requirements that the resolver can decide about, and the others."""
    named, others = [], []
    for line in lines:
        text = line.strip()
        direct = _DIRECT.match(text)
        try:
            url = "" if direct else Requirement(_OPTION.sub("", text)).url or ""
        except InvalidRequirement:
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


def _pin(lines: Iterable[str], name: str) -> str:
    """Return the version that a package is pinned to; empty where it is not."""
    for line in lines:
        if _name(line) == name:
            found = [each.version for each in Requirement(_OPTION.sub("", line)).specifier if each.operator == "=="]
            return found[0] if found else ""
    return ""
