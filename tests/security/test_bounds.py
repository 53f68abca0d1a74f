"""What servers of strangers give takes bounded memory and time, and a size is one or is not known."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement
from tests.answering import answering
from tests.unit.adapters.file_server import serving
from tests.unit.adapters.registry.test_registry import Fleet

from tonnage.adapters.apt.lists import reduced
from tonnage.adapters.apt.texts import one_line_sources, package, paragraph_sources, settings, stanzas
from tonnage.adapters.docker.wire import cache
from tonnage.adapters.registry.access import challenge
from tonnage.adapters.registry.documents import manifest_or_index
from tonnage.adapters.registry.images import ImageRegistry
from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.adapters.web.reply import Reply
from tonnage.errors import CannotFetchError, CannotResolveError, UsageError
from tonnage.forecast.costs.base_layers import ground_of
from tonnage.forecast.python.index_access import IndexAccess
from tonnage.forecast.python.parsing import requirement, sdist_name, version, wheel_name
from tonnage.forecast.python.pylock import read_pylock
from tonnage.forecast.python.ranged_file import Servers
from tonnage.forecast.python.resolver_lines import sorted_out
from tonnage.forecast.python.source_archives import needed_by, offers
from tonnage.forecast.python.wheels import read_metadata, read_wheels
from tonnage.model.forecast.python_lock import Target, Wheel
from tonnage.units import parse_bytes, told_count
from tonnage.unpacking import SUFFIXES, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tonnage.model.forecast.python_lock import Reading

MOST_BYTES = 220 << 20
# Far from what a quadratic reader takes for these, which is minutes.
MOST_S = 20.0
PACKED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress, "": bytes,
}  # fmt: skip


def packed_zeros(count_bytes: int) -> bytes:
    """Return a gzip stream of so many zeros, made with little memory."""
    stream, piece = zlib.compressobj(9, wbits=31), bytes(1 << 20)
    return b"".join(stream.compress(piece) for _ in range(count_bytes >> 20)) + stream.flush()


def lying_wheel(content: bytes) -> bytes:
    """Return a wheel whose ``METADATA`` is far larger than its directory says."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("thing-1.0.dist-info/METADATA", content)
        archive.writestr("thing-1.0.dist-info/entry_points.txt", content)
    told = buffer.getvalue()
    return told.replace(struct.pack("<L", len(content)), struct.pack("<L", 100))


def wheel_of(names: Iterator[bytes], directory_bytes: int) -> bytes:
    """Return a zip file that is a directory alone."""
    entries: list[bytes] = []
    length = 0
    for name in names:
        fields = (b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 1, 1, len(name), 0, 0, 0, 0, 0, 0)
        entries.append(struct.pack("<4s4B4HL2L5H2L", *fields) + name)
        length += len(entries[-1])
        if length > directory_bytes:
            break
    directory = b"".join(entries)
    return directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 7, 7, len(directory), 0, 0)


def read_here(content: bytes, directory: Path) -> Reading:
    """Read a wheel that lies on this machine."""
    (directory / "thing-1.0-py3-none-any.whl").write_bytes(content)
    filename = "thing-1.0-py3-none-any.whl"
    wheel = Wheel(name="thing", version="1.0", filename=filename, url=str(directory / filename))
    with Web({}, offline=True) as web:
        found = read_wheels([wheel], web=web, access=IndexAccess(), kept=DiskCache(directory / "kept"))
    return found.contents[0].reading


def used_bytes() -> int:
    """Return the most memory that this process has used."""
    told = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in told.splitlines() if line.startswith("VmHWM")).split()[1]) << 10


def take_all_that_is_hostile(directory: Path) -> None:
    """Read what is made to take memory."""
    numbers = range(10**7)
    names = (b"%d" % n for n in numbers)
    paragraphs = (b"Package: %d\nProvides: a%d, b\n\n" % (n, n) for n in numbers)
    deep = (b"%d/" % n + b"a/" * 2_000 + b"b" for n in numbers)
    _refused(lambda: sum(map(len, unpacked(packed_zeros(100 << 20), ".gz", 90 << 20))))
    _refused(lambda: reduced(paragraphs))
    _refused(lambda: reduced(b"Package: a\n" * 10**5 for _ in range(100)))
    read_here(lying_wheel(bytes(64 << 20)), directory)
    read_here(wheel_of(names, (8 << 20) - 200), directory)
    read_here(wheel_of(names, 24 << 20), directory)
    read_here(wheel_of(deep, 7 << 20), directory)
    list(offers("http://h/", b'{"files":[' + b'{"url":""},' * 1_400_000 + b'{"url":""}]}', is_json=True))
    list(offers("http://h/", b"<a href=x>" * 1_600_000, is_json=False))
    _refused(lambda: manifest_or_index(b"[" + b"[]," * 1_390_000 + b"[]]", "x"))


