"""What the resolver asks of indexes passes through one place: each thing once, and with the same result."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import Index, serving, wheel_bytes

from tonnage.adapters.index_access import index_access
from tonnage.adapters.index_relay import IndexRelay
from tonnage.adapters.kept import Kept
from tonnage.adapters.resolving import resolve
from tonnage.adapters.web import Web
from tonnage.adapters.wheels import read_wheels
from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.model.lock import Lock, LockOrigin, Reading, ResolveRequest, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.unit.adapters.file_server import FileServer

    Ask = Callable[..., list[Lock]]

PY311 = Target(python="3.11", platform="x86_64-manylinux_2_36")
MANY = {f"pkg/module_{number:05}.py": b"x = 1\n" for number in range(400)}


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as served:
        yield served


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Resolve some lines with one relay for all of them, at the same time."""

    def run(
        *sets: tuple[str, ...], offline: bool = False, extra: Mapping[str, str] | None = None, **asked: object
    ) -> list[Lock]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PIP_CONFIG_FILE": os.devnull,
            **(extra or {}),
        }
        kept = Kept(tmp_path / "kept")
        found: dict[int, Lock | BaseException] = {}
        with Web(environment, offline=offline) as web, IndexRelay(web, kept, environment) as relay:

            def one(number: int, lines: tuple[str, ...]) -> None:
                request = ResolveRequest(requirements=lines, **asked)  # type: ignore[arg-type]
                access = index_access(request, environment)
                try:
                    found[number] = resolve(
                        request, PY311, web=web, access=access, kept=kept, relay=relay, environment=environment
                    )
                except BaseException as error:  # noqa: BLE001 - raised below
                    found[number] = error

            threads = [threading.Thread(target=one, args=each) for each in enumerate(sets)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        answers = [found[number] for number in range(len(sets))]
        for each in answers:
            if isinstance(each, BaseException):
                raise each
        return [each for each in answers if isinstance(each, Lock)]

    return run


def page(server: FileServer, name: str, links: Mapping[str, bytes], *, form: str = "{}", **behaviour: object) -> None:
    """Offer files of a project on a page in HTML, their addresses written in some form."""
    lines = []
    for filename, content in links.items():
        server.add(f"/files/{filename}", content)
        address = form.format(f"/files/{filename}")
        lines.append(f'<a href="{address}#sha256={hashlib.sha256(content).hexdigest()}">{filename}</a><br/>')
    text = f"<!DOCTYPE html><html><body>{''.join(lines)}</body></html>".encode()
    headers = {"Content-Type": "text/html", **behaviour.pop("headers", {})}  # type: ignore[dict-item]
    if headers.get("Content-Encoding") == "gzip":
        text = gzip.compress(text)
    server.add(f"/simple/{name}/", text, ranges=False, headers=headers, **behaviour)


def count(server: FileServer, path: str) -> int:
    return sum(asked == path for asked, _ in server.asked)


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
        (contents,) = read_wheels(lock.wheels, web=web, access=access, kept=Kept(tmp_path / "kept")).contents
    assert len(server.asked) == before
    assert contents.reading is Reading.REMEMBERED
    assert contents.files == len(MANY) + 3


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
    monkeypatch.setattr("tonnage.adapters.ranged.MOST_WHOLE_BYTES", 0)
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
    monkeypatch.setattr("tonnage.adapters.ranged.MOST_WHOLE_BYTES", 0)
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


def test_the_proxy_of_the_user_is_not_asked_for_the_loopback(server: FileServer, ask: Ask) -> None:
    page(server, "thing", {"thing-1.0-py3-none-any.whl": wheel_bytes("thing", "1.0")})
    extra = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    (lock,) = ask(("thing",), index_url=f"{server.address}/simple", extra=extra)
    assert lock.wheels[0].version == "1.0"


def test_nobody_else_is_answered(server: FileServer, tmp_path: Path) -> None:
    with Web({}) as web, IndexRelay(web, Kept(tmp_path), {}) as relay:
        assert relay.answer("/guessed/http/127.0.0.1/simple/thing/")[0] == 404
        access = index_access(ResolveRequest(requirements=()), {})
        with relay.session(access) as session:
            path = session.address(f"{server.address}/simple/thing/").removeprefix(relay.address)
            assert relay.answer(path.replace("/http/", "/ftp/"))[0] == 404
        assert relay.answer(path)[0] == 404
    assert server.asked == []
