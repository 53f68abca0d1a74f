from __future__ import annotations

import hashlib
import io
import os
import struct
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import serving, wheel_bytes

from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.forecast.python.index_access import IndexAccess
from tonnage.forecast.python.ranged_file import TAIL_BYTES, may_be_kept
from tonnage.forecast.python.wheel_contents import directory_bytes
from tonnage.forecast.python.wheels import read_wheels
from tonnage.model.forecast.python_lock import Reading, Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.adapters.file_server import FileServer

    from tonnage.forecast.python.wheels import WheelsRead

NOISE = os.urandom(400_009)


@pytest.fixture(scope="module")
def server() -> Iterator[FileServer]:
    with serving() as running:
        yield running


def wheel_at(url: str, content: bytes = b"", *, size: int | None = None, hashed: bool = True) -> Wheel:
    digest = (("sha256", hashlib.sha256(content).hexdigest()),) if hashed else ()
    return Wheel(
        name="thing", version="1.0", filename="thing-1.0-py3-none-any.whl", url=url,
        size_bytes=len(content) if size is None else size or None, hashes=digest,
    )  # fmt: skip


def read(*wheels: Wheel, cache: Path, offline: bool = False, access: IndexAccess | None = None) -> WheelsRead:
    with Web({}, offline=offline) as web:
        return read_wheels(wheels, web=web, access=access or IndexAccess(), kept=DiskCache(cache))


def large_wheel(**more: bytes) -> bytes:
    return wheel_bytes(files={"thing/blob.bin": NOISE, "thing/__init__.py": b"x = 1\n", **more})


