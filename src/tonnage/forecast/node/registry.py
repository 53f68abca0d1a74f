"""How large packages for Node.js are, as their registry tells it: by the entry of a version, else by its archive's end.

An archive's last four bytes are the length of what it holds, which is its files and 512 bytes and more for each.
Whatever is told is kept for ever: a version never changes. How many are asked is bounded, and a registry that refuses
is left alone.

Source: the registry's ``dist.unpackedSize`` and ``dist.fileCount``; RFC 1952, ISIZE.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from tonnage.errors import CannotFetchError
from tonnage.lazily import learned
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, exactly
from tonnage.model.forecast.node_packages import NodeSize
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.forecast.node.npm_settings import NpmSettings
    from tonnage.model.forecast.node_packages import NodePackage

MOST_ASKED = 3000
"""Packages that one command asks for: the largest projects have as many, and a stranger's lock may name any number."""
_AT_ONCE = 16
_MOST_ENTRY_BYTES = 1 << 20
# So many answers in a row without a size, and the archives are asked at once.
_ENOUGH_SILENT, _ENOUGH_REFUSED = 4, 3
_KIND = "node-size"
_OK, _PART = 200, 206
_REFUSED = frozenset({401, 403, 407, 429})
_LARGEST = 1 << 34
# What is kept of one file beside its bytes is half a block; one file in five has a directory of its own.
_BLOCK = 4096
# 65 packages of express with 1,698 files took 4.3 MB and 9.6 MB of disk; few large files make a package large.
_SMALL_BYTES = 1_500_000


class _Dist(Struct, frozen=True, rename="camel"):
    unpacked_size: int | None = None
    file_count: int | None = None
    tarball: str = ""


class _VersionEntry(Struct, frozen=True):
    dist: _Dist = _Dist()


class _Told(Struct, frozen=True, array_like=True):
    """What is kept of a package: its bytes, how many files they are, or what its archive holds and takes."""

    unpacked: int | None = None
    files: int | None = None
    held: int | None = None
    packed: int | None = None


class _Server(Struct):
    """What is known of a registry while it is asked."""

    silent: int = 0
    refused: int = 0
    why: str = ""


