"""Archives that are named by their address: read here, and handed to the resolver as files of ours.

What the resolver fetches from an address itself it believes in everything: it follows further addresses that the
archive names, also those of files of this machine. So it is given no address. A wheel comes as a small one that says
the same of itself, without further addresses; a source archive as it is, where it names none. What cannot be read
here, or names some, is told and not followed.

Source: uv 0.13.9, tried with archives that name files, checkouts and other archives.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urlsplit

from msgspec import Struct
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from tonnage.addresses import without_user
from tonnage.errors import CannotResolveError
from tonnage.forecast.python.archive_contents import contents_of
from tonnage.forecast.python.parsing import requirement, version, wheel_name, wheel_tags
from tonnage.forecast.python.pylock import tags_of
from tonnage.forecast.python.ranged_file import MOST_WHOLE_BYTES, UnreadableError
from tonnage.forecast.python.source_archives import archive_at
from tonnage.forecast.python.toml_text import read_toml
from tonnage.forecast.python.uv import INSTALLED, StandIn
from tonnage.forecast.python.wheels import read_metadata, wheel_that_says
from tonnage.lazily import regex
from tonnage.model.forecast.python_lock import Sdist, Wheel
from tonnage.unpacking import unpacked

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.requirements import Requirement

    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.forecast.python.ranged_file import Servers
    from tonnage.model.forecast.python_lock import LocalWheel, SourceContents, Target

_TAR = {".tar.gz": ".gz", ".tgz": ".gz", ".tar.bz2": ".bz2", ".tar.xz": ".xz", ".tar": ""}
_SAYS = frozenset({"PKG-INFO", "METADATA", "pyproject.toml", "requires.txt"})
_MOST_UNPACKED_BYTES, _MOST_SAID_BYTES, _MOST_MEMBERS = 256 << 20, 4 << 20, 100_000
# Continued lines belong to the one before.
_NEED = regex(rb"(?im)^Requires-Dist[ \t]*:(?:[^\n]|\n[ \t])*\n?")
_OK = 200


class DirectArchives(Struct, frozen=True):
    """What is handed over, by address.

    Args:
        stand_ins: The files.
        known: What they stand for; of source archives also those that were read and are not handed over.
        notes: What is left out of what they say of themselves.
    """

    stand_ins: dict[str, StandIn]
    known: dict[str, Wheel | Sdist]
    notes: tuple[str, ...] = ()

    def and_those(self, others: DirectArchives) -> DirectArchives:
        """Return these and others."""
        notes = tuple(dict.fromkeys((*self.notes, *others.notes)))
        return DirectArchives(self.stand_ins | others.stand_ins, self.known | others.known, notes)

    def real(self, found: Wheel | Sdist) -> Wheel | Sdist:
        """Return what the resolver's lock has, or what a file of ours stands for there."""
        if not found.url.startswith("file:"):
            return found
        at = next((url for url, each in self.stand_ins.items() if found.url.endswith(f"/{each.filename}")), "")
        return self.known.get(at, found)


def read_archives(
    named: Iterable[tuple[str, str]],
    *,
    servers: Servers,
    kept: DiskCache,
    number: int = 0,
    most_bytes: int = MOST_WHOLE_BYTES,
) -> DirectArchives:
    """Read archives.

    Args:
        named: The name of each, and its address.
        number: How many were read before: each file has a directory of its own.
        most_bytes: How large a source archive may be.
    """
    found = DirectArchives({}, {})
    for name, url in dict.fromkeys(named):
        filename = unquote(posixpath.basename(urlsplit(urldefrag(without_user(url)).url).path))
        if not filename or "/" in filename or not filename.isprintable():
            continue
        way = _wheel if filename.endswith(".whl") else _source
        read = way(name, url, filename, servers, kept, most_bytes)
        if read is None:
            continue
        content, stands_for, notes = read
        if content is None:
            found = found.and_those(DirectArchives({}, {url: stands_for}))
        else:
            file = StandIn(filename=f"{number + len(found.stand_ins)}/{filename}", content=content)
            found = found.and_those(DirectArchives({url: file}, {url: stands_for}, notes))
    return found


def read_installed(wheels: Iterable[Wheel], *, servers: Servers, kept: DiskCache) -> DirectArchives:
    """Read what wheels say of themselves that are installed already: for the resolver they are files of ours."""
    found = DirectArchives({}, {})
    for wheel in wheels:
        read = read_metadata(wheel, servers=servers, kept=kept)
        if read is None or "/" in wheel.filename or not wheel.filename.isprintable():
            continue
        content = wheel_that_says(wheel.filename, _without_addresses(read.text)[0])
        file = StandIn(filename=f"{INSTALLED}/{wheel.filename}", content=content)
        found = found.and_those(DirectArchives({f"{INSTALLED}:{wheel.url}": file}, {f"{INSTALLED}:{wheel.url}": wheel}))
    return found


def of_context(wheels: Iterable[LocalWheel]) -> DirectArchives:
    """Return wheels of the context as files that say the same of themselves."""
    found = DirectArchives({}, {})
    for number, each in enumerate(wheels):
        text, left_out = _without_addresses(each.metadata)
        note = f"{each.wheel.name}: what it needs from {left_out} address(es) that it names itself is not looked up"
        file = StandIn(filename=f"c{number}/{each.wheel.filename}", content=wheel_that_says(each.wheel.filename, text))
        notes = (note,) if left_out else ()
        found = found.and_those(DirectArchives({each.wheel.url: file}, {each.wheel.url: each.wheel}, notes))
    return found


