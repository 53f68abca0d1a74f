"""Archives of a context that lie about themselves, or never end: what they bring is not known, and nothing hangs."""

from __future__ import annotations

import gzip
import io
import lzma
import subprocess
import sys
import tarfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.security.test_bounds import MOST_BYTES, MOST_S, packed_zeros

from tonnage.adapters.context.archives import UnlistedError, list_archive

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gz": gzip.compress, "xz": lzma.compress}


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return one header, also of a size that no file has."""
    told = tarfile.TarInfo(name)
    told.type = kind
    block = bytearray(told.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = (0o200 if size >= 0 else 0o377).to_bytes(1, "big") + (size % (1 << 88)).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def entries_of(content: bytes) -> list[tuple[str, str, int]]:
    found: list[tuple[str, str, int]] = []
    assert list_archive(io.BytesIO(content), lambda *entry: found.append(entry))
    return found


END = bytes(1024)
LIES = {
    "a size below nothing": header("a", -512) + END,
    "a size below nothing, further on": header("a", 3) + bytes(512) + header("b", -1536) + END,
    "a size that no disk has": header("a", 1 << 63) + END,
    "a long name of a gigabyte": header("././@LongLink", 1 << 30, tarfile.GNUTYPE_LONGNAME) + END,
    "a further header of a gigabyte": header("pax", 1 << 30, tarfile.XHDTYPE) + END,
    "a path that no file has": header("././@LongLink", 9_000, tarfile.GNUTYPE_LONGNAME)
    + b"a/" * 4_500 + bytes(216) + header("a", 0) + END,
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_an_archive_that_lies_is_not_listed(form: str, lie: bytes) -> None:
    with pytest.raises(UnlistedError):
        entries_of(FORMS[form](lie))


@pytest.mark.parametrize("form", FORMS)
def test_an_honest_archive_is_listed_whole(form: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for number in range(300):
            entry = tarfile.TarInfo(f"{'long/' * 30}{number}")
            entry.size = number * 701
            made.addfile(entry, io.BytesIO(bytes(entry.size)))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "there"
        made.addfile(link)
    found = entries_of(FORMS[form](buffer.getvalue()))
    assert found[7:8] == [(f"{'long/' * 30}7", "file", 4_907)]
    assert (len(found), found[-1]) == (301, ("link", "link", 5))


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8bnonsense", gzip.compress(b"a text", mtime=0), b"a text" * 200, b"\xfd7zXZ\0"]
)
def test_what_is_no_archive_is_none(content: bytes) -> None:
    assert not list_archive(io.BytesIO(content), lambda *_: None)


def record(name: str, value: str) -> bytes:
    length = len(name) + len(value) + 3
    while len(f"{length} {name}={value}\n") != length:
        length += 1
    return f"{length} {name}={value}\n".encode()


def settings(told: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return header("pax", len(told), kind) + told + bytes(-len(told) % 512)


HOLES = settings(record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", "x"))
LASTING = {
    "holes": HOLES + header("a", 8_000_000) + b"99999999\n" + b"1\n" * 4_000_000,
    "digits": settings(b"1" * 900_000) + header("a", 0) + END,
    "settings": settings(b"".join(record(f"k{n}", "v") for n in range(60_000)), tarfile.XGLTYPE)
    + b"".join(header(f"{n}", 0) for n in range(20_000)) + END,
}  # fmt: skip


@pytest.mark.parametrize("content", LASTING.values(), ids=LASTING.keys())
def test_an_archive_that_would_take_for_ever_is_not_listed(content: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(UnlistedError):
        entries_of(content)
    assert time.process_time() - begun < MOST_S


def take_little(directory: Path) -> None:
    """List what is made to take memory, through the instruction that adds it."""
    from tests.unit.adapters.context.test_copied_files import copy  # noqa: PLC0415 - in a process of its own

    from tonnage.adapters.context.context_files import ContextFiles  # noqa: PLC0415
    from tonnage.adapters.context.copied_files import CopyMeter  # noqa: PLC0415
    from tonnage.adapters.web.client import Web  # noqa: PLC0415
    from tonnage.adapters.web.disk_cache import DiskCache  # noqa: PLC0415
    from tonnage.adapters.web.remote_sizes import RemoteSizes  # noqa: PLC0415

    meter = CopyMeter(RemoteSizes(Web({}, offline=True), DiskCache(directory / "kept")))
    stream = zlib.compressobj(1, wbits=31)
    many = b"".join(stream.compress(header(f"{number}/" + "a/" * 40, 0)) for number in range(12_000))
    (directory / "zeros.tgz").write_bytes(
        gzip.compress(header("././@LongLink", 1 << 30, tarfile.GNUTYPE_LONGNAME)) + packed_zeros(200 << 20)
    )
    (directory / "many.tgz").write_bytes(many + stream.flush())
    for name in ("zeros.tgz", "many.tgz"):
        tree = meter.tree(copy(name, adds=True), ContextFiles(str(directory)))
        assert not tree.image.known
        assert not tree.disk.known
        assert tree.notes[0].startswith(f"what {name} unpacks to is not known: ")


def test_an_archive_takes_little_memory(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from tests.security.test_archives import *;"
        "from tests.security.test_bounds import used_bytes; before = used_bytes();"
        f"take_little(Path({str(tmp_path)!r})); print(used_bytes() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < MOST_BYTES
