"""What the locks of npm, yarn, pnpm and bun name. Text in, packages out; nothing is looked up.

What only development or other platforms need is marked, where the lock tells it or the project does: locks of yarn and
of newer pnpm are followed from what the project asks for.

Source: npm 10, ``package-lock.json``, forms 1 to 3; yarn 1.22 and 4; pnpm 7 to 10, forms 5.4 to 9.0; bun 1.2, form 1.
"""

from __future__ import annotations

import posixpath
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from tonnage.errors import CannotResolveError
from tonnage.forecast.node.lock_text import inside, listed, read_blocks, words
from tonnage.lazily import regex
from tonnage.model.forecast.node_packages import NodeLock, NodePackage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tonnage.forecast.node.lock_text import Block

MOST_PACKAGES = 20_000
_NEWEST = {"package-lock.json": 3, "npm-shrinkwrap.json": 3, "yarn.lock": 8, "pnpm-lock.yaml": 9, "bun.lock": 1}
_NAME = regex(r"(?:@[\w~-][\w.~-]{0,213}/)?[\w~-][\w.~-]{0,213}")
_VERSION = regex(r"[\w.+-]{1,256}")
_TRAILING = regex(r",(?=\s*[\]}])")
_SYSTEMS = ("darwin", "win32", "linux", "android", "freebsd", "openbsd", "netbsd", "sunos", "aix", "openharmony")
_MACHINES = (
    *("x64", "arm64", "ia32", "arm", "ppc64", "s390x", "riscv64", "loong64", "mips64el", "wasm32", "universal"),
)
_LIBRARIES = {"gnu": "glibc", "musl": "musl", "gnueabihf": "glibc", "musleabihf": "musl", "glibc": "glibc"}
_NEEDS = ("dependencies", "optionalDependencies")


def read_lock(name: str, text: str, project: str = "") -> NodeLock:
    """Read a lock.

    Args:
        name: What the file is called.
        project: The text of ``package.json`` beside it; empty without one.

    Raises:
        CannotResolveError: It is no lock.
    """
    asked = _project(project)
    try:
        if name.endswith(".json"):
            return _of_npm(msgspec.json.decode(text), asked, name)
        if name == "bun.lock":
            return _of_bun(msgspec.json.decode(_TRAILING.sub("", text)), asked)
        blocks = read_blocks(text)
        if name == "yarn.lock":
            return _of_yarn(blocks, asked)
        return _of_pnpm(blocks, asked)
    except (msgspec.DecodeError, RecursionError, ValueError, AttributeError, TypeError, LookupError) as error:
        raise CannotResolveError(
            f"{name} is not a valid lock file", "invalid", why=_why(error), todo="Make it again."
        ) from error


def _why(error: Exception) -> str:
    """Say what is wrong with a lock: in the words of what reads its form, or that its content is not a lock's."""
    if isinstance(error, ValueError):
        return f"{error}."[:200]
    return "It is nested too deeply." if isinstance(error, RecursionError) else "Its entries are not those of a lock."


def _project(text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text) if text else {}
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _made(packages: Iterable[NodePackage], name: str, form: object, notes: tuple[str, ...] = ()) -> NodeLock:
    """Put together what was read: the same package in several places is one with copies."""
    found: dict[tuple[str, str], NodePackage] = {}
    for each in packages:
        if not (_NAME.fullmatch(each.name) and _VERSION.fullmatch(each.version)):
            continue
        known = found.get((each.name, each.version))
        if known is None and len(found) >= MOST_PACKAGES:
            raise ValueError(f"it names more than {MOST_PACKAGES} packages")
        found[each.name, each.version] = (
            each
            if known is None
            else replace(
                known,
                copies=known.copies + each.copies,
                development=known.development and each.development,
                optional=known.optional and each.optional,
            )
        )
    number = str(form).partition(".")[0]
    newer = number.isdecimal() and int(number[:9]) > _NEWEST[name]
    if newer:
        notes = (*notes, f"{name} has the form {number[:9]}, and {_NEWEST[name]} is the newest that is known here")
    return NodeLock(packages=tuple(found.values()), notes=notes, doubtful=newer or bool(notes))


def _of_npm(lock: dict[str, Any], project: Mapping[str, Any], name: str) -> NodeLock:
    form = lock.get("lockfileVersion", 1)
    if "packages" not in lock:
        waiting = [*lock["dependencies"].items()] if lock.get("dependencies") else []
        found = []
        while waiting:
            key, entry = waiting.pop()
            waiting += (entry.get("dependencies") or {}).items()
            if not entry.get("bundled"):
                found.append(_npm_package(key, entry))
            if len(found) > 4 * MOST_PACKAGES:
                raise ValueError(f"it names more than {4 * MOST_PACKAGES} packages")
        return _made(found, name, form)
    packages = lock["packages"]
    root = packages.get("") or {}
    notes: tuple[str, ...] = ()
    told = {each: root.get(each) or {} for each in ("dependencies", "devDependencies")}
    asked = {each: project.get(each) or {} for each in told}
    if project and any(asked[each] != told[each] for each in told):
        names = sorted(
            {key for each in told for key in {*asked[each], *told[each]} if _differs(each, key, asked, told)}
        )
        notes = (f"{name} does not fit package.json ({', '.join(names[:5])}): npm ci refuses it",)
    entries = (
        (path.rpartition("node_modules/")[2], entry)
        for path, entry in packages.items()
        if "node_modules/" in path and not entry.get("link") and not entry.get("inBundle")
    )
    return _made((_npm_package(entry.get("name") or key, entry) for key, entry in entries), name, form, notes)