def taken_from_context(wheels: Sequence[LocalWheel], asked: Sequence[Requirement], target: Target) -> list[Requirement]:
    """Return the newest wheel of the context under each name that fits the target and what is asked for."""
    fitting = frozenset(tags_of(target)) if wheels else frozenset()
    best: dict[str, Wheel] = {}
    for wheel in (each.wheel for each in wheels):
        lines = [each for each in asked if canonicalize_name(each.name) == wheel.name]
        fits = not fitting.isdisjoint(wheel_tags(wheel.filename))
        if not fits or not all(each.url or each.specifier.contains(wheel.version, prereleases=True) for each in lines):
            continue
        if wheel.name not in best or version(wheel.version) > version(best[wheel.name].version):
            best[wheel.name] = wheel
    named = {each.name: each for each in asked if each.url}
    return [requirement(f"{name} @ {each.url}") for name, each in best.items() if name not in named]


_Read = tuple[bytes | None, Wheel | Sdist, tuple[str, ...]]


def _wheel(name: str, url: str, filename: str, servers: Servers, kept: DiskCache, _most_bytes: int) -> _Read | None:
    address, fragment = urldefrag(without_user(url))
    try:
        own_name, numbered = wheel_name(filename)
    except ValueError:
        return None
    algorithm, _, digest = fragment.partition("&")[0].partition("=")
    hashes = ((algorithm, digest),) if digest and algorithm != "egg" else ()
    wheel = Wheel(name=own_name, version=str(numbered), filename=filename, url=address, hashes=hashes)
    read = read_metadata(wheel, servers=servers, kept=kept)
    if read is None:
        return None
    text, left_out = _without_addresses(read.text)
    note = f"{name}: what it needs from {left_out} address(es) that it names itself is not looked up"
    content = wheel_that_says(filename, text)
    return content, replace(wheel, size_bytes=read.size_bytes), (note,) if left_out else ()


def _without_addresses(metadata: bytes) -> tuple[bytes, int]:
    """Return what a wheel says of itself without what it needs from an address, and how much that is."""
    head, blank, rest = metadata.replace(b"\r\n", b"\n").replace(b"\r", b"\n").partition(b"\n\n")
    needs = [each for each in _NEED.findall(head + b"\n") if b"@" in each]
    for need in needs:
        head = (head + b"\n").replace(need, b"").removesuffix(b"\n")
    return head + blank + rest, len(needs)


def _source(name: str, url: str, filename: str, servers: Servers, _kept: DiskCache, most_bytes: int) -> _Read | None:
    address = urldefrag(url).url
    try:
        reply = servers.ask(address, "", most_bytes + 1)
    except UnreadableError:
        return None
    if reply.status != _OK or len(reply.body) > most_bytes or not servers.grant(len(reply.body)):
        return None
    found = replace(archive_at(url, name), size_bytes=len(reply.body))
    try:
        contents, said = _read_through(filename, reply.body)
    except ValueError:
        return None
    found = replace(found, contents=contents)
    try:
        names_addresses = any(_names_addresses(path, text) for path, text in said)
    except (ValueError, CannotResolveError):
        names_addresses = True
    return None if names_addresses else reply.body, found, ()


def _names_addresses(path: str, text: bytes) -> bool:
    """Whether one of the files in which a source archive says what it needs names an address."""
    if path.endswith("requires.txt"):
        return False
    if not path.endswith("pyproject.toml"):
        return any(b"@" in need for need in _NEED.findall(text.replace(b"\r", b"\n") + b"\n"))
    project = read_toml(text.decode("utf-8"), path).get("project")
    return "@" in str([project.get("dependencies"), project.get("optional-dependencies")]) if project else False


def _read_through(filename: str, content: bytes) -> tuple[SourceContents, list[tuple[str, bytes]]]:
    """Return what lies in a source archive, and the files in which it says what it needs, wherever they lie in it.

    Raises:
        ValueError: It cannot be unpacked, or is more than such an archive can be.
    """
    import tarfile  # noqa: PLC0415 - only for what is named by its address

    suffix = next((each for each in _TAR if filename.endswith(each)), "")
    if not suffix and not filename.endswith(".zip"):
        raise ValueError(f"{filename} is not a source archive")
    try:
        if not suffix:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                said = list(_said_in_zip(archive))
                members = [(each.filename, each.file_size) for each in archive.infolist()[:_MOST_MEMBERS]]
        else:
            plain = io.BytesIO(b"".join(unpacked(content, _TAR[suffix], _MOST_UNPACKED_BYTES)))
            with tarfile.open(fileobj=plain, mode="r:") as tar:
                members, said = _members_of_tar(tar)
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise ValueError(str(error)) from error
    return contents_of(members, said), said


def _members_of_tar(tar: tarfile.TarFile) -> tuple[list[tuple[str, int]], list[tuple[str, bytes]]]:
    members, said = [], []
    for count, member in enumerate(tar):
        if count > _MOST_MEMBERS:
            raise ValueError("it has too many files")
        if member.isreg():
            members.append((member.name, member.size))
        if posixpath.basename(member.name) in _SAYS:
            file = tar.extractfile(member) if member.isreg() and member.size <= _MOST_SAID_BYTES else None
            if file is None:
                raise ValueError(f"{member.name} is not a readable file")
            said.append((member.name, file.read()))
    return members, said


def _said_in_zip(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    for member in archive.infolist()[:_MOST_MEMBERS]:
        if posixpath.basename(member.filename) in _SAYS:
            if member.file_size > _MOST_SAID_BYTES:
                raise ValueError(f"{member.filename} is too large")
            with archive.open(member) as stream:
                said = stream.read(_MOST_SAID_BYTES + 1)
            if len(said) > _MOST_SAID_BYTES:
                raise ValueError(f"{member.filename} is too large")
            yield member.filename, said