class NodeRegistry:
    """Asks registries how large packages are. Safe to use from several threads.

    Args:
        default: Says which registry npm asks where no setting and no lock names one; it may have to be asked for.
    """

    def __init__(self, web: Web, kept: DiskCache, settings: NpmSettings, default: Callable[[], str]) -> None:
        self._web = web
        self._kept = kept
        self._settings = settings
        self._default = default
        self._lock = threading.Lock()
        self._left = MOST_ASKED
        self._servers: dict[str, _Server] = {}

    def sizes(self, packages: Sequence[NodePackage]) -> tuple[Mapping[NodePackage, NodeSize], str]:
        """Return how large packages are, as far as that is told, and why it is not of the others."""
        found: dict[NodePackage, NodeSize] = {}
        asked: list[NodePackage] = []
        for each in packages:
            told = self._remembered(each)
            if told is None:
                asked.append(each)
            else:
                found[each] = _size(told)
        if self._web.offline or not asked:
            return found, "no registry is asked (--offline)" if asked else ""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for each, told in zip(asked, pool.map(self._asked, asked), strict=True):
                if told is not None:
                    found[each] = _size(told)
        reasons = [each.why for each in self._servers.values() if each.why]
        if self._left < 0:
            reasons.append(f"more than {MOST_ASKED} packages would be asked for")
        return found, "; ".join(dict.fromkeys(reasons)) if len(found) < len(packages) else ""

    def _key(self, package: NodePackage) -> str:
        return package.address or f"{self._settings.of(package.name)} {package.name}@{package.version}"

    def _remembered(self, package: NodePackage) -> _Told | None:
        try:
            return msgspec.msgpack.decode(self._kept.read(_KIND, self._key(package)) or b"", type=learned(_Told))
        except msgspec.MsgspecError:
            return None

    def _asked(self, package: NodePackage) -> _Told | None:
        with self._lock:
            self._left -= 1
            if self._left < 0:
                return None
        registry = self._settings.of(package.name) or _registry_of(package) or self._default()
        server = self._server(registry or package.address)
        try:
            told = self._ask(package, registry, server)
        except CannotFetchError as error:
            server.refused = _ENOUGH_REFUSED
            server.why = server.why or f"{error.what}{f': {error.why}' if error.why else ''}"
            return None
        if told is not None:
            server.refused = 0
            self._kept.keep(_KIND, self._key(package), msgspec.msgpack.encode(told))
        return told

    def _server(self, address: str) -> _Server:
        with self._lock:
            return self._servers.setdefault(urlsplit(address).netloc, _Server())

    def _ask(self, package: NodePackage, registry: str, server: _Server) -> _Told | None:
        if server.refused >= _ENOUGH_REFUSED or not (registry or package.address):
            return None
        dist = _Dist()
        if registry and (server.silent < _ENOUGH_SILENT or not package.address):
            dist = self._entry(registry, package, server)
            if dist.unpacked_size is not None and 0 <= dist.unpacked_size < _LARGEST:
                server.silent = 0
                return _Told(unpacked=dist.unpacked_size, files=told_count(dist.file_count))
            server.silent += 1
        archive = package.address or dist.tarball
        # What a registry names may be asked, where it is public.
        self._web.lead([archive])
        return self._end_of(archive, server) if archive.startswith(("http://", "https://")) else None

    def _entry(self, registry: str, package: NodePackage, server: _Server) -> _Dist:
        address = f"{registry}/{quote(package.name, safe='@')}/{quote(package.version, safe='')}"
        headers = {"Accept": "application/json", **self._settings.headers(address)}
        reply = self._web.get(address, headers, limit_bytes=_MOST_ENTRY_BYTES)
        if reply.status in _REFUSED:
            server.refused += 1
            server.why = f"{urlsplit(registry).netloc} answers {reply.answer}"
        try:
            return msgspec.json.decode(reply.body, type=learned(_VersionEntry)).dist if reply.status == _OK else _Dist()
        except (msgspec.DecodeError, RecursionError):
            return _Dist()

    def _end_of(self, archive: str, server: _Server) -> _Told | None:
        """Return what the end of an archive tells; of a server that knows no ranges only its length."""
        reply = self._web.start(archive, {"Range": "bytes=-8", **self._settings.headers(archive)}, first_bytes=8)
        if reply.status in _REFUSED:
            server.refused += 1
            server.why = f"{urlsplit(archive).netloc} answers {reply.answer}"
        packed = reply.length_bytes
        if reply.status not in {_OK, _PART} or packed is None or packed >= _LARGEST:
            return None
        held = int.from_bytes(reply.body[-4:], "little") if reply.status == _PART and len(reply.body) == 8 else None  # noqa: PLR2004 - CRC and length
        # Several archives in one tell the length of the last; what packs to a hundredth is none of a package.
        return _Told(packed=packed, held=held if held is not None and packed // 2 <= held <= 100 * packed else None)


def _registry_of(package: NodePackage) -> str:
    """Return the registry that the address of an archive belongs to: ``REGISTRY/NAME/-/FILE``."""
    before, found, _ = package.address.partition(f"/{package.name}/-/")
    return before if found else ""


def _size(told: _Told) -> NodeSize:
    if told.unpacked is not None:
        files = told.files
        image = Estimate(told.unpacked, told.unpacked, told.unpacked + 2000, Grade.DECLARED)
        if files is None:
            return NodeSize(image=image, disk=_blocks(told.unpacked), packed=_packed(told.unpacked))
        disk = Estimate(
            told.unpacked,
            told.unpacked + files * _BLOCK // 2 + (1 + files // 5) * _BLOCK,
            told.unpacked + files * (_BLOCK - 1) + (2 + files // 2) * _BLOCK,
            Grade.DECLARED,
        )
        return NodeSize(image=image, disk=disk, packed=_packed(told.unpacked))
    packed = exactly(told.packed or 0)
    if told.held is not None:
        # Heads and ends of blocks take a sixth of usual archives.
        image = Estimate(told.held // 3, told.held * 17 // 20, told.held, Grade.DECLARED)
        return NodeSize(image=image, disk=_blocks(told.held * 17 // 20, told.held), packed=packed)
    unpacked = (told.packed or 0) * 4
    image = Estimate(unpacked // 4, unpacked, unpacked * 3, Grade.DECLARED)
    return NodeSize(image=image, disk=_blocks(unpacked, unpacked * 3), packed=packed)


def _blocks(likely: int, high: int | None = None) -> Estimate:
    """Return what files take whose number nobody knows: the smaller a package is, the smaller its files are."""
    small = min(likely, _SMALL_BYTES)
    # A file of one byte takes two blocks of 512 bytes in an archive, and one of 4 KiB on a disk.
    most = (high or likely) + 3 * min(high or likely, 2 * _SMALL_BYTES)
    return Estimate(likely // 3, likely * 6 // 5 + small + _BLOCK, most + 8 * _BLOCK, Grade.DECLARED)


def _packed(unpacked: int) -> Estimate:
    return Estimate(unpacked // 12, unpacked // 4, unpacked, Grade.DECLARED) if unpacked else NOTHING