def _differs(kind: str, key: str, asked: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    return bool(asked[kind].get(key) != told[kind].get(key))


def _npm_package(name: str, entry: Mapping[str, Any]) -> NodePackage:
    version = str(entry.get("version", ""))
    if version.startswith("npm:"):
        name, _, version = version[4:].rpartition("@")
    address = entry.get("resolved")
    if "://" in version or ":" in version:
        # From a checkout or an address: its commit or file tells it from others.
        address, version = version, "0.0.0"
    return NodePackage(
        name=name,
        version=version,
        address=_address(address),
        development=bool(entry.get("dev")),
        optional=bool(entry.get("optional")),
        systems=_texts(entry.get("os")),
        machines=_texts(entry.get("cpu")),
        libraries=_texts(entry.get("libc")),
        scripts=bool(entry.get("hasInstallScript")),
    )


def _texts(told: object) -> tuple[str, ...]:
    return tuple(str(each) for each in told) if isinstance(told, list) else words(told)


def _address(told: object) -> str:
    text = told.partition("#")[0] if isinstance(told, str) else ""
    return text if text.startswith(("http://", "https://")) else ""


def _of_yarn(blocks: Block, project: Mapping[str, Any]) -> NodeLock:
    """Read a lock of yarn, of version 1 or newer."""
    form = inside(blocks, "__metadata").get("version", "1")
    by_key: dict[str, Block] = {}
    for line, entry in blocks.items():
        if line != "__metadata" and isinstance(entry, dict) and "version" in entry:
            by_key |= {key.strip().strip('"'): entry for key in line.split(",")}
    newer = "__metadata" in blocks
    missing: list[str] = []

    def follow(kinds: Iterable[str]) -> set[int]:
        seen: set[int] = set()
        waiting = [pair for kind in kinds for pair in (project.get(kind) or {}).items()]
        while waiting:
            name, wanted = waiting.pop()
            entry = _yarn_entry(by_key, name, str(wanted), newer=newer)
            if entry is None:
                missing.append(name)
            elif id(entry) not in seen:
                seen.add(id(entry))
                waiting += [pair for kind in _NEEDS for pair in inside(entry, kind).items()]
        return seen

    workspaces = bool(project.get("workspaces"))
    kept = follow(_NEEDS) if project and not workspaces else set(map(id, by_key.values()))
    wanted = {name for kind in (*_NEEDS, "devDependencies") for name in project.get(kind) or {}}
    lost = sorted(wanted & set(missing)) if not workspaces else []
    notes = (f"yarn.lock does not fit package.json ({', '.join(lost[:5])})",) if lost else ()
    optional = {
        name for entry in by_key.values() for name in (*inside(entry, "optionalDependencies"), *_optional_of(entry))
    }
    found, seen = [], set[int]()
    for key, entry in by_key.items():
        if id(entry) in seen or entry.get("linkType") == "soft":
            continue
        seen.add(id(entry))
        name = key[: key.find("@", 1)]
        resolution = entry.get("resolution") or key
        name = resolution[: resolution.find("@", 1)] if newer else _aliased(key, name)
        conditions = dict(
            part.strip().partition("=")[::2] for part in str(entry.get("conditions", "")).split("&") if "=" in part
        )
        made = NodePackage(
            name=name,
            version=str(entry["version"]),
            address="" if newer else _address(entry.get("resolved")),
            development=id(entry) not in kept,
            optional=name in optional,
            systems=words(conditions.get("os")),
            machines=words(conditions.get("cpu")),
            libraries=words(conditions.get("libc")),
        )
        found.append(_by_its_name(made) if not newer and name in optional else made)
    return _made(found, "yarn.lock", form, notes)


def _aliased(key: str, name: str) -> str:
    """Return the real name of what a lock of yarn 1 has under another: ``a@npm:b@^1``."""
    target = key.partition("@npm:")[2]
    return target[: target.find("@", 1)] if "@" in target[1:] else name


def _optional_of(entry: Block) -> list[str]:
    told = inside(entry, "dependenciesMeta")
    return [name for name, each in told.items() if isinstance(each, dict) and each.get("optional") == "true"]


def _yarn_entry(by_key: Mapping[str, Block], name: str, wanted: str, *, newer: bool) -> Block | None:
    forms = (f"{name}@{wanted}", f"{name}@npm:{wanted}") if newer else (f"{name}@{wanted}",)
    return next((by_key[each] for each in forms if each in by_key), None)


def _by_its_name(package: NodePackage) -> NodePackage:
    """Return an optional package with the platform that its name tells, as those of compiled programs do."""
    parts = package.name.rpartition("/")[2].replace("_", "-").split("-")
    if not set(parts) & set(_SYSTEMS):
        return package
    return replace(
        package,
        systems=tuple(each for each in parts if each in _SYSTEMS),
        machines=tuple(each for each in parts if each in _MACHINES and each != "universal"),
        libraries=tuple(_LIBRARIES[each] for each in parts if each in _LIBRARIES),
    )


def _of_pnpm(blocks: Block, project: Mapping[str, Any]) -> NodeLock:
    form = str(blocks.get("lockfileVersion", ""))
    packages = inside(blocks, "packages")
    snapshots = inside(blocks, "snapshots")
    importers = inside(blocks, "importers") or {".": blocks}
    kept = _followed(importers, snapshots) if snapshots else None
    notes: tuple[str, ...] = ()
    own = importers.get(".")
    if project and isinstance(own, dict):
        kinds = (*_NEEDS, "devDependencies")
        told = {name for kind in kinds for name in inside(own, kind)}
        lost = sorted({name for kind in kinds for name in project.get(kind) or {}} ^ told)
        notes = (f"pnpm-lock.yaml does not fit package.json ({', '.join(lost[:5])})",) if lost else ()
    found = []
    for key, entry in packages.items():
        if not isinstance(entry, dict):
            continue
        name, version = _pnpm_name(key, form)
        snapshot = next((inside(snapshots, each) for each in (key,) if each in snapshots), {}) or entry
        found.append(
            NodePackage(
                name=str(entry.get("name", name)),
                version=str(entry.get("version", version)),
                address=_address(_tarball(entry)),
                development=key not in kept if kept is not None else entry.get("dev") == "true",
                optional=snapshot.get("optional") == "true",
                systems=listed(entry, "os"),
                machines=listed(entry, "cpu"),
                libraries=listed(entry, "libc"),
                scripts=entry.get("requiresBuild") == "true",
            )
        )
    return _made(found, "pnpm-lock.yaml", form, notes)


def _tarball(entry: Block) -> str:
    told = entry.get("resolution")
    if isinstance(told, dict):
        return str(told.get("tarball", ""))
    parts = words(told)
    return next((after for before, after in pairwise(parts) if before == "tarball:"), "")


def _pnpm_name(key: str, form: str) -> tuple[str, str]:
    """Take ``/@a/b@1.0.0(c@2.0.0)`` apart; in form 5 a slash stands before the version, and ``_`` before peers."""
    bare = key.lstrip("/").partition("(")[0]
    if form.startswith("5"):
        name, _, version = bare.rpartition("/")
        return name, version.partition("_")[0]
    name, _, version = bare.rpartition("@")
    return name, version


def _followed(importers: Block, snapshots: Block) -> set[str]:
    """Return the packages that are needed without development, by their names in the lock."""
    waiting = [
        f"{name}@{each.get('version', '')}"
        for importer in importers.values()
        if isinstance(importer, dict)
        for kind in _NEEDS
        for name, each in inside(importer, kind).items()
        if isinstance(each, dict)
    ]
    seen: set[str] = set()
    while waiting:
        key = waiting.pop()
        # An alias has the real name in place of a version.
        key = key if key in snapshots else key[1:].partition("@")[2]
        if key in seen or key not in snapshots:
            continue
        seen.add(key)
        entry = inside(snapshots, key)
        waiting += [f"{name}@{version}" for kind in _NEEDS for name, version in inside(entry, kind).items()]
    return {key.partition("(")[0] for key in seen}


def _of_bun(lock: dict[str, Any], project: Mapping[str, Any]) -> NodeLock:
    packages: dict[str, list[Any]] = lock["packages"]
    own = (lock.get("workspaces") or {}).get("") or {}
    kinds = ("dependencies", "devDependencies")
    lost = sorted({name for kind in kinds for name in {*(project.get(kind) or {})} ^ {*(own.get(kind) or {})}})
    notes = (f"bun.lock does not fit package.json ({', '.join(lost[:5])})",) if project and lost else ()
    kept: set[str] = set()
    waiting = [
        name for each in (lock.get("workspaces") or {}).values() for kind in _NEEDS for name in each.get(kind) or {}
    ]
    while waiting:
        key = waiting.pop()
        if key in kept or key not in packages:
            continue
        kept.add(key)
        told = _told(packages[key])
        for name in (name for kind in _NEEDS for name in told.get(kind) or {}):
            above = key
            # As Node.js does: what lies beside it first, then what lies above.
            while above and f"{above}/{name}" not in packages:
                above = posixpath.dirname(above)
            waiting.append(f"{above}/{name}" if above else name)
    found = []
    for key, entry in packages.items():
        name, _, version = str(entry[0]).rpartition("@")
        told = _told(entry)
        if ":" not in version:
            found.append(
                NodePackage(
                    name=name, version=version, development=key not in kept, systems=_texts(told.get("os")),
                    machines=_texts(told.get("cpu")), libraries=_texts(told.get("libc")),
                )
            )  # fmt: skip
    return _made(found, "bun.lock", lock.get("lockfileVersion", 0), notes)


def _told(entry: list[Any]) -> dict[str, Any]:
    return next((each for each in entry[1:] if isinstance(each, dict)), {})