def _refused(read: Callable[[], object]) -> None:
    with pytest.raises((ValueError, CannotFetchError)):
        read()


def test_what_is_made_to_take_memory_takes_little(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from tests.security.test_bounds import *; before = used_bytes();"
        f"take_all_that_is_hostile(Path({str(tmp_path)!r})); print(used_bytes() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < MOST_BYTES, done.stdout


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_packed_is_unpacked_whole_and_what_is_cut_or_too_large_is_refused(suffix: str) -> None:
    content = bytes(range(256)) * 9_001
    packed = PACKED[suffix](content) + PACKED[suffix](b"more")
    assert b"".join(unpacked(packed, suffix, 1 << 30)) == content + b"more"
    assert b"".join(unpacked(packed + bytes(512) * bool(suffix), suffix, 1 << 30)) == content + b"more"
    with pytest.raises(ValueError, match="holds more"):
        list(unpacked(packed, suffix, len(content)))
    if suffix:
        with pytest.raises(ValueError, match=r"end is missing|too many streams"):
            list(unpacked(packed[:-3], suffix, 1 << 30))
        with pytest.raises(ValueError, match=r".+"):
            list(unpacked(PACKED[suffix](b"") * 5_000, suffix, 1 << 30))
        with pytest.raises(ValueError, match=r".+"):
            list(unpacked(b"nonsense", suffix, 1 << 30))


HOSTILE_PIECES = ["<a ", '<a "', "<a '", '<a href="', "<a href='x ", "<a href", "<a href=x ", "<", "<a\n"]


@pytest.mark.parametrize("piece", HOSTILE_PIECES)
def test_a_page_is_read_in_time_that_grows_with_its_length(piece: str) -> None:
    begun = time.process_time()
    list(offers("http://h/", (piece * 200_000).encode(), is_json=False))
    assert time.process_time() - begun < MOST_S


def test_links_behind_a_broken_one_are_read() -> None:
    page = b"<a href=one.whl><a title=don't href=x><p><A\nHREF='two.whl#sha256=0' data-yanked>"
    assert [each.url for each in offers("http://h/", page, is_json=False)] == ["http://h/one.whl", "http://h/two.whl"]
    page = b"<a href=one.whl>1</a><a title=dont href=\"three.whl\" data-requires-python='&gt;3'>"
    found = list(offers("http://h/", page, is_json=False))
    assert [(each.url, each.python) for each in found] == [("http://h/one.whl", ""), ("http://h/three.whl", ">3")]


@pytest.mark.parametrize(
    "header",
    ["Bearer " + "a" * 60_000, "Bearer " + 'a="' * 20_000, "Bearer " + "a=" * 30_000, 'Bearer a="' + "\\" * 60_000],
)
def test_a_challenge_is_read_in_time_that_grows_with_its_length(header: str) -> None:
    begun = time.process_time()
    challenge(header)
    assert time.process_time() - begun < MOST_S


def test_a_long_field_of_a_list_is_read_in_time_that_grows_with_its_length() -> None:
    begun = time.process_time()
    (fields,) = stanzas("SHA256:\n" + " a\n" * 700_000)
    assert len(fields["sha256"]) == 2 * 700_000
    assert time.process_time() - begun < MOST_S


def test_values_of_a_list_of_apt_are_all_read() -> None:
    assert settings('A { "x"; "y\\"z"; }; /* B "q"; */ A:: "v"; C "1"; C "2";\n # D "3";') == {
        "a": 'x\ny\\"z\nv', "c": "2",
    }  # fmt: skip


def test_sources_that_are_multiplied_out_are_cut() -> None:
    text = f"Types: deb\nURIs: {'http://h/ ' * 50_000}\nSuites: {'a ' * 50_000}\n"
    assert len(paragraph_sources(text)) == len(one_line_sources("deb http://h/ a\n" * 5_000)) == 1_000


def test_a_size_of_blanks_is_refused_in_time_that_grows_with_its_length() -> None:
    begun = time.process_time()
    with pytest.raises(UsageError):
        parse_bytes(f"7{' ' * 200_000}!")
    assert time.process_time() - begun < MOST_S


def test_a_moment_that_is_no_text_is_none() -> None:
    (record,) = cache({"BuildCache": [{"ID": "a", "Size": 1, "CreatedAt": "\ud800", "LastUsedAt": "\ud800"}]})
    assert record.last_used_s is None


@pytest.mark.parametrize(
    "text",
    [
        "a ; " + "(" * 4_000 + "os_name == 'posix'" + ")" * 4_000,
        "a ; " + "(" * 100_000,
        "a" * 100_000,
        "a==" + "9" * 10_000,
        "a[" + "b," * 40_000 + "]",
    ],
)
def test_a_requirement_of_any_depth_and_length_is_read_or_refused(text: str) -> None:
    with pytest.raises(InvalidRequirement):
        raise InvalidRequirement(str(requirement(text)))
    with pytest.raises(CannotResolveError) as caught:
        raise CannotResolveError(str(sorted_out([text])), "invalid")
    assert caught.value.cause == "invalid"
    needed_by(b"Requires-Dist: " + text.encode())


@pytest.mark.parametrize("name", ["a" * 9_000, "a-" + "9" * 9_000, "a-1-" + "p." * 90 + "p-a-" + "m." * 30 + "m.whl"])
def test_names_of_files_are_read_or_refused(name: str) -> None:
    for read in (sdist_name, wheel_name, version):
        with pytest.raises(ValueError, match=r".+"):
            read(name)


def test_a_lock_with_names_that_are_multiplied_out_is_refused() -> None:
    tags = ".".join(f"t{n}" for n in range(2_000))
    text = (
        'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "a"\nversion = "1"\n'
        f'[[packages.wheels]]\nname = "a-1-{tags}-{tags}-{tags}.whl"\nurl = "http://h/a"\nhashes = {{sha256 = "0"}}\n'
    )
    with pytest.raises(CannotResolveError, match="not a valid lock file"):
        read_pylock(text, Target(python="3.11", platform="x86_64-manylinux_2_36"), place="pylock.toml")
    with pytest.raises(CannotResolveError, match="nested too deeply"):
        read_pylock("a = " + "[" * 50_000, Target(python="3.11", platform="x86_64-manylinux_2_36"), place="pylock.toml")


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000, b"-", b"null", b'"a"', b"\xff"]
)
def test_a_document_of_any_depth_is_not_understood(content: bytes) -> None:
    with pytest.raises(CannotFetchError, match="not understood"):
        manifest_or_index(content, "x")
    assert not list(offers("http://h/", content, is_json=True))


