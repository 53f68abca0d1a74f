"""Lists of packages from the places that an image's apt takes them from, read once and kept.

Public:
    ``AptLists(web, kept).index(sources, architecture) -> FetchedIndex``, which satisfies ``PackageIndex``.

The ``InRelease`` file of a suite is asked for again after some hours; a list has its digest for a name and is kept
for ever, reduced to the fields that are needed. Signatures are not checked: nothing from here is installed.

Source: wiki.debian.org/DebianRepository/Format.
"""

from __future__ import annotations

import codecs
import hashlib
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tonnage.adapters.apt import texts
from tonnage.addresses import shown
from tonnage.errors import CannotFetchError
from tonnage.lazily import learned
from tonnage.model.forecast.debian_package import ListBytes, newest_first
from tonnage.units import told_count
from tonnage.unpacking import SUFFIXES, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.model.forecast.base_image import AptSource
    from tonnage.model.forecast.debian_package import DebPackage

HOLDS_S = 6 * 3600.0
_OK = 200
_AT_ONCE = 8
_NEEDED = (
    *("Package:", "Version:", "Architecture:", "Installed-Size:", "Size:", "Depends:", "Pre-Depends:", "Recommends:"),
    *("Provides:", "Conflicts:", "Breaks:", "Essential:", "Priority:"),
)
# The largest lists of distributions have 15 MB, 70 MB unpacked, with 65,000 packages and 100,000 provided names.
_MOST_RELEASE_BYTES, _MOST_LIST_BYTES, _MOST_UNPACKED_BYTES = 8 << 20, 64 << 20, 256 << 20
_MOST_PARAGRAPH_CHARACTERS = 1 << 20
# What a package and a provided name take besides their text, and all of it together.
_PLACE_BYTES, _PROVIDED_BYTES, _MOST_REDUCED_BYTES = 300, 250, 128 << 20


class Reduced(msgspec.Struct, frozen=True):
    """One list of packages with what is needed of it, and where each package begins and ends in it.

    Args:
        text: The paragraphs, with the fields that are needed.
        places: Of each name the beginnings and ends of its paragraphs, one after the other.
        provided: Of each name that is provided the packages that do.
        usual: Packages that every system has.
    """

    text: str
    places: dict[str, list[int]]
    provided: dict[str, list[str]]
    usual: list[str]


class _List(Struct, frozen=True, kw_only=True):
    """One list of packages, and whether apt takes from it without being told to."""

    packages: Reduced
    suites: frozenset[str]
    automatic: bool


class _File(Struct, frozen=True):
    """One file as a ``Release`` names it."""

    digest: str
    size_bytes: int


class FetchedIndex:
    """The packages of several lists.

    Args:
        found: The lists.
        sizes: What fetching them takes.
        missing: Lists that could not be had, in words.
    """

    def __init__(self, found: Sequence[_List], sizes: ListBytes, missing: Sequence[str] = ()) -> None:
        self.missing = tuple(missing)
        self._sizes = sizes
        self._lists = tuple(found)
        self._parsed: dict[str, list[tuple[DebPackage, _List]]] = {}

    def candidates(self, name: str, release: str = "") -> Sequence[DebPackage]:
        """Return the versions of a package, newest first.

        Args:
            release: A release that is preferred: its version goes first, and it may be one that is not automatic.
        """
        if name not in self._parsed:
            parsed = [(package, each) for each in self._lists for package in _paragraphs(each.packages, name)]
            self._parsed[name] = sorted(parsed, key=lambda found: newest_first(found[0].version))
        found = [
            (release in origin.suites, package)
            for package, origin in self._parsed[name]
            if origin.automatic or release in origin.suites
        ]
        return [package for _, package in sorted(found, key=lambda each: not each[0])]

    def providers(self, name: str) -> Sequence[DebPackage]:
        """Return the newest version of each package that provides a name besides its own."""
        names = {package for each in self._lists for package in each.packages.provided.get(name, ())}
        found = (next(iter(self.candidates(package)), None) for package in sorted(names))
        return [package for package in found if package and any(each.name == name for each in package.provides)]

    def usual(self) -> Sequence[DebPackage]:
        """Return what every system has: essential packages, those of the priority required, and apt itself."""
        names = {name for each in self._lists for name in each.packages.usual} | {"apt"}
        found = (next(iter(self.candidates(name)), None) for name in sorted(names))
        return [package for package in found if package]

    def lists(self) -> ListBytes:
        """Return what fetching the lists takes."""
        return self._sizes


