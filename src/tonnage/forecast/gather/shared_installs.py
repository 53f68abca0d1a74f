"""Whether the wheels of an install may lie in an image below it, where pip finds them: in doubt they may not.

pip says "already satisfied" of what lies in the interpreter's own place, and asks no further. So whatever makes it look
elsewhere, install elsewhere, or install again keeps its wheels apart. Source: measured with pip 23.0 and 26.3.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec.structs import replace

from tonnage.forecast.costs.base_layers import site_packages
from tonnage.lazily import regex
from tonnage.model.forecast.installs import Installer, environment_at
from tonnage.model.forecast.python_lock import LockOrigin
from tonnage.model.forecast.recipe import RunInstruction
from tonnage.model.forecast.requirements import RequirementKind
from tonnage.model.forecast.sized_effects import InstallTerms, UnpackedWheel

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tonnage.forecast.gather.visible_files import StageFiles
    from tonnage.model.forecast.base_image import BaseImage
    from tonnage.model.forecast.effects import MakeEnvironment
    from tonnage.model.forecast.installs import PythonInstall
    from tonnage.model.forecast.python_lock import Lock, ResolveRequest, WheelContents
    from tonnage.model.forecast.recipe import RecipeStep
    from tonnage.model.forecast.requirements import Requirement
    from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes

# What an image of Python brings along: which version is there decides whether an install changes it.
_INSTALLERS = frozenset({"pip", "setuptools", "wheel"})
_USUAL_PYTHONS = frozenset({"", "python", "python3", "3"})
_ROOT = frozenset({"", "0", "root"})
_SETTINGS = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "/usr/local/pip.conf", "/usr/pip.conf")
_WITHOUT_ISOLATION = "--no-build-isolation"
# Variables that change neither what pip installs nor where.
_HARMLESS = frozenset(
    {
        "PIP_NO_CACHE_DIR", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_ROOT_USER_ACTION", "PIP_DEFAULT_TIMEOUT",
        "PIP_RETRIES", "PIP_PROGRESS_BAR", "PIP_QUIET", "PIP_NO_INPUT", "PIP_NO_COLOR", "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL", "PIP_CACHE_DIR", "PIP_NO_COMPILE",
        "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONIOENCODING", "PYTHONUTF8",
        "PYTHONHASHSEED",
    }
)  # fmt: skip


# What the text of an instruction says that its commands alone do not: in doubt it means the install.
_SET = regex(r"\b(PIP_[A-Z_]+|PYTHON[A-Z0-9_]*|HOME|XDG_CONFIG_HOME|PATH)\+?=")
_OTHER_USER = regex(r"(?:^RUN(?:\s+--\S+)*\s+|[;&|({]\s*|\b(?:exec|time|env|nice)\s+)"
                    r"(su|sudo|doas|gosu|su-exec|runuser|setpriv|chroot|unshare|umask|newgrp)\s")  # fmt: skip
_TOLD = regex(r"\bpip[0-9.]*\s[^;&\n]*?(?:\s>>?\s*(?!/dev/|&)[\w./$~\"'{]|[^|]\|(?!\|)|\s--(?:log|report)\b)")
_NETWORK = regex(r"\s--(?:proxy|cert|client-cert|isolated)\b")
_PLACE = regex(r"\b(?:site|dist)-packages\b")
_READS = (
    (_SET, "it sets {0}"),
    (_OTHER_USER, "{0} may have another user or other modes install it"),
    (_TOLD, "what pip says is kept: it is another thing where wheels are there"),
    (_NETWORK, "pip is told how to reach its index"),
    (_PLACE, "it names the place of installation"),
)


def with_terms(
    deed: SizedEffect,
    effect: PythonInstall,
    request: ResolveRequest,
    lock: Lock,
    contents: Sequence[WheelContents],
    lines: Sequence[Requirement],
    place: str,
    environments: Collection[str],
) -> SizedEffect:
    """Return what an install does, with what decides whether its wheels may be shared.

    Args:
        environments: Virtual environments that an image below can have as the build would make them.
    """
    others = [(each.name, "it is built from source") for each in lock.sdists]
    others += [(each.name or each.requirement, each.reason) for each in lock.others]
    unpacked: dict[str, UnpackedWheel] = {}
    taken: list[tuple[str, str]] = []
    named = {each.name for each in lines if each.kind is not RequirementKind.NAMED}
    indexes = (request.index_url, *request.extra_index_urls)
    for each in contents:
        wheel = each.wheel
        why = _why_wheel_apart(each, named)
        paths = (*(part.path for part in each.parts if part.content_bytes), *(f"bin/{name}" for name in each.commands))
        if why:
            others.append((wheel.name, why))
            taken += [(path, wheel.name) for path in paths]
            continue
        unpacked[f"{wheel.name} {wheel.version}"] = UnpackedWheel(
            name=wheel.name,
            version=wheel.version,
            digest=wheel.digest,
            index=next((url for url in indexes if url and _is_same(url, wheel.index)), ""),
            paths=paths,
        )
    terms = InstallTerms(
        command=effect.command[:80],
        target=f"Python {lock.target.python} on {lock.target.platform}",
        place=place,
        apart=_why_apart(effect, request, lock, place, environments) or _why_not_these(effect, request, lock, lines),
        names=(
            *(each.name for each in lock.wheels),
            *(each.name for each in lock.sdists),
            *(o.name for o in lock.others),
        ),
        compiles=effect.compiles,
        others=tuple(others),
        taken=tuple(taken),
    )
    return replace(deed, writes=tuple(_with_wheel(piece, unpacked) for piece in deed.writes), terms=terms)


def in_its_place(
    deed: SizedEffect,
    step: RecipeStep,
    base: BaseImage | None,
    before: str,
    files: StageFiles,
    remembered: Mapping[str, str],
) -> SizedEffect:
    """Return an install with what its surroundings say of sharing.

    Args:
        base: The image below; None where it could not be read.
        before: A command before it of which nobody knows what it does; empty for none.
        files: The files that it sees.
        remembered: What ``pip config`` was told, as variables.
    """
    if deed.terms is None or deed.terms.apart:
        return deed
    why = _why_not_here(step, base.config.environment if base is not None else None, remembered, deed.terms.place)
    if not why and before:
        why = f"what runs before it is not known: {before[:60]}"
    why = why or _why_not_as_it_reads(step.text) or _why_not_among(step, files, deed.terms.place)
    return replace(deed, terms=replace(deed.terms, apart=why)) if why else deed


def is_as_it_would_be(effect: MakeEnvironment, step: RecipeStep) -> bool:
    """Return whether an environment is made as it would be in an image below: by root, in any case, as it is usual."""
    usual = effect.plain and not (effect.conditional or effect.forgiven)
    return usual and step.surroundings.user.partition(":")[0] in _ROOT and not _why_not_as_it_reads(step.text)


def without_isolation(effect: PythonInstall) -> str:
    """Return the command of an install that runs code which sees what else is installed; empty for others."""
    return effect.command if _WITHOUT_ISOLATION in effect.command else ""


def unknown_install(deed: SizedEffect, effect: PythonInstall) -> SizedEffect:
    """Return an install of which is not known what it brings, so that nothing of its service is shared."""
    return replace(deed, terms=InstallTerms(command=effect.command[:80], apart="what it installs is not known"))


def _with_wheel(piece: WrittenBytes, unpacked: Mapping[str, UnpackedWheel]) -> WrittenBytes:
    return replace(piece, wheel=unpacked.get(piece.name))


def _is_same(url: str, other: str) -> bool:
    return url.rstrip("/") == other.rstrip("/")


def _why_wheel_apart(each: WheelContents, named: set[str]) -> str:
    wheel = each.wheel
    if wheel.name in _INSTALLERS:
        return "the image of Python may have it already"
    if wheel.name in named:
        return "it is named by its address"
    if not each.exact:
        return "its contents were not read"
    if not each.alike:
        return "its archive has modes of which pip and uv make different things"
    if not wheel.digest.startswith("sha256:") or not wheel.url.startswith(("https://", "http://")):
        return "no index gives its hash"
    return ""


def _why_apart(
    effect: PythonInstall, request: ResolveRequest, lock: Lock, place: str, environments: Collection[str]
) -> str:
    """Return the first of the reasons that hold; empty where none does."""
    urls = [url for url in (request.index_url, *request.extra_index_urls) if url]
    environment = effect.virtual_environment
    # One that is named by its path is that of the environment, which is told from it.
    python = effect.python.rpartition("/bin/")[2] if environment else effect.python
    other_python = place != site_packages(lock.target.python, environment) or python not in _USUAL_PYTHONS
    told_where = request.find_links or request.no_index or effect.options.trusted_hosts
    reasons: tuple[tuple[object, str], ...] = (
        (effect.installer is not Installer.PIP, f"{effect.installer} installs it"),
        (effect.conditional or effect.forgiven, "it may not run, or may fail"),
        (effect.target, "--target puts it elsewhere"),
        (effect.prefix, "--prefix or --root puts it elsewhere"),
        (effect.falls_back, "a USER other than root may get it into a home"),
        (bool(effect.user_base), "--user puts it elsewhere"),
        (
            environment and environment not in environments,
            f"it goes into the environment {environment}, which is not known to be as python -m venv makes it",
        ),
        (effect.upgrade, "--upgrade looks for newer versions than those that are there"),
        (effect.installs_again, "--force-reinstall or --ignore-installed installs again what is there"),
        (other_python, "it is for a different Python version than the image has"),
        (effect.platforms or effect.python_version, "it is for a platform or a version that it names"),
        (request.no_binary, "--no-binary builds it from source"),
        (told_where, "--find-links, --no-index or --trusted-host says where it comes from"),
        (not all(map(_is_public, urls)), "its index is private"),
        (without_isolation(effect), f"{_WITHOUT_ISOLATION} builds with what is there already"),
        (lock.rejected, _passed_over(lock)),
        (effect.unread, f"not understood: {' '.join(effect.unread)[:60]}"),
        (lock.origin is LockOrigin.LAST_KNOWN, "the package index could not be asked"),
    )
    return next((why for holds, why in reasons if holds), "")


def _why_not_these(effect: PythonInstall, request: ResolveRequest, lock: Lock, lines: Sequence[Requirement]) -> str:
    """Return which wheel has none of the hashes that are asked for: pip checks those of what it fetches alone."""
    allowed: dict[str, set[str]] = {}
    for each in lines:
        allowed.setdefault(each.name, set()).update(each.hashes)
    if not (request.require_hashes or effect.options.require_hashes or any(allowed.values())):
        return ""
    strange = next((wheel.name for wheel in lock.wheels if wheel.digest not in allowed.get(wheel.name, ())), "")
    return f"--require-hashes asks for another {strange} than the index has" if strange else ""


def _passed_over(lock: Lock) -> str:
    """Return what pip, which takes other ways than uv through what fits together, might choose otherwise."""
    names = ", ".join(each.name for each in lock.rejected[:3])
    return f"newer versions of {names} do not fit with the rest: pip may choose others than uv"


def _is_public(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and "@" not in parts.netloc


def _why_not_as_it_reads(text: str) -> str:
    """Return what the text of an instruction says against it."""
    for pattern, why in _READS:
        found = next((each for each in pattern.finditer(text) if pattern is not _SET or each[1] not in _HARMLESS), None)
        if found is not None:
            return why.format(*found.groups())
    return ""


def _why_not_among(step: RecipeStep, files: StageFiles, place: str) -> str:
    """Return which file or mount may change what an install does."""
    mounts = step.action.mounts if isinstance(step.action, RunInstruction) else ()
    for mount in mounts:
        if mount.target and mount.kind in {"bind", "cache", "tmpfs"} and f"{place}/".startswith(f"{mount.target}/"):
            return f"something is mounted over {mount.target}"
    variables = step.surroundings.variables
    home = variables.get("HOME") or "/root"
    settings = variables.get("XDG_CONFIG_HOME") or f"{home}/.config"
    own = f"{environment_at(place)}/pip.conf"
    for path in (*_SETTINGS, own, f"{home}/.pip/pip.conf", posixpath.join(settings, "pip/pip.conf")):
        if files.file(path) is not None or files.may_have(path):
            return f"pip may be told otherwise by {path}"
    return ""


def _why_not_here(step: RecipeStep, base: Mapping[str, str] | None, remembered: Mapping[str, str], place: str) -> str:
    around, action = step.surroundings, step.action
    if base is None or not around.base_known:
        return "the image below it could not be read"
    if around.user.partition(":")[0] not in _ROOT:
        return f"USER {around.user} installs it"
    if isinstance(action, RunInstruction):
        if action.network == "none":
            return "it runs without a network"
        if any(mount.kind in {"secret", "ssh"} for mount in action.mounts):
            return "it is given a secret, so its index may be private"
    active = f"{environment_at(place)}/bin:{base.get('PATH', '')}"
    said = {name for name, value in around.variables.items() if value not in {base.get(name), active}}
    said |= {*remembered}
    said = {name for name in said if name == "PATH" or name.startswith(("PIP_", "PYTHON"))} - _HARMLESS
    if odd := sorted(name for name in said if not name.startswith("PYTHON_")):
        return f"{odd[0]} is set"
    return ""