TOLD = st.one_of(
    st.integers(), st.floats(), st.booleans(), st.none(), st.text(), st.integers().map(str), st.lists(st.integers()),
    st.sampled_from(["", "9" * 5_000, "٣", "+1", "1_0", " 1", "1e3", "-1", str(1 << 63), str((1 << 63) - 1)]),
)  # fmt: skip


@given(TOLD)
@example((1 << 63) - 1)
@example(1 << 63)
def test_a_size_is_a_number_of_bytes_that_can_be_or_is_not_known(told: Any) -> None:  # noqa: ANN401 - any value of JSON
    right = told if type(told) is int and 0 <= told < 1 << 63 else None
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < 30 and int(told) < 1 << 63:
        right = int(told)
    assert told_count(told) == right or (isinstance(told, str) and len(told) > 20)
    reply = Reply(status=200, headers={"content-length": str(told)}, body=b"", address="")
    assert reply.length_bytes is None or 0 <= reply.length_bytes < 1 << 63
    layer = {"digest": "sha256:a", "size": told}
    found = manifest_or_index(json.dumps({"config": layer, "layers": [layer]}).encode(), "x")
    (blob,) = found.layers  # type: ignore[union-attr]
    assert blob.size_bytes == (told if type(told) is int and 0 <= told < 1 << 63 else None)
    read = package({"package": "a", "version": "1", "installed-size": str(told), "size": str(told)})
    assert read is None or (0 <= read.deb_bytes < 1 << 63 and 0 <= read.installed_bytes < 1 << 63)


