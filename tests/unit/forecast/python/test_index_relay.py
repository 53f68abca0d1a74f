"""What the resolver asks of indexes passes through one place: each thing once, and with the same result."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import os
import socket
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import Index, wheel_bytes
from tests.unit.forecast.python.index_asking import MANY, count, page

from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.forecast.python.index_access import index_access
from tonnage.forecast.python.index_pages import IndexPages
from tonnage.forecast.python.index_relay import IndexRelay
from tonnage.forecast.python.wheels import read_wheels
from tonnage.model.forecast.python_lock import LockOrigin, Reading, ResolveRequest

if TYPE_CHECKING:
    from tests.unit.adapters.file_server import FileServer
    from tests.unit.forecast.python.index_asking import Ask


def test_services_that_ask_at_the_same_time_fetch_each_page_and_each_wheel_once(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    index.wheel("shared", "1.0", files=MANY)
    for name in ("one", "two", "three"):
        index.wheel(name, "1.0", requires=("shared",))
    locks = ask(("one",), ("two",), ("three",), index_url=index.url)
    assert [[wheel.name for wheel in lock.wheels] for lock in locks] == [
        ["one", "shared"], ["shared", "two"], ["shared", "three"],
    ]  # fmt: skip
    assert count(server, "/simple/shared/") == 1
    path = "/files/simple/shared-1.0-py3-none-any.whl"
    asked = server.extents(path)
    assert len(asked) == len(set(asked)) > 0


def test_what_was_read_for_the_resolver_is_not_read_again_for_the_forecast(
    server: FileServer, ask: Ask, tmp_path: Path
) -> None:
    index = Index(server)
    index.wheel("large", "1.0", files=MANY)
    (lock,) = ask(("large",), index_url=index.url)
    before = len(server.asked)
    with Web({}) as web:
        access = index_access(ResolveRequest(requirements=()), {})
        (contents,) = read_wheels(lock.wheels, web=web, access=access, kept=DiskCache(tmp_path / "kept")).contents
    assert len(server.asked) == before
    assert contents.reading is Reading.REMEMBERED
    assert contents.files == len(MANY) + 3


def test_a_connection_that_the_resolver_left_behind_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Web({}) as web, IndexRelay(web, DiskCache(tmp_path), {}) as relay:
        host, port = relay.address.removeprefix("http://").split(":")
        for _ in range(3):
            with socket.create_connection((host, int(port))) as left:
                left.sendall(b"GET /")
                # Closing it so resets it.
                left.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError), socket.create_connection((host, int(port))) as left:
            left.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert left.recv(64).startswith(b"HTTP/1.1 404")
    assert capfd.readouterr().err == ""


def test_times_of_uploads_are_told_where_they_decide(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    index.wheel("thing", "1.0")
    with pytest.raises(CannotResolveError):
        ask(("thing",), index_url=index.url, exclude_newer="2025-06-01T00:00:00Z")
    (lock,) = ask(("thing",), index_url=index.url, exclude_newer="2026-06-01T00:00:00Z")
    assert lock.wheels[0].version == "1.0"


def test_a_version_that_was_taken_back_and_one_for_another_python_are_passed_over(server: FileServer, ask: Ask) -> None:
    files = {f"thing-{number}.0-py3-none-any.whl": wheel_bytes("thing", f"{number}.0") for number in (1, 2, 3)}
    page(server, "thing", files)
    served = server.files["/simple/thing/"]
    served.content = served.content.replace(b">thing-3", b' data-yanked="">thing-3').replace(
        b">thing-2", b' data-requires-python="&gt;=3.99">thing-2'
    )
    (lock,) = ask(("thing",), index_url=f"{server.address}/simple")
    assert [wheel.version for wheel in lock.wheels] == ["1.0"]


def test_metadata_beside_a_wheel_is_taken_where_parts_of_the_wheel_are_not_given(
    server: FileServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tonnage.forecast.python.ranged_file.MOST_WHOLE_BYTES", 0)
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0", requires=("other",))})
    page(server, "other", {"other-2.0-py3-none-any.whl": wheel_bytes("other", "2.0")})
    server.files["/files/thing-1.0-py3-none-any.whl"].ranges = False
    served = server.files["/simple/thing/"]
    served.content = served.content.replace(b"<a ", b'<a data-core-metadata="true" ')
    server.add(
        "/files/thing-1.0-py3-none-any.whl.metadata",
        b"Metadata-Version: 2.1\nName: thing\nVersion: 1.0\nRequires-Dist: other\n",
    )
    (lock,) = ask(("thing",), index_url=f"{server.address}/simple")
    assert [wheel.name for wheel in lock.wheels] == ["other", "thing"]


def test_what_a_resolver_fetches_before_a_wheel_is_told(server: FileServer, ask: Ask) -> None:
    content = wheel_bytes("thing", "1.0", files=MANY)
    page(server, "thing", {"thing-1.0-py3-none-any.whl": content})
    url = f"{server.address}/simple"
    (lock,) = ask(("thing",), index_url=url)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        directory_bytes = len(content) - archive.start_dir
        metadata = archive.getinfo("thing-1.0.dist-info/METADATA")
    assert directory_bytes > 16_384
    told = lock.wheels[0].metadata_bytes
    assert directory_bytes + metadata.compress_size < told < directory_bytes + metadata.compress_size + 200
    served = server.files["/simple/thing/"]
    served.content = served.content.replace(b"<a ", b'<a data-core-metadata="true" ')
    (lock,) = ask(("thing>0",), index_url=url)
    assert lock.wheels[0].metadata_bytes == metadata.file_size


def test_where_nothing_gives_metadata_the_resolver_reads_the_wheel_itself(
    server: FileServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tonnage.forecast.python.ranged_file.MOST_WHOLE_BYTES", 0)
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")})
    server.files["/files/thing-1.0-py3-none-any.whl"].ranges = False
    (lock,) = ask(("thing",), index_url=f"{server.address}/simple")
    assert lock.wheels[0].url == f"{server.address}/files/thing-1.0-py3-none-any.whl"


def test_pages_are_kept_as_long_as_their_index_says(server: FileServer, ask: Ask) -> None:
    page(
        server,
        "thing",
        {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")},
        headers={"Cache-Control": "max-age=600"},
    )
    page(server, "other", {"other-1.0-py3-none-any.whl": wheel_bytes("other", "1.0")})
    url = f"{server.address}/simple"
    ask(("thing",), ("other",), index_url=url)
    ask(("thing>0",), ("other>0",), index_url=url)
    assert (count(server, "/simple/thing/"), count(server, "/simple/other/")) == (1, 2)


def test_an_unchanged_page_is_not_sent_again(server: FileServer, ask: Ask) -> None:
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")}, headers={"ETag": '"one"'})
    url = f"{server.address}/simple"
    ask(("thing",), index_url=url)
    server.files["/simple/thing/"].status = 304
    (lock,) = ask(("thing>0",), index_url=url)
    assert lock.wheels[0].version == "1.0"
    asked = [
        headers for (path, _), headers in zip(server.asked, server.headers, strict=True) if path == "/simple/thing/"
    ]
    assert asked[-1]["if-none-match"] == '"one"'


def test_offline_other_requirements_are_resolved_from_pages_of_earlier_and_it_is_said(
    server: FileServer, ask: Ask
) -> None:
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")})
    url = f"{server.address}/simple"
    ask(("thing",), index_url=url)
    before = len(server.asked)
    (lock,) = ask(("thing>0",), index_url=url, offline=True)
    assert len(server.asked) == before
    assert lock.wheels[0].version == "1.0"
    assert lock.origin is LockOrigin.LAST_KNOWN
    assert any("what it offered on" in note for note in lock.machine_notes)
    with pytest.raises(CannotFetchError) as caught:
        ask(("unseen",), index_url=url, offline=True)
    assert caught.value.cause == "offline"


def test_an_index_that_breaks_is_stood_in_for_by_what_it_offered_before(server: FileServer, ask: Ask) -> None:
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")})
    url = f"{server.address}/simple"
    ask(("thing",), index_url=url)
    server.files["/simple/thing/"].status = 503
    (lock,) = ask(("thing>0",), index_url=url)
    assert lock.origin is LockOrigin.LAST_KNOWN
    # Nothing of that is remembered as an answer of today.
    server.files["/simple/thing/"].status = 0
    (lock,) = ask(("thing>0",), index_url=url)
    assert lock.origin is LockOrigin.RESOLVED


def test_the_password_of_an_index_reaches_its_pages_and_no_lock(server: FileServer, ask: Ask) -> None:
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")}, user="Basic bWU6c2VjcmV0")
    server.files["/files/thing-1.0-py3-none-any.whl"].user = "Basic bWU6c2VjcmV0"
    url = server.address.replace("://", "://me:secret@") + "/simple"
    (lock,) = ask(("thing",), index_url=url)
    assert lock.wheels[0].url == f"{server.address}/files/thing-1.0-py3-none-any.whl"
    assert "secret" not in str(lock)


def private(server: FileServer, name: str, user: str) -> str:
    """Offer a project on an index of its own that asks for a user; return the index with that user."""
    index = Index(server, path=f"/{name}/simple")
    index.wheel(name, "1.0")
    for path, file in server.files.items():
        if f"/{name}/" in path:
            file.user = f"Basic {base64.b64encode(user.encode()).decode()}"
    return index.url.replace("://", f"://{user}@")


def test_each_of_several_indexes_of_one_host_is_given_its_own_user(server: FileServer, ask: Ask) -> None:
    one, two = private(server, "one", "me:first"), private(server, "two", "me:second")
    (lock,) = ask(("one", "two"), index_url=one, extra_index_urls=(two,))
    assert [wheel.name for wheel in lock.wheels] == ["one", "two"]


def test_what_one_user_is_refused_another_is_given(server: FileServer, ask: Ask) -> None:
    index = private(server, "one", "me:first")
    Index(server, path="/open").wheel("two", "1.0")
    extra = {"UV_EXTRA_INDEX_URL": index, "UV_DEFAULT_INDEX": f"{server.address}/open"}
    (lock,) = ask(("one", "two"), extra=extra)
    assert [wheel.name for wheel in lock.wheels] == ["one", "two"]
    with Web({}) as web:
        pages = IndexPages(web, DiskCache(Path(os.devnull)))
        address = f"{server.address}/one/simple/one/"
        statuses = [
            pages.page(address, index_access(ResolveRequest(requirements=(), index_url=url), {})).status
            for url in (f"{server.address}/one/simple", index)
        ]
    assert statuses == [401, 200]


def test_an_index_that_knows_the_resolver_and_not_us_is_asked_by_the_resolver(
    server: FileServer, ask: Ask, tmp_path: Path
) -> None:
    index = private(server, "one", "me:first")
    settings = tmp_path / ".config" / "uv"
    settings.mkdir(parents=True)
    # Its user is told to uv alone, and for a page that the Dockerfile names without one.
    (settings / "uv.toml").write_text(f'[[index]]\nname = "own"\nurl = "{index}"\n')
    bare = f"{server.address}/one/simple"
    (lock,) = ask(("one",), index_url=bare)
    assert lock.wheels[0].version == "1.0"


def test_the_proxy_of_the_user_is_not_asked_for_the_loopback(server: FileServer, ask: Ask) -> None:
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")})
    extra = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    (lock,) = ask(("thing",), index_url=f"{server.address}/simple", extra=extra)
    assert lock.wheels[0].version == "1.0"


def test_nobody_else_is_answered(server: FileServer, tmp_path: Path) -> None:
    with Web({}) as web, IndexRelay(web, DiskCache(tmp_path), {}) as relay:
        assert relay.answer("/guessed/http/127.0.0.1/simple/thing/")[0] == 404
        access = index_access(ResolveRequest(requirements=()), {})
        with relay.session(access) as session:
            path = session.address(f"{server.address}/simple/thing/").removeprefix(relay.address)
            assert relay.answer(path.replace("/http/", "/ftp/"))[0] == 404
        assert relay.answer(path)[0] == 404
    assert server.asked == []


@pytest.mark.parametrize(
    ("headers", "fetched"),
    [
        ({"Cache-Control": "max-age=600", "Age": "10"}, 1),
        ({"Cache-Control": "max-age=600", "Age": "600"}, 2),
        ({"Cache-Control": "max-age=600, no-cache"}, 2),
        ({"Cache-Control": f"max-age={10**30}"}, 2),
    ],
)
def test_how_long_a_page_holds_is_what_is_left_of_its_time(
    server: FileServer, ask: Ask, headers: dict[str, str], fetched: int
) -> None:
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")}, headers=headers)
    url = f"{server.address}/simple"
    ask(("thing",), index_url=url)
    ask(("thing>0",), index_url=url)
    assert count(server, "/simple/thing/") == fetched


def test_a_page_that_may_not_be_kept_is_not_there_offline(server: FileServer, ask: Ask) -> None:
    headers = {"Cache-Control": "max-age=600, no-store"}
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")}, headers=headers)
    url = f"{server.address}/simple"
    ask(("thing",), index_url=url)
    with pytest.raises(CannotFetchError) as refused:
        ask(("thing>0",), index_url=url, offline=True)
    assert refused.value.cause == "offline"


def test_a_page_that_unpacks_without_end_is_given_up(
    server: FileServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tonnage.forecast.python.index_pages._MOST_OPENED_BYTES", 40_009)
    server.add("/simple/thing/", gzip.compress(b" " * 90_001), headers={"Content-Encoding": "gzip"}, ranges=False)
    with pytest.raises(CannotFetchError, match="index") as refused:
        ask(("thing",), index_url=f"{server.address}/simple")
    assert "far too large" in refused.value.why


def test_a_fault_of_our_own_is_not_taken_for_one_of_the_index(
    server: FileServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError

    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")})
    monkeypatch.setattr("tonnage.forecast.python.index_relay.passed_on", broken)
    with pytest.raises(ZeroDivisionError):
        ask(("thing",), index_url=f"{server.address}/simple")
