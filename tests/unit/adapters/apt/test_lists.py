from __future__ import annotations

import gzip
import hashlib
import lzma
from typing import TYPE_CHECKING

import pytest
from tests.answering import Answer, answering

from tonnage.adapters.apt.lists import AptLists
from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.errors import CannotFetchError
from tonnage.forecast.costs.apt.costs import choose
from tonnage.model.forecast.base_image import AptSource, AptState
from tonnage.model.forecast.debian_package import ListBytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.answering import Answering

PACKAGES = b"""\
Package: base
Version: 1
Essential: yes
Installed-Size: 7
Size: 1009
Description: first
 second

Package: curl
Version: 8.0-1
Architecture: amd64
Installed-Size: 311
Size: 2003
Pre-Depends: base (>= 1)
Depends: libcurl4 (= 8.0-1) | libcurl5, zlib:any
Recommends: extra
Filename: pool/curl.deb

Package: curl
Version: 7.0-1
Installed-Size: 1
Size: 1

Package: libcurl4
Version: 8.0-1
Installed-Size: 401
Size: 3001
Provides: zlib (= 1)
"""


def publish(server: Answering, suite: str = "stable", *, packages: bytes = PACKAGES, header: str = "") -> None:
    forms = {"Packages": packages, "Packages.gz": gzip.compress(packages), "Packages.xz": lzma.compress(packages)}
    listed = ""
    for name, content in forms.items():
        path = f"main/binary-amd64/{name}"
        listed += f" {hashlib.sha256(content).hexdigest()} {len(content)} {path}\n"
        if name != "Packages":
            server.routes[f"/debian/dists/{suite}/{path}"] = Answer(body=content)
    listed += f" {'0' * 64} 5003 main/i18n/Translation-en\n {'0' * 64} 701 main/i18n/Translation-en.xz\n"
    release = f"Suite: {suite}\nCodename: code\n{header}Architectures: amd64\nSHA256:\n{listed}"
    signed = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{release}-----BEGIN PGP SIGNATURE-----\nabc\n"
    server.routes[f"/debian/dists/{suite}/InRelease"] = Answer(body=signed.encode())


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as found:
        yield found


@pytest.fixture
def web() -> Iterator[Web]:
    with Web({}) as door:
        yield door


def source(server: Answering, suite: str = "stable") -> AptSource:
    return AptSource(address=f"{server.address}/debian", suite=suite)


def test_an_index_tells_packages_and_the_bytes_of_its_lists(server: Answering, web: Web, tmp_path: Path) -> None:
    publish(server)
    index = AptLists(web, DiskCache(tmp_path)).index([source(server)], "amd64")
    assert [each.version for each in index.candidates("curl")] == ["8.0-1", "7.0-1"]
    newest = index.candidates("curl")[0]
    assert (newest.installed_bytes, newest.deb_bytes) == (311 * 1024, 2_003)
    assert [each.name for each in index.providers("zlib")] == ["libcurl4"]
    assert [each.name for each in index.usual()] == ["base"]
    release = server.routes["/debian/dists/stable/InRelease"]
    assert isinstance(release, Answer)
    assert index.lists() == ListBytes(
        release_bytes=len(release.body),
        plain_bytes=len(PACKAGES),
        translation_bytes=5_003,
        fetched_bytes=len(lzma.compress(PACKAGES)),
        translation_fetched_bytes=701,
    )
    choice = choose(index, ["curl"], AptState(installed={"base": "1"}))
    assert [each.name for each in choice.packages] == ["curl", "libcurl4"]
    assert not choice.missing


def test_a_list_is_fetched_once_and_works_without_a_network(server: Answering, web: Web, tmp_path: Path) -> None:
    publish(server)
    kept = DiskCache(tmp_path)
    first = AptLists(web, kept).index([source(server)], "amd64")
    count = len(server.asked)
    AptLists(web, kept).index([source(server)], "amd64")
    assert len(server.asked) == count
    with Web({}, offline=True) as offline:
        again = AptLists(offline, kept, holds_s=-1.0).index([source(server)], "amd64")
    assert again.candidates("curl") == first.candidates("curl")


def test_a_release_that_is_not_automatic_is_taken_only_when_it_is_named(
    server: Answering, web: Web, tmp_path: Path
) -> None:
    publish(server)
    newer = PACKAGES.replace(b"Version: 8.0-1", b"Version: 9.0-1")
    publish(server, "backports", packages=newer, header="NotAutomatic: yes\n")
    index = AptLists(web, DiskCache(tmp_path)).index([source(server), source(server, "backports")], "amd64")
    assert index.candidates("curl")[0].version == "8.0-1"
    assert index.candidates("curl", "backports")[0].version == "9.0-1"


def test_one_source_that_is_missing_is_told_and_none_at_all_is_a_failure(
    server: Answering, web: Web, tmp_path: Path
) -> None:
    publish(server)
    lists = AptLists(web, DiskCache(tmp_path))
    index = lists.index([source(server), source(server, "gone")], "amd64")
    assert index.missing == (f"{server.address}/debian/dists/gone/InRelease cannot be read",)
    with pytest.raises(CannotFetchError, match="cannot be read"):
        lists.index([source(server, "gone")], "amd64")
    with pytest.raises(CannotFetchError, match="no source of packages"):
        lists.index([], "amd64")


def test_a_list_that_is_not_the_one_released_is_not_believed(server: Answering, web: Web, tmp_path: Path) -> None:
    publish(server)
    server.routes["/debian/dists/stable/main/binary-amd64/Packages.xz"] = Answer(body=lzma.compress(b"other"))
    with pytest.raises(CannotFetchError, match="not what its Release file says"):
        AptLists(web, DiskCache(tmp_path)).index([source(server)], "amd64")
