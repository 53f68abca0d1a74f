"""What lies inside wheels, read from the directory of each zip file: a few requests and kilobytes for gigabytes.

Public:
    ``read_wheels(wheels, web=, access=, kept=, cancel=, at_once=) -> WheelsRead``
    ``read_metadata(wheel, servers=, kept=) -> WheelMetadata | None``: what a wheel says of itself.
    ``wheel_that_says(filename, metadata) -> bytes``: a small wheel that says the same of itself.

A wheel that has a hash never changes, so what was read once is kept for ever under that hash and needs no network.
A wheel that cannot be read is never nothing: it is graded down to a ratio of its size, with the reason.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import quote, unquote, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tonnage.forecast.python.parsing import wheel_name
from tonnage.forecast.python.ranged_file import MOST_PART_BYTES, RangedFile, Servers, UnreadableError
from tonnage.forecast.python.wheel_contents import contents_of, guessed, metadata_member, read_member
from tonnage.lazily import learned
from tonnage.model.forecast.python_lock import OF_CONTEXT, LocalWheel, Reading, Wheel, WheelContents
from tonnage.small_files import WHEEL, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.adapters.interface import Cancel
    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.forecast.python.index_access import IndexAccess

# The number changes with the form of what is kept, so that another form is never read.
_KIND = "wheel-6"
_METADATA_KIND = "metadata-3"
# What is remembered of many wheels that are asked for together, in one file: opening one for each takes longer.
_TOGETHER_KIND = "wheels-1"
_MANY = 64
_UNNAMED_FRESH_S = 86400.0
# What bytes that are no wheel make of the reader of zip files.
_DAMAGED = (
    zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError, OverflowError, RuntimeError, zlib.error,
)  # fmt: skip


class WheelsRead(Struct, frozen=True, kw_only=True):
    """What lies inside some wheels, and what it took to know it.

    Args:
        contents: Those of each wheel, in the order in which they were asked for.
        requests: How many requests were made.
        received_bytes: How much was received.
    """

    contents: tuple[WheelContents, ...]
    requests: int = 0
    received_bytes: int = 0


class WheelMetadata(Struct, frozen=True, kw_only=True):
    """What a wheel says of itself.

    Args:
        text: Its ``METADATA``.
        size_bytes: The size of the wheel.
    """

    text: bytes
    size_bytes: int


def read_wheels(
    wheels: Sequence[Wheel],
    *,
    web: Web,
    access: IndexAccess,
    kept: DiskCache,
    cancel: Cancel | None = None,
    at_once: int = 8,
) -> WheelsRead:
    """Read what lies inside wheels."""
    together = _together(wheels)
    if together and (whole := _remembered_together(together, kept)) is not None and len(whole) == len(wheels):
        return WheelsRead(contents=whole)
    servers = Servers(web, access)

    def read(wheel: Wheel) -> WheelContents:
        if cancel is not None and cancel.is_set():
            return guessed(wheel, "It was not read any more")
        found = _read(wheel, servers)
        if found.reading is Reading.DIRECTORY:
            kept.keep(_KIND, _key(wheel), msgspec.msgpack.encode(found))
        return found

    known = {wheel: _remembered(wheel, kept, offline=web.offline) for wheel in dict.fromkeys(wheels)}
    found = {wheel: contents for wheel, contents in known.items() if contents is not None}
    # The large ones have two requests to make, so they come first.
    order = sorted((wheel for wheel in known if wheel not in found), key=lambda wheel: -(wheel.size_bytes or 0))
    if order:
        with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="wheels") as pool:
            found.update(zip(order, pool.map(read, order), strict=True))
    contents = tuple(found[wheel] for wheel in wheels)
    if together and all(each.exact for each in contents):
        later = [replace(each, reading=Reading.REMEMBERED) for each in contents]
        kept.keep(_TOGETHER_KIND, together, msgspec.msgpack.encode(later))
    return WheelsRead(
        contents=contents,
        requests=servers.requests,
        received_bytes=servers.received_bytes,
    )


def read_metadata(wheel: Wheel, *, servers: Servers, kept: DiskCache) -> WheelMetadata | None:
    """Read what a wheel says of itself. What lies inside it comes along and is kept as well.

    Returns:
        Its metadata; None where the server does not give parts of it, or they are not those of a wheel.
    """
    name = wheel.digest or wheel.url
    known = kept.read(_METADATA_KIND, name, within_s=None if wheel.digest or servers.are_offline else _UNNAMED_FRESH_S)
    if known is not None:
        try:
            return msgspec.msgpack.decode(known, type=learned(WheelMetadata))
        except msgspec.MsgspecError:
            pass
    try:
        with (
            RangedFile(servers, wheel.url, wheel.size_bytes) as file,
            zipfile.ZipFile(cast("IO[bytes]", file)) as archive,
        ):
            member = metadata_member(archive)
            if member is None:
                return None
            contents = _contents(wheel, archive, file.size_bytes, cacheable=file.cacheable)
            found = WheelMetadata(text=read_member(archive, member), size_bytes=file.size_bytes)
    except (UnreadableError, *_DAMAGED):
        return None
    kept.keep(_METADATA_KIND, name, msgspec.msgpack.encode(found))
    kept.keep(_KIND, _key(contents.wheel), msgspec.msgpack.encode(contents))
    return found


def read_local(descriptor: int, filename: str) -> LocalWheel | None:
    """Read a wheel that lies in the context of a build; None where it is none that can be read.

    Args:
        descriptor: The file, opened; it is closed.
    """
    try:
        name, numbered = wheel_name(filename)
        with _LocalFile(descriptor, "rb") as file:
            size_bytes = file.seek(0, 2)
            with zipfile.ZipFile(cast("IO[bytes]", file)) as archive:
                member = metadata_member(archive)
                if member is None:
                    return None
                listed = [(each.filename, each.CRC, each.file_size) for each in archive.infolist()]
                digest = hashlib.sha256(repr((size_bytes, listed)).encode(errors="surrogatepass")).hexdigest()
                address = f"{OF_CONTEXT}{digest}/{quote(filename)}"
                wheel = Wheel(
                    name=name, version=str(numbered), filename=filename, url=address, hashes=(("sha256", digest),)
                )
                contents = _contents(wheel, archive, size_bytes, cacheable=False)
                return LocalWheel(wheel=contents.wheel, contents=contents, metadata=read_member(archive, member))
    except (UnreadableError, *_DAMAGED):
        return None


def keep_local(local: LocalWheel, kept: DiskCache) -> None:
    """Keep what was read of a wheel of the context, as of one from an index."""
    found = WheelMetadata(text=local.metadata, size_bytes=local.wheel.size_bytes or 0)
    kept.keep(_METADATA_KIND, local.wheel.digest, msgspec.msgpack.encode(found))
    kept.keep(_KIND, _key(local.wheel), msgspec.msgpack.encode(local.contents))


def wheel_that_says(filename: str, metadata: bytes) -> bytes:
    """Return a wheel that says the same of itself as another one, and holds nothing else."""
    information = f"{'-'.join(filename.split('-')[:2])}.dist-info"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{information}/METADATA", metadata)
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    return buffer.getvalue()


def _contents(wheel: Wheel, archive: zipfile.ZipFile, size_bytes: int, *, cacheable: bool | None) -> WheelContents:
    """Return what lies inside a wheel."""
    # A resolver fetched its metadata before: most indexes have them beside the wheel.
    member = metadata_member(archive)
    known = replace(wheel, size_bytes=size_bytes, metadata_bytes=member.file_size if member else 0)
    return replace(contents_of(known, archive), cacheable=cacheable)


def _key(wheel: Wheel) -> str:
    return wheel.digest or f"{wheel.url} {wheel.size_bytes}"


def _together(wheels: Sequence[Wheel]) -> str:
    """Return the name under which the contents of these wheels are kept together; empty where they are not."""
    if len(wheels) < _MANY or not all(wheel.digest for wheel in wheels):
        return ""
    return hashlib.sha256(msgspec.msgpack.encode(wheels)).hexdigest()


def _remembered_together(name: str, kept: DiskCache) -> tuple[WheelContents, ...] | None:
    try:
        return msgspec.msgpack.decode(kept.read(_TOGETHER_KIND, name) or b"", type=learned(tuple[WheelContents, ...]))
    except msgspec.MsgspecError:
        return None


def _remembered(wheel: Wheel, kept: DiskCache, *, offline: bool) -> WheelContents | None:
    """Return what was read earlier and still holds: for ever with a hash, for a day without."""
    content = kept.read(_KIND, _key(wheel), within_s=None if wheel.digest or offline else _UNNAMED_FRESH_S)
    if content is None:
        return None
    try:
        known = msgspec.msgpack.decode(content, type=learned(WheelContents))
    except msgspec.MsgspecError:
        return None
    size_bytes = wheel.size_bytes if wheel.size_bytes is not None else known.wheel.size_bytes
    # What was read for the resolver a moment ago is not of earlier.
    reading = known.reading if kept.is_new(_KIND, _key(wheel)) else Reading.REMEMBERED
    found = replace(wheel, size_bytes=size_bytes, metadata_bytes=known.wheel.metadata_bytes)
    # Another server of the same wheel may let installers keep it or not.
    cacheable = known.cacheable if urlsplit(known.wheel.url).netloc == urlsplit(wheel.url).netloc else None
    return replace(known, wheel=found, reading=reading, cacheable=cacheable)


def _read(wheel: Wheel, servers: Servers) -> WheelContents:
    """Read one wheel, or say why not."""
    try:
        parts = urlsplit(wheel.url)
        if parts.scheme in {"file", ""}:
            return _read_here(wheel, unquote(parts.path))
        with (
            RangedFile(servers, wheel.url, wheel.size_bytes) as file,
            zipfile.ZipFile(cast("IO[bytes]", file)) as archive,
        ):
            return _contents(wheel, archive, file.size_bytes, cacheable=file.cacheable)
    except UnreadableError as error:
        size_bytes = wheel.size_bytes if wheel.size_bytes is not None else error.size_bytes
        return guessed(replace(wheel, size_bytes=size_bytes), str(error))
    except _DAMAGED as error:
        return guessed(wheel, f"{wheel.filename} is no readable wheel: {error}")


def _read_here(wheel: Wheel, path: str) -> WheelContents:
    # A lock may name anything as a wheel: a device has no end, and nobody may ever write to a pipe.
    with opened(path, WHEEL) as there, _LocalFile(there, "rb") as file:
        size_bytes = file.seek(0, 2)
        with zipfile.ZipFile(cast("IO[bytes]", file)) as archive:
            return _contents(wheel, archive, size_bytes, cacheable=False)


class _LocalFile(io.FileIO):
    """A file of this machine of which no more is read at once than of one on a server."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read some bytes."""
        if size is not None and size > MOST_PART_BYTES:
            raise UnreadableError("Its directory is larger than a directory can be")
        return super().read(size)
