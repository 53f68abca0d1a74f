from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.answering import Answer, answering

from tonnage.adapters.web import remote_sizes
from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.adapters.web.remote_sizes import RemoteSize, RemoteSizes
from tonnage.addresses import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.answering import Answering, Asked

SIZE_BYTES = 70_001


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as found:
        yield found


def size(server: Answering, tmp_path: Path, *, holds_s: float = 60.0, offline: bool = False) -> RemoteSize:
    with Web({}, offline=offline) as web:
        return RemoteSizes(web, DiskCache(tmp_path), holds_s=holds_s).size(f"{server.address}/model.bin")


def test_a_file_is_as_large_as_its_headers_say_and_none_of_it_is_fetched(server: Answering, tmp_path: Path) -> None:
    server.routes["/model.bin"] = Answer(body=bytes(SIZE_BYTES))
    assert size(server, tmp_path) == RemoteSize(SIZE_BYTES)
    assert server.paths() == ["HEAD /model.bin"]


def test_the_file_behind_a_redirect_counts(server: Answering, tmp_path: Path) -> None:
    server.routes["/model.bin"] = Answer(302, headers={"Location": "/elsewhere"}, body=b"moved")
    server.routes["/elsewhere"] = Answer(body=bytes(SIZE_BYTES))
    assert size(server, tmp_path) == RemoteSize(SIZE_BYTES)


def test_a_server_that_refuses_head_is_asked_for_one_byte(server: Answering, tmp_path: Path) -> None:
    def only_get(asked: Asked) -> Answer:
        return Answer(405) if asked.method == "HEAD" else Answer(body=bytes(SIZE_BYTES), ranges=True)

    server.routes["/model.bin"] = only_get
    assert size(server, tmp_path) == RemoteSize(SIZE_BYTES)
    assert server.asked[-1].headers["range"] == "bytes=0-0"


def test_a_file_of_no_told_length_is_not_known(server: Answering, tmp_path: Path) -> None:
    server.routes["/model.bin"] = Answer(body=bytes(SIZE_BYTES), length=False)
    assert size(server, tmp_path) == RemoteSize(None, "the address does not tell a length")


def test_a_file_that_is_not_there_is_not_known(server: Answering, tmp_path: Path) -> None:
    assert size(server, tmp_path) == RemoteSize(None, "the address answers 404")


def test_an_answer_is_kept_for_a_while_and_for_longer_where_nobody_answers(server: Answering, tmp_path: Path) -> None:
    server.routes["/model.bin"] = Answer(body=bytes(SIZE_BYTES))
    size(server, tmp_path)
    assert size(server, tmp_path) == RemoteSize(SIZE_BYTES)
    assert len(server.asked) == 1
    old = size(server, tmp_path, holds_s=-1.0, offline=True)
    assert old.size_bytes == SIZE_BYTES
    assert "is not in the cache" in old.reason


def test_a_redirect_without_end_is_not_followed_for_ever(server: Answering, tmp_path: Path) -> None:
    server.routes["/model.bin"] = Answer(301, headers={"Location": "/model.bin"})
    assert "redirects without end" in size(server, tmp_path).reason


def test_a_secret_stays_with_the_host_that_it_is_meant_for(server: Answering) -> None:
    with answering() as other, Web({}) as web:
        server.routes["/here"] = Answer(302, headers={"Location": f"{other.address}/there"})
        other.routes["/there"] = Answer(body=b"there")
        assert web.get(f"{server.address}/here", {"Authorization": "secret"}).body == b"there"
        assert server.asked[0].headers["authorization"] == "secret"
        assert "authorization" not in other.asked[0].headers


def test_a_proxy_is_used_but_not_for_what_is_excepted(server: Answering) -> None:
    server.routes["http://registry.example.org/v2/"] = Answer(body=b"by proxy")
    with Web({"http_proxy": server.address, "NO_PROXY": ".example.com,127.0.0.1"}) as web:
        assert web.get("http://registry.example.org/v2/").body == b"by proxy"
        assert web.get(f"{server.address}/direct").status == 404
    assert server.asked[-1].path == "/direct"


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert shown("https://user:secret@example.org:8443/a?token=1#b") == "https://example.org:8443/a"


def test_only_so_many_addresses_are_asked(server: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_sizes, "MOST_ASKED", 2)
    server.routes |= {f"/{number}": Answer(body=bytes(number)) for number in range(5)}
    with Web({}) as web:
        sizes = RemoteSizes(web, DiskCache(tmp_path))
        found = [sizes.size(f"{server.address}/{number}") for number in range(5)]
        assert sizes.size(f"{server.address}/1") == RemoteSize(1)
    assert found == [RemoteSize(0), RemoteSize(1), *[RemoteSize(None, "more than 2 addresses would be asked")] * 3]
    assert len(server.asked) == 2