@pytest.mark.parametrize("size", [-15_100_000_000_000, 10**30, 1.5, True, "7", None])
def test_a_layer_whose_size_is_none_takes_nothing_away_from_the_others(tmp_path: Path, size: object) -> None:
    with answering() as server, Web({}) as web:
        fleet = Fleet(
            server, config={"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "a" * 64, "sha256:" + "b" * 64]}}
        )
        name = fleet.serve()
        path = next(each for each in server.routes if each.endswith("manifests/1.7"))
        told = json.loads(server.routes[path].body)  # type: ignore[union-attr]
        (layer,) = told["layers"]
        layer["size"], layer["mediaType"] = 81_000_000_017, "application/vnd.oci.image.layer.v1.tar"
        told["layers"].append({**layer, "digest": "sha256:" + "c" * 64, "size": size})
        fleet.put("manifests", json.dumps(told).encode())
        server.routes[path].body = json.dumps(told).encode()  # type: ignore[union-attr]
        server.routes[path].headers = {}  # type: ignore[union-attr]
        image = ImageRegistry(web, DiskCache(tmp_path), environment={}).base_image(name, "linux/amd64")
    assert not image.image.known
    assert image.compressed_bytes is None
    assert image.notes == ("the size of 1 of its 2 layers is not known: the manifest tells none",)
    ground = ground_of(image, (), 500_000_000)
    assert sum(each.image.likely_bytes for each in ground.layers) > 70_000_000_000
    assert min(each.image.low_bytes for each in ground.layers) >= 0


def test_metadata_that_is_larger_than_it_says_is_that_of_no_wheel(tmp_path: Path) -> None:
    content = lying_wheel(b"Requires-Dist: a\n" * 1_000)
    with serving() as server, Web({}) as web:
        url = server.add("/thing-1.0-py3-none-any.whl", content)
        wheel = Wheel(name="thing", version="1.0", filename="thing-1.0-py3-none-any.whl", url=url)
        assert read_metadata(wheel, servers=Servers(web, IndexAccess()), kept=DiskCache(tmp_path)) is None


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        '"' + r"\"" * 100_000,
        "/*" * 100_000,
        "\n" * 200_000,
        'a "' * 70_000,
        'a { b "x"; ' * 20_000,
        "a" + " " * 200_000,
        'A::"x"; ' * 120_000,
        '"\\\n' * 100_000,
    ],
)
def test_settings_of_apt_are_read_in_time_that_grows_with_them(text: str) -> None:
    before_s = time.process_time()
    settings(text)
    assert time.process_time() - before_s < MOST_S


@pytest.mark.parametrize("place", ["/dev/zero", "/proc/self/environ", "PIPE"])
def test_what_a_lock_names_as_a_wheel_and_is_no_file_is_not_read(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    url = f"file://{place.replace('PIPE', str(tmp_path / 'pipe'))}"
    wheel = Wheel(name="thing", version="1.0", filename="thing-1.0-py3-none-any.whl", url=url, size_bytes=5)
    with Web({}, offline=True) as web:
        (found,) = read_wheels([wheel], web=web, access=IndexAccess(), kept=DiskCache(tmp_path / "kept")).contents
    assert found.reading.value != "zip directory"


@pytest.mark.parametrize(
    "line",
    ['url = "file:///srv/a-1-py3-none-any.whl"', 'url = "/srv/a-1-py3-none-any.whl"', 'path = "a-1-py3-none-any.whl"'],
)
@pytest.mark.parametrize("kind", ["wheels", "sdist", "archive"])
def test_what_a_lock_of_the_project_names_as_a_file_is_one_of_the_build(line: str, kind: str) -> None:
    table = "[[packages.wheels]]" if kind == "wheels" else f"[packages.{kind}]"
    line = line if kind == "wheels" else line.replace("-py3-none-any.whl", ".tar.gz")
    text = (
        'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "a"\nversion = "1"\n'
        f'{table}\n{line}\nhashes = {{sha256 = "0"}}\n'
    )
    for place in ("pylock.toml", "/srv/pylock.toml"):
        lock = read_pylock(text, Target(python="3.11", platform="x86_64-manylinux_2_36"), place=place)
        assert (lock.wheels, lock.sdists) == ((), ())
        assert [each.reason for each in lock.others] == ["It is a file of the build"]
