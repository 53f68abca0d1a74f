"""What a ``.deb`` file of a context says of itself, in its control file. Nothing of it is unpacked but that.

Source: deb(5), deb-control(5).
"""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

from tonnage.adapters.apt.texts import package, stanzas
from tonnage.unpacking import SUFFIXES, unpacked

if TYPE_CHECKING:
    from tonnage.model.forecast.debian_package import DebPackage

_MAGIC = b"!<arch>\n"
_HEAD_BYTES = 60
_MOST_PACKED_BYTES, _MOST_BYTES, _MOST_CONTROL_BYTES = 1 << 20, 8 << 20, 1 << 16
_MOST_MEMBERS = 200


def read_package(descriptor: int) -> DebPackage | None:
    """Return what the file says of itself; None where that cannot be read, such as one packed with zstd.

    Args:
        descriptor: The file, opened; it is closed.
    """
    with os.fdopen(descriptor, "rb") as file:
        head = file.read(len(_MAGIC) + 4 * _HEAD_BYTES + _MOST_PACKED_BYTES)
        size_bytes = file.seek(0, os.SEEK_END)
    try:
        text = control(head)
    except (ValueError, tarfile.TarError, OverflowError):
        return None
    fields = next(stanzas(text), {})
    found = package({**fields, "size": str(size_bytes)})
    return found if found is not None and found.name and found.installed_bytes else None


def control(head: bytes) -> str:
    """Return the text of the control file at the head of a package.

    Raises:
        ValueError: There is none, or it cannot be read.
    """
    if not head.startswith(_MAGIC):
        raise ValueError("it is not an archive")
    at = len(_MAGIC)
    for _ in range(4):
        entry = head[at : at + _HEAD_BYTES]
        name, size = entry[:16].decode("ascii").strip().rstrip("/"), int(entry[48:58])
        at += _HEAD_BYTES
        if name.startswith("control.tar"):
            suffix = name.removeprefix("control.tar")
            if suffix not in SUFFIXES or not 0 <= size <= _MOST_PACKED_BYTES:
                raise ValueError("it is packed in a way that is not read")
            return _member(b"".join(unpacked(head[at : at + size], suffix, _MOST_BYTES)))
        if size < 0:
            raise ValueError("it has a size below nothing")
        at += size + size % 2
    raise ValueError("it has no control file")


def _member(content: bytes) -> str:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for _ in range(_MOST_MEMBERS):
            entry = archive.next()
            if entry is None:
                break
            if entry.name.removeprefix("./") == "control" and entry.isreg() and entry.size <= _MOST_CONTROL_BYTES:
                read = archive.extractfile(entry)
                return "" if read is None else read.read().decode(errors="replace")
    raise ValueError("it has no control file")
