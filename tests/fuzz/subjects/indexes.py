"""What package indexes and the resolver answer, and what wheels hold."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile

from tests.fuzz.subject import Subject, as_bytes, as_text
from tests.unit.forecast.python import test_uv_messages as printed

from tonnage.errors import CannotFetchError, CannotResolveError, TonnageError
from tonnage.forecast.python.pylock import read_pylock
from tonnage.forecast.python.resolver_lines import sorted_out
from tonnage.forecast.python.source_archives import archive_at, needed_by, offers
from tonnage.forecast.python.uv_messages import failure, without_wheels
from tonnage.forecast.python.wheel_contents import contents_of, metadata_member
from tonnage.forecast.python.wheels import wheel_that_says
from tonnage.model.forecast.python_lock import Target, Wheel

TARGET = Target(python="3.11")
WHEEL = Wheel(name="a", version="1.0", filename="a-1.0-py3-none-any.whl", url="https://files.example.org/a.whl")
PAGES = (
    (
        '<!DOCTYPE html><html><body><a href="../a-1.0.tar.gz#sha256=00" data-requires-python="&gt;=3.8">a</a>\n'
        "<a data-yanked='x' href='https://files.example.org/a-1.1.zip'>b</a><A HREF=a-2.tar.gz>c</A></body></html>"
    ),
)
JSON_PAGES = (
    json.dumps({
        "meta": {"api-version": "1.0"}, "name": "a",
        "files": [
            {"filename": "a-1.tar.gz", "url": "a-1.tar.gz", "hashes": {"sha256": "00"}, "size": 5, "yanked": False},
            {"filename": "a-2.zip", "url": "https://files.example.org/a-2.zip", "hashes": {}, "requires-python": ">=3"},
        ],
    }),
)  # fmt: skip
METADATA = (
    (
        "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: b>=1 ; extra == 'c'\nRequires-Dist: d[e]==2; "
        "python_version < '3.9'\nProvides-Extra: c\nDynamic: Requires-Dist\n\nText\nRequires-Dist: f\n"
    ),
)
LOCKS = (
    (
        'lock-version = "1.0"\ncreated-by = "uv"\nrequires-python = ">=3.11"\n[[packages]]\nname = "a"\nversion = "1.0"\n'
        'marker = "python_version < \'4\'"\nindex = "https://index.example.org/simple"\n'
        'wheels = [{ url = "https://files.example.org/a-1.0-py3-none-any.whl", size = 5, hashes = { sha256 = "00" } }]\n'
        '[[packages]]\nname = "b"\nversion = "2"\nsdist = { url = "https://files.example.org/b-2.tar.gz", size = 7, '
        'hashes = { sha256 = "11" } }\n[[packages]]\nname = "c"\nvcs = { type = "git", url = "https://git.example.org/c", '
        'commit-id = "00" }\n[[packages]]\nname = "d"\ndirectory = { path = "../d", editable = true }\n'
        '[[packages]]\nname = "e"\narchive = { url = "https://files.example.org/e-1.zip", hashes = { sha256 = "22" } }\n'
    ),
)
MESSAGES = tuple(text for name, text in vars(printed).items() if name.isupper() and isinstance(text, str))
ADDRESSES = (
    "https://files.example.org/a-1.0.tar.gz#sha256=00", "http://u:p@host.example.org:8080/x/a%2D1.zip?y=z",
    "https://[::1]/a-1.0.tar.bz2",
)  # fmt: skip


def _zipped(compression: int, **members: str) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_x_", "."), text)
    return as_text(buffer.getvalue())


WHEELS = tuple(
    _zipped(
        way, **{"a/b.py": "x = 1\n", "a/c/d.so": "0" * 90, "a-1.0.dist-info/METADATA": METADATA[0],
                "a-1.0.dist-info/entry_points.txt": "[console_scripts]\na = b:c\n[gui_scripts]\nd = e:f\n",
                "a-1.0.data/purelib/f.py": "", "a-1.0.data/scripts/g": "#!python\n"},
    )
    for way in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
)  # fmt: skip


def _page(text: str) -> None:
    for offer in offers("https://index.example.org/simple/a/", as_bytes(text), is_json=False):
        archive_at(offer.url, "a")


def _json_page(text: str) -> None:
    for offer in offers("https://index.example.org/simple/a/", as_bytes(text), is_json=True):
        assert offer.size_bytes is None or 0 <= offer.size_bytes < 1 << 63
        archive_at(offer.url, "a")


def _metadata(text: str) -> None:
    content = as_bytes(text)
    for each in needed_by(content):
        assert each.name
    wheel_that_says(WHEEL.filename, content)


def _lock(text: str) -> None:
    for wheel in read_pylock(text, TARGET, place="pylock.toml").wheels:
        assert wheel.size_bytes is None or 0 <= wheel.size_bytes < 1 << 63, wheel


def _message(text: str) -> None:
    without_wheels(text)
    found = failure(text, target="Python 3.11")
    assert isinstance(found, CannotFetchError | CannotResolveError)
    assert found.what


def _wheel(text: str) -> None:
    # What opens it takes exactly these for a wheel that cannot be read.
    with contextlib.suppress(zipfile.BadZipFile, NotImplementedError):
        with zipfile.ZipFile(io.BytesIO(as_bytes(text))) as archive:
            found = contents_of(WHEEL, archive)
            metadata_member(archive)
        assert found.content_bytes >= 0


def _address(text: str) -> None:
    for each in sorted_out((f"a @ {text}", text))[0]:
        if each.url:
            archive_at(each.url, "a")


SUBJECTS = (
    Subject(name="page of an index", read=_page, seeds=PAGES, words=("<a ", "href=", '"', "'", ">", "&gt;", "#"),
            refuses=()),
    Subject(name="page of an index in JSON", read=_json_page, seeds=JSON_PAGES, inputs=500, refuses=()),
    Subject(name="metadata of a wheel", read=_metadata, seeds=METADATA, inputs=250, refuses=()),
    Subject(name="standard lock", read=_lock, seeds=LOCKS, words=("[[packages]]\n", "name = ", '"', "size = ", "{ url = "),
            inputs=250),
    Subject(name="message of the resolver", read=_message, seeds=MESSAGES, inputs=400, refuses=()),
    Subject(name="directory of a wheel", read=_wheel, seeds=WHEELS, inputs=500, refuses=()),
    Subject(name="address of an archive", read=_address, seeds=ADDRESSES, inputs=250, refuses=(TonnageError,)),
)  # fmt: skip