class AptLists:
    """Reads lists of packages.

    Args:
        web: The door to the network; where it is offline, only what was kept is used.
        holds_s: For how many seconds a ``Release`` file is not asked for again.
    """

    def __init__(self, web: Web, kept: DiskCache, *, holds_s: float = HOLDS_S) -> None:
        self._web = web
        self._kept = kept
        self._holds_s = holds_s
        self._unpacking = threading.Lock()

    def index(self, sources: Sequence[AptSource], architecture: str) -> FetchedIndex:
        """Read the lists of all sources.

        Args:
            architecture: dpkg's name of the architecture, such as amd64.

        Returns:
            All their packages. A source that cannot be read is named in ``missing``.

        Raises:
            CannotFetchError: None of the sources can be read.
        """
        lists: list[_List] = []
        sizes = ListBytes()
        failures: list[CannotFetchError] = []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for done in pool.map(lambda source: self._source(source, architecture), sources):
                if isinstance(done, CannotFetchError):
                    failures.append(done)
                else:
                    lists += done[0]
                    sizes += done[1]
        if not lists:
            raise failures[0] if failures else CannotFetchError("no source of packages is known", "not found")
        return FetchedIndex(lists, sizes, [failure.what for failure in failures])

    def _source(self, source: AptSource, architecture: str) -> tuple[list[_List], ListBytes] | CannotFetchError:
        try:
            return self._read(source, architecture)
        except CannotFetchError as error:
            return error

    def _read(self, source: AptSource, architecture: str) -> tuple[list[_List], ListBytes]:
        flat = source.suite.endswith("/")
        where = f"{source.address}/{source.suite.strip('/')}" if flat else f"{source.address}/dists/{source.suite}"
        release = self._release(where)
        fields = next(texts.stanzas(_unsigned(release.decode(errors="replace"))), {})
        files = _files(fields.get("sha256", ""))
        suites = frozenset({source.suite, fields.get("suite", ""), fields.get("codename", "")} - {""})
        automatic = fields.get("notautomatic", "no") != "yes"
        paths = [""] if flat else [f"{component}/binary-{architecture}/" for component in source.components]
        of_all = "all" in fields.get("architectures", "").split() and "no-support-for-architecture-all" not in fields
        if of_all and not flat:
            paths += [f"{component}/binary-all/" for component in source.components]
        lists, sizes = [], ListBytes(release_bytes=len(release))
        for path in paths:
            chosen = _smallest(files, f"{path}Packages")
            if chosen is None:
                continue
            suffix, file = chosen
            packages = self._packages(f"{where}/{path}Packages{suffix}", file, suffix)
            plain = files.get(f"{path}Packages")
            lists.append(_List(packages=packages, suites=suites, automatic=automatic))
            sizes += ListBytes(
                plain_bytes=plain.size_bytes if plain else len(packages.text) * 3, fetched_bytes=file.size_bytes
            )
        for component in () if flat else source.components:
            translated = f"{component}/i18n/Translation-en"
            fetched = _smallest(files, translated)
            if fetched is not None:
                plain = files.get(translated)
                sizes += ListBytes(
                    translation_bytes=plain.size_bytes if plain else fetched[1].size_bytes * 5,
                    translation_fetched_bytes=fetched[1].size_bytes,
                )
        return lists, sizes

    def _release(self, where: str) -> bytes:
        """Return the ``InRelease`` of a suite: kept some hours, and for longer where nobody answers."""
        fresh = self._kept.read("apt-release", where, within_s=self._holds_s)
        if fresh is not None:
            return fresh
        try:
            body = self._fetched(f"{where}/InRelease", f"{where}/Release", limit_bytes=_MOST_RELEASE_BYTES)
        except CannotFetchError:
            old = self._kept.read("apt-release", where)
            if old is None:
                raise
            return old
        self._kept.keep("apt-release", where, body)
        return body

    def _fetched(self, *addresses: str, limit_bytes: int) -> bytes:
        """Return what the first of several addresses gives that has anything."""
        why = ""
        for address in addresses:
            reply = self._web.get(address, limit_bytes=limit_bytes)
            if reply.status == _OK:
                return reply.body
            why = f"It answers {reply.answer}."
        raise CannotFetchError(f"{shown(addresses[0])} cannot be read", "not found", why=why)

    def _packages(self, address: str, file: _File, suffix: str) -> Reduced:
        """Return a list, reduced to what is needed."""
        kept = self._kept.read("apt-packages", file.digest)
        if kept is not None:
            return msgspec.msgpack.decode(zlib.decompress(kept), type=learned(Reduced))
        body = self._fetched(address, limit_bytes=_MOST_LIST_BYTES)
        if hashlib.sha256(body).hexdigest() != file.digest:
            raise CannotFetchError(f"{shown(address)} is not what its Release file says", "not understood")
        try:
            # One at a time: each may take as much memory as it may.
            with self._unpacking:
                packages = reduced(unpacked(body, suffix, _MOST_UNPACKED_BYTES))
        except ValueError as error:
            raise CannotFetchError(f"{shown(address)} cannot be unpacked", "not understood", why=str(error)) from error
        self._kept.keep("apt-packages", file.digest, zlib.compress(msgspec.msgpack.encode(packages), 3))
        return packages


