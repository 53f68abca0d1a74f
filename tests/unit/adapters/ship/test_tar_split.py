from __future__ import annotations

import base64
import gzip
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.ship.tar_split import TarSplit, joined
from tonnage.errors import StepFailedError

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"etc/empty": b"", "etc/small": b"x" * 17, "usr/bin/large": b"y" * 1_300_001, "usr/n\udcff": b"z" * 5}


def archive() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as opened:
        for name, content in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            opened.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("usr/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/small"
        opened.addfile(link)
    return made.getvalue()


def taken_apart(whole: bytes) -> bytes:
    """Return the list that an engine keeps of an archive."""
    lines: list[dict[str, object]] = []
    held = b""
    with tarfile.open(fileobj=io.BytesIO(whole)) as opened:
        before = 0
        for entry in opened:
            held = whole[before : entry.offset_data]
            lines.append({"type": 2, "payload": base64.b64encode(held).decode()})
            raw = os.fsencode(entry.name)
            try:
                named = {"name": raw.decode()}
            except UnicodeDecodeError:
                named = {"name_raw": base64.b64encode(raw).decode()}
            lines.append({"type": 1, **named, "size": entry.size, "payload": "AAAAAAAAAAA="})
            before = entry.offset_data + entry.size
        lines.append({"type": 2, "payload": base64.b64encode(whole[before:]).decode()})
    return gzip.compress(b"".join(json.dumps({**line, "position": n}).encode() + b"\n" for n, line in enumerate(lines)))


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def test_list_and_files_are_the_archive_to_the_byte(layer: Path) -> None:
    whole = archive()
    split = TarSplit(taken_apart(whole))
    assert b"".join(joined(split.pieces(str(layer)))) == whole
    assert split.sizes() == (len(whole), 4096 + 4096 + 318 * 4096)


@pytest.mark.parametrize("spoilt", ["short", "gone", "link", "directory link"])
def test_a_file_that_is_not_what_the_list_says_is_refused(
    layer: Path, spoilt: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    large = layer / "usr/bin/large"
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "large").write_bytes(FILES["usr/bin/large"])
    if spoilt == "short":
        large.write_bytes(b"y")
    elif spoilt == "directory link":
        large.unlink()
        large.parent.rmdir()
        large.parent.symlink_to(elsewhere)
    else:
        large.unlink()
        if spoilt == "link":
            large.symlink_to(elsewhere / "large")
    with pytest.raises(StepFailedError, match="large"):
        list(TarSplit(taken_apart(archive())).pieces(str(layer)))


@pytest.mark.parametrize("name", ["../outside", "usr/../../outside", "/"])
def test_no_name_of_a_list_leads_out_of_the_layer(layer: Path, name: str) -> None:
    (layer.parent / "outside").write_bytes(b"secret")
    line = json.dumps({"type": 1, "name": name, "size": 6}).encode()
    with pytest.raises(StepFailedError):
        list(TarSplit(gzip.compress(line)).pieces(str(layer)))


@pytest.mark.parametrize(
    "packed", [b"", b"no gzip", gzip.compress(b"{", mtime=0), gzip.compress(b'{"type":1,"size":"x"}', mtime=0)]
)
def test_what_is_no_list_is_refused(layer: Path, packed: bytes) -> None:
    with pytest.raises(StepFailedError):
        list(TarSplit(packed).pieces(str(layer)))