def test_files_are_counted_in_bytes_and_in_blocks(server: FileServer, tmp_path: Path) -> None:
    content = wheel_bytes(files={"thing/a.py": b"x" * 4097, "thing/sub/b.py": b"", "thing/data.bin": b"y" * 8191})
    (found,) = read(wheel_at(server.add("/a.whl", content), content), cache=tmp_path).contents
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = [info.file_size for info in archive.infolist()]
    assert found.content_bytes == sum(sizes)
    assert found.block_bytes == sum(-(-size // 4096) * 4096 for size in sizes)
    assert found.files == 6
    assert found.directories == 3
    assert found.python_file_bytes == (0, 4097)
    assert found.python_directories == 2
    assert found.reading is Reading.DIRECTORY


def test_what_files_take_compressed_is_told_apart_from_what_is_only_stored(server: FileServer, tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("thing/a.py", b"x = 1\n" * 2_003)
        archive.writestr("thing/large.so", NOISE)
        archive.writestr("thing/model.bin", b"y" * 7_001, zipfile.ZIP_STORED)
        sizes = {info.filename: info.compress_size for info in archive.infolist()}
    content = made.getvalue()

    (found,) = read(wheel_at(server.add("/packed.whl", content), content), cache=tmp_path).contents

    assert found.small_packed_bytes == sizes["thing/a.py"] < 2_003
    assert found.packed_bytes == len(NOISE)
    assert found.stored_bytes == 7_001


def test_a_large_wheel_costs_its_end_alone(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    told = read(wheel_at(server.add("/large.whl", content), content), cache=tmp_path)
    assert told.requests == 1
    assert told.received_bytes == TAIL_BYTES
    assert server.extents("/large.whl") == [f"bytes={len(content) - TAIL_BYTES}-"]


def test_a_wheel_of_unknown_size_is_asked_for_its_end_and_tells_its_size(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    (found,) = read(wheel_at(server.add("/unsized.whl", content), content, size=0), cache=tmp_path).contents
    assert server.extents("/unsized.whl") == [f"bytes=-{TAIL_BYTES}"]
    assert found.wheel.size_bytes == len(content)


def test_a_wrong_size_of_the_index_is_corrected(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    wheel = wheel_at(server.add("/wrong.whl", content), content, size=len(content) + 2_000_003)
    assert read(wheel, cache=tmp_path).contents[0].exact


def with_the_end_of_the_larger_form(content: bytes) -> bytes:
    """Return a zip file whose end has its figures in the records of 64 bits alone."""
    at = content.rindex(b"PK\x05\x06")
    count, size, offset = struct.unpack("<10xHLL2x", content[at : at + 22])
    record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return content[:at] + record + locator + end


def test_a_large_directory_of_the_larger_form_is_read_in_two_requests(server: FileServer, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(3001):
            archive.writestr(zipfile.ZipInfo(f"thing/f{number:05}.py"), b"")
    content = with_the_end_of_the_larger_form(buffer.getvalue())
    told = read(wheel_at(server.add("/many.whl", content), content), cache=tmp_path)
    assert told.contents[0].files == 3001
    assert told.requests == 2


def test_a_file_of_more_than_four_gigabytes_is_counted_in_full(server: FileServer, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("thing/a.bin", b"1")
        giant = zipfile.ZipInfo("thing/giant.so")
        giant.file_size, giant.compress_size, giant.CRC = 5_000_000_029, 11, 0
        giant.header_offset = 0
        archive.filelist.append(giant)
    content = buffer.getvalue()
    (found,) = read(wheel_at(server.add("/giant.whl", content), content), cache=tmp_path).contents
    assert found.content_bytes == 5_000_000_030


def test_commands_are_counted_also_where_their_text_is_far_from_the_end(server: FileServer, tmp_path: Path) -> None:
    points = "[console_scripts]\nthing = thing:main\nthing-b = thing:other\n[thing.plugins]\nx = thing:x\n"
    near = wheel_bytes(files={"thing/blob.bin": NOISE}, entry_points=points)
    far = wheel_bytes(files={"thing-1.0.dist-info/entry_points.txt": points.encode(), "thing/blob.bin": NOISE})
    told = [
        read(wheel_at(server.add(f"/{name}.whl", content), content), cache=tmp_path)
        for name, content in (("near", near), ("far", far))
    ]
    assert [each.contents[0].console_scripts for each in told] == [2, 2]
    assert told[0].requests < told[1].requests <= 4


def test_what_goes_elsewhere_is_told_by_its_scheme(server: FileServer, tmp_path: Path) -> None:
    files = {"thing-1.0.data/purelib/thing/a.py": b"x" * 11, "thing-1.0.data/data/share/b.txt": b"y" * 13}
    content = wheel_bytes(files=files)
    (found,) = read(wheel_at(server.add("/data.whl", content), content), cache=tmp_path).contents
    assert found.content_bytes == 130
    assert found.python_directories == 1


def test_a_small_file_of_a_server_without_ranges_is_taken_whole(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    told = read(wheel_at(server.add("/whole.whl", content, ranges=False), content), cache=tmp_path)
    assert told.contents[0].exact
    assert told.received_bytes < len(content) + 2 * TAIL_BYTES


def test_a_large_file_of_a_server_without_ranges_is_left_unread_and_graded_down(
    server: FileServer, tmp_path: Path
) -> None:
    content = wheel_bytes(files={"thing/blob.bin": os.urandom(17_000_023)})
    before = server.sent_bytes
    told = read(wheel_at(server.add("/unread.whl", content, ranges=False), content), cache=tmp_path)
    assert told.contents[0].reading is Reading.RATIO
    assert "no ranges" in told.contents[0].reason
    assert told.received_bytes <= TAIL_BYTES + 1
    assert server.sent_bytes - before < len(content)


@pytest.mark.parametrize("answer", [200, 400, 416, 501])
def test_servers_that_count_from_the_beginning_only_are_asked_so(
    server: FileServer, tmp_path: Path, answer: int
) -> None:
    content = wheel_bytes(files={"thing/blob.bin": os.urandom(17_000_023)})
    url = server.add(f"/counted-{answer}.whl", content, from_the_end=answer)
    told = read(wheel_at(url), cache=tmp_path)
    assert told.contents[0].exact
    assert told.contents[0].wheel.size_bytes == len(content)
    assert server.extents(f"/counted-{answer}.whl")[1:] == ["bytes=0-0", f"bytes={len(content) - TAIL_BYTES}-"]


def test_a_redirect_is_followed_and_the_range_goes_with_it(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    target = server.add("/moved.whl", content)
    wheel = wheel_at(server.add("/old.whl", b"", moved_to=target), content)
    assert read(wheel, cache=tmp_path).contents[0].exact
    assert server.extents("/moved.whl") == [f"bytes={len(content) - TAIL_BYTES}-"]


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_refused_wheel_is_a_ratio_of_its_size_with_the_reason(
    server: FileServer, tmp_path: Path, status: int
) -> None:
    (found,) = read(wheel_at(server.add("/no.whl", b"", status=status), size=1_000_003), cache=tmp_path).contents
    assert found.reading is Reading.RATIO
    assert str(status) in found.reason
    assert found.wheel.size_bytes == 1_000_003


def test_a_refused_wheel_without_a_size_is_known_not_at_all(server: FileServer, tmp_path: Path) -> None:
    (found,) = read(wheel_at(server.add("/none.whl", b"", status=404), size=0), cache=tmp_path).contents
    assert found.reading is Reading.NOTHING
    assert found.wheel.size_bytes is None


@pytest.mark.parametrize("behaviour", [{"tells_total": False}, {"cut_to": 4_009}])
def test_an_answer_that_is_not_what_was_asked_for_is_graded_down(
    server: FileServer, tmp_path: Path, behaviour: dict[str, object]
) -> None:
    content = large_wheel()
    wheel = wheel_at(server.add("/odd.whl", content, **behaviour), content)
    assert read(wheel, cache=tmp_path).contents[0].reading is Reading.RATIO


@pytest.mark.parametrize("content", [b"", b"not a zip file at all", NOISE])
def test_bytes_that_are_no_wheel_are_graded_down(server: FileServer, tmp_path: Path, content: bytes) -> None:
    (found,) = read(wheel_at(server.add("/junk.whl", content), content, size=len(content)), cache=tmp_path).contents
    assert not found.exact
    assert found.reason


def test_a_directory_that_claims_to_be_huge_is_not_fetched(server: FileServer, tmp_path: Path) -> None:
    content = bytearray(wheel_bytes(files={"thing/blob.bin": NOISE}))
    end = content.rindex(b"PK\x05\x06")
    content[end + 12 : end + 16] = (0x7FFFFFFF).to_bytes(4, "little")
    told = read(wheel_at(server.add("/claims.whl", bytes(content)), bytes(content)), cache=tmp_path)
    assert not told.contents[0].exact
    assert told.received_bytes < 200_000


def test_a_server_that_does_not_answer_is_asked_once_for_many_wheels(tmp_path: Path) -> None:
    wheels = [wheel_at(f"http://127.0.0.1:1/{number}.whl", bytes([number])) for number in range(40)]
    told = read(*wheels, cache=tmp_path)
    assert all(each.reading is Reading.RATIO for each in told.contents)
    assert told.requests == 0


def test_what_was_read_once_needs_no_network_for_ever(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    wheel = wheel_at(server.add("/kept.whl", content), content)
    first = read(wheel, cache=tmp_path)
    again = read(wheel, cache=tmp_path, offline=True)
    assert again.requests == 0
    assert again.contents[0].reading is Reading.REMEMBERED
    assert again.contents[0].content_bytes == first.contents[0].content_bytes


def test_many_wheels_that_were_read_together_are_one_file_the_next_time(server: FileServer, tmp_path: Path) -> None:
    wheels = []
    for number in range(67):
        content = wheel_bytes(files={"thing/a.py": b"x" * number})
        wheels.append(wheel_at(server.add(f"/together{number}.whl", content), content))
    first = read(*wheels, cache=tmp_path)
    for kept in (tmp_path / "wheel-6").iterdir():
        kept.unlink()
    again = read(*wheels, cache=tmp_path, offline=True)
    assert [each.content_bytes for each in again.contents] == [each.content_bytes for each in first.contents]
    assert {each.reading for each in again.contents} == {Reading.REMEMBERED}
    assert {each.reading for each in read(*wheels[1:], cache=tmp_path, offline=True).contents} == {Reading.RATIO}


def test_offline_a_wheel_that_was_never_read_is_a_ratio(tmp_path: Path) -> None:
    (found,) = read(wheel_at("https://files.example.org/a.whl", b"abc"), cache=tmp_path, offline=True).contents
    assert found.reading is Reading.RATIO


def test_a_failure_is_not_remembered(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    wheel = wheel_at(server.add("/later.whl", content, status=403), content)
    assert not read(wheel, cache=tmp_path).contents[0].exact
    server.add("/later.whl", content)
    assert read(wheel, cache=tmp_path).contents[0].exact


def test_a_damaged_cache_is_read_anew(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    wheel = wheel_at(server.add("/damaged.whl", content), content)
    read(wheel, cache=tmp_path)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            file.write_bytes(b"\xc1\xff broken")
    assert read(wheel, cache=tmp_path).contents[0].reading is Reading.DIRECTORY


def test_a_cache_that_cannot_be_written_only_means_asking_again(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    (tmp_path / "file").write_text("no directory")
    assert read(wheel_at(server.add("/ro.whl", content), content), cache=tmp_path / "file").contents[0].exact


def test_a_file_on_this_machine_is_read_where_it_is(tmp_path: Path) -> None:
    content = large_wheel()
    path = tmp_path / "thing 1.0.whl"
    path.write_bytes(content)
    (found,) = read(wheel_at(path.as_uri(), content, size=0), cache=tmp_path / "cache").contents
    assert found.exact
    assert found.wheel.size_bytes == len(content)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    (found,) = read(wheel_at((tmp_path / "gone.whl").as_uri(), b"abc"), cache=tmp_path).contents
    assert not found.exact
    assert "No such file" in found.reason


def test_the_password_of_an_index_goes_to_its_host(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    url = server.add("/secret.whl", content, user="Basic bWU6b3Blbg==")
    access = IndexAccess(credentials=((f"{server.address}/simple", "me", "open"),))
    assert read(wheel_at(url, content), cache=tmp_path, access=access).contents[0].exact


def test_the_same_wheel_twice_is_read_once(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    wheel = wheel_at(server.add("/twice.whl", content), content)
    told = read(wheel, wheel, cache=tmp_path)
    assert len(told.contents) == 2
    assert told.requests == 1


@pytest.mark.parametrize(
    ("headers", "cacheable"),
    [
        ({}, False),
        ({"etag": "x"}, True),
        ({"etag": "x", "vary": "*"}, False),
        ({"etag": "x", "vary": "Accept-Encoding"}, True),
        ({"cache-control": "max-age=365000000, immutable, public", "date": "today"}, True),
        ({"cache-control": "no-store", "etag": "x"}, False),
        ({"cache-control": "max-age=0", "date": "today"}, False),
        ({"expires": "tomorrow", "date": "today"}, True),
    ],
)
def test_whether_pip_may_keep_a_wheel_is_what_its_server_says(headers: dict[str, str], *, cacheable: bool) -> None:
    assert may_be_kept(headers) is cacheable


@pytest.mark.parametrize(("headers", "cacheable"), [({"ETag": "x"}, True), ({}, False)])
def test_whether_an_answer_may_be_kept_is_remembered(
    server: FileServer, tmp_path: Path, headers: dict[str, str], *, cacheable: bool
) -> None:
    content = large_wheel()
    wheel = wheel_at(server.add("/headers.whl", content, headers=headers), content)
    assert read(wheel, cache=tmp_path).contents[0].cacheable is cacheable
    told = read(wheel, cache=tmp_path)
    assert told.requests == 0
    assert told.contents[0].cacheable is cacheable


def test_what_one_server_says_of_keeping_a_wheel_holds_for_no_other(server: FileServer, tmp_path: Path) -> None:
    content = large_wheel()
    read(wheel_at(server.add("/mirror.whl", content), content), cache=tmp_path)
    elsewhere = wheel_at("https://files.example.org/mirror.whl", content)
    assert read(elsewhere, cache=tmp_path).contents[0].cacheable is None


def test_two_readers_of_one_cache_do_each_other_no_harm(server: FileServer, tmp_path: Path) -> None:
    contents = [wheel_bytes(version=f"1.{number}", files={"thing/a.py": b"x" * number}) for number in range(20)]
    wheels = [wheel_at(server.add(f"/both{number}.whl", each), each) for number, each in enumerate(contents)]
    told: list[WheelsRead] = []
    threads = [threading.Thread(target=lambda: told.append(read(*wheels, cache=tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(each.exact for one in told for each in one.contents)
    assert read(*wheels, cache=tmp_path, offline=True).requests == 0


def test_a_directory_of_many_names_takes_several_blocks() -> None:
    assert directory_bytes([10] * 20) == 4096
    assert directory_bytes([30] * 3001) > 100_000