def reduced(pieces: Iterable[bytes]) -> Reduced:
    """Return what is needed of a list of packages.

    Args:
        pieces: The bytes of the list, in pieces.

    Raises:
        ValueError: It has more than a list can have.
    """
    kept: list[str] = []
    places: dict[str, list[int]] = {}
    provided: dict[str, list[str]] = {}
    usual: list[str] = []
    at = names = 0
    for paragraph in _split(pieces):
        if at + _PLACE_BYTES * len(kept) + _PROVIDED_BYTES * names > _MOST_REDUCED_BYTES:
            raise ValueError("it has more packages than a list can have")
        lines = [line for line in paragraph.split("\n") if line.startswith(_NEEDED)]
        if not lines or not lines[0].startswith("Package: "):
            continue
        name, shorter = lines[0][9:].strip(), "\n".join(lines)
        places.setdefault(name, []).extend((at, at + len(shorter)))
        kept.append(shorter)
        at += len(shorter) + 1
        for line in lines:
            if line.startswith("Provides: "):
                for relation in texts.relations(line[10:]):
                    names += 1
                    provided.setdefault(relation[0].name, []).append(name)
            elif line in {"Essential: yes", "Priority: required"}:
                usual.append(name)
    return Reduced("\n".join(kept), places, provided, usual)


def _split(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield the paragraphs of a text that comes in pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + decoder.decode(piece)).split("\n\n")
        if len(rest) > _MOST_PARAGRAPH_CHARACTERS:
            raise ValueError("it has a paragraph that is longer than one can be")
        yield from whole
    yield rest


def _paragraphs(packages: Reduced, name: str) -> list[DebPackage]:
    places = packages.places.get(name, [])
    found = (
        texts.package(next(texts.stanzas(packages.text[start:end])))
        for start, end in zip(places[::2], places[1::2], strict=True)
    )
    # One whose size is none counts as one that is not there: nobody knows what it brings.
    return [package for package in found if package is not None]


def _unsigned(text: str) -> str:
    """Return a ``Release`` without the signature around it."""
    if not text.startswith("-----BEGIN"):
        return text
    return text.partition("\n\n")[2].partition("-----BEGIN")[0]


def _files(listed: str) -> dict[str, _File]:
    found = {}
    for line in listed.splitlines():
        words = line.split()
        size = told_count(words[1]) if len(words) == 3 else None  # noqa: PLR2004 - digest, size, path
        if size is not None:
            found[words[2]] = _File(words[0], size)
    return found


def _smallest(files: Mapping[str, _File], path: str) -> tuple[str, _File] | None:
    """Return how a file is fetched: by apt's own preference."""
    return next(((suffix, files[path + suffix]) for suffix in SUFFIXES if path + suffix in files), None)
