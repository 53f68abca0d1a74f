"""Pages of indexes are read in every form that they are written in, and passed on."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import wheel_bytes
from tests.unit.forecast.python.index_asking import MANY, page

from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.errors import CannotFetchError
from tonnage.forecast.python.index_access import index_access
from tonnage.forecast.python.wheels import read_wheels
from tonnage.model.forecast.python_lock import Reading, ResolveRequest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.adapters.file_server import FileServer
    from tests.unit.forecast.python.index_asking import Ask


@pytest.mark.parametrize("form", ["{}", "../..{}", "SERVER{}"])
def test_links_are_followed_in_every_form_that_pages_write_them(server: FileServer, ask: Ask, form: str) -> None:
    content = wheel_bytes("thing", "1.0")
    form = form.replace("SERVER", server.address)
    page(server, "thing", {"thing-1.0-py3-none-any.whl": content}, form=form)
    (lock,) = ask(("thing",), index_url=f"{server.address}/simple")
    (wheel,) = lock.wheels
    assert wheel.url == f"{server.address}/files/thing-1.0-py3-none-any.whl"
    assert wheel.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert wheel.size_bytes == len(content)


@pytest.mark.parametrize("place", ["/files/", "../../files/", "//HOST/files/", "http://HOST/files/"])
@pytest.mark.parametrize(
    "form",
    [
        "<A HREF='{}'>thing</A>", "<a\n href={}\n>thing</a>", '<a data-requires-python=">=3.8" href = "{}">thing</a>',
        '<a class="x" HREF="{}?name=1&amp;key=2" rel=nofollow>thing</a>',
    ],
)  # fmt: skip
def test_links_that_are_written_in_an_unusual_way_are_read_as_the_resolver_reads_them(
    server: FileServer, ask: Ask, form: str, place: str
) -> None:
    content = wheel_bytes("thing", "1.0+cpu", files=MANY)
    filename = "thing-1.0%2Bcpu-py3-none-any.whl"
    server.add(f"/files/{filename}", content)
    text = form.format(place.replace("HOST", server.address.removeprefix("http://")) + filename)
    server.add("/simple/thing/", text.encode(), ranges=False, headers={"Content-Type": "text/html"})
    (lock,) = ask(("thing==1.0",), index_url=f"{server.address}/simple")
    (wheel,) = lock.wheels
    assert wheel.url.partition("?")[0] == f"{server.address}/files/{filename}"
    assert wheel.size_bytes == len(content)
    assert wheel.hashes == ()
    # No hash is told, and the whole of it is fetched by nobody.
    assert all(server.extents(f"/files/{filename}"))


def test_files_that_are_listed_beside_their_page_are_known_by_their_hash(
    server: FileServer, ask: Ask, tmp_path: Path
) -> None:
    content = wheel_bytes("thing", "1.0")
    server.add("/simple/thing/thing-1.0-py3-none-any.whl", content)
    text = f'<a href="thing-1.0-py3-none-any.whl#sha256={hashlib.sha256(content).hexdigest()}">thing</a>'
    server.add("/simple/thing/", text.encode(), ranges=False, headers={"Content-Type": "text/html"})
    (lock,) = ask(("thing",), index_url=f"{server.address}/simple")
    before = len(server.asked)
    with Web({}) as web:
        access = index_access(ResolveRequest(requirements=()), {})
        (contents,) = read_wheels(lock.wheels, web=web, access=access, kept=DiskCache(tmp_path / "kept")).contents
    assert (len(server.asked), contents.reading) == (before, Reading.REMEMBERED)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/vnd.pypi.simple.v1+json", b'{"files": ['), ("application/vnd.pypi.simple.v1+json", b"[]"),
        ("application/vnd.pypi.simple.v1+json", b'{"files": [1, {"url": "http://["}]}'),
        ("text/plain", b"<a>"), ("", b""),
    ],
)  # fmt: skip
def test_a_page_that_is_none_is_told_and_nothing_is_printed(
    server: FileServer, ask: Ask, capfd: pytest.CaptureFixture[str], kind: str, body: bytes
) -> None:
    server.add("/simple/thing/", body, ranges=False, headers={"Content-Type": kind} if kind else {})
    with pytest.raises(CannotFetchError, match="no page of packages") as caught:
        ask(("thing",), index_url=f"{server.address}/simple")
    assert f"{server.address}/simple/thing/" in caught.value.why
    assert capfd.readouterr().err == ""


def test_a_page_that_names_its_own_base_is_left_as_it_is(server: FileServer, ask: Ask) -> None:
    content = wheel_bytes("thing", "1.0")
    server.add("/other/thing-1.0-py3-none-any.whl", content)
    text = f'<base href="{server.address}/other/"><a href="thing-1.0-py3-none-any.whl">thing-1.0-py3-none-any.whl</a>'
    server.add("/simple/thing/", text.encode(), ranges=False, headers={"Content-Type": "text/html"})
    (lock,) = ask(("thing",), index_url=f"{server.address}/simple")
    assert lock.wheels[0].url == f"{server.address}/other/thing-1.0-py3-none-any.whl"


def test_a_page_that_has_moved_is_read_where_it_is(server: FileServer, ask: Ask) -> None:
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")}, form="../..{}")
    server.add("/old/thing/", b"", moved_to=f"{server.address}/simple/thing/")
    (lock,) = ask(("thing",), index_url=f"{server.address}/old")
    assert lock.wheels[0].url == f"{server.address}/files/thing-1.0-py3-none-any.whl"


def test_compressed_pages_are_asked_for_and_understood(server: FileServer, ask: Ask) -> None:
    page(
        server,
        "thing",
        {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")},
        headers={"Content-Encoding": "gzip"},
    )
    assert ask(("thing",), index_url=f"{server.address}/simple")[0].wheels[0].version == "1.0"
    assert server.headers[0]["accept-encoding"] == "gzip"


def test_a_wheel_that_is_named_by_its_address_is_not_fetched(server: FileServer, ask: Ask) -> None:
    content = wheel_bytes("apart", "1.0+cpu", requires=("thing",), files=MANY)
    url = server.add("/other/apart-1.0%2Bcpu-py3-none-any.whl", content)
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")})
    digest = hashlib.sha256(content).hexdigest()
    for line, hashes in (
        (f"apart @ {url}", ()),
        (f"apart[extra] @ {url} ; python_version > '3'", ()),
        (f"{url}#sha256={digest}", (("sha256", digest),)),
    ):
        (lock,) = ask((line,), index_url=f"{server.address}/simple")
        apart, thing = lock.wheels
        assert (apart.url, apart.hashes, apart.size_bytes) == (url, hashes, len(content))
        assert (apart.version, thing.version) == ("1.0+cpu", "1.0")
    assert all(server.extents("/other/apart-1.0%2Bcpu-py3-none-any.whl"))


def test_a_wheel_that_is_named_by_its_address_and_not_there_is_told(server: FileServer, ask: Ask) -> None:
    with pytest.raises(CannotFetchError, match="answers 404") as caught:
        ask((f"apart @ {server.address}/other/apart-1.0-py3-none-any.whl",), index_url=f"{server.address}/simple")
    assert f"{server.address}/other/apart-1.0-py3-none-any.whl" in caught.value.why


@pytest.mark.parametrize("index", [True, False])
def test_a_page_that_lists_files_of_many_projects_is_read_in_parts_and_known_offline(
    server: FileServer, ask: Ask, *, index: bool
) -> None:
    content = wheel_bytes("thing", "1.0+cpu", files=MANY)
    server.add("/links/cpu/thing-1.0%2Bcpu-py3-none-any.whl", content)
    text = '<a href="cpu/thing-1.0%2Bcpu-py3-none-any.whl">cpu/thing-1.0+cpu-py3-none-any.whl</a><br>'
    server.add("/links/all.html", text.encode(), ranges=False, headers={"Content-Type": "text/html"})
    page(server, "thing", {"thing-0.9-py3-none-any.whl": wheel_bytes("thing", "0.9")})
    told = {"index_url": f"{server.address}/simple"} if index else {"no_index": True}
    links = (f"{server.address}/links/all.html",)
    (lock,) = ask(("thing",), find_links=links, **told)
    assert [wheel.version for wheel in lock.wheels] == ["1.0+cpu"]
    assert all(server.extents("/links/cpu/thing-1.0%2Bcpu-py3-none-any.whl"))
    before = len(server.asked)
    (lock,) = ask(("thing>0",), find_links=links, offline=True, **told)
    assert ([wheel.version for wheel in lock.wheels], len(server.asked)) == (["1.0+cpu"], before)


def test_offline_the_resolver_asks_nobody_itself(server: FileServer, ask: Ask, tmp_path: Path) -> None:
    files = {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")}
    page(server, "thing", files)
    ask(("thing",), index_url=f"{server.address}/simple")
    for directory in (tmp_path / "kept").glob("metadata-*"):
        shutil.rmtree(directory)
    before = len(server.asked)
    for lines in (("thing>0",), (f"thing @ {server.address}/files/thing-1.0-py3-none-any.whl",)):
        with pytest.raises(CannotFetchError) as caught:
            ask(lines, index_url=f"{server.address}/simple", offline=True)
        assert (caught.value.cause, len(server.asked)) == ("offline", before)
