"""Package indexes of every kind, asked by the resolver itself: users, pages, and what they leave out."""

from __future__ import annotations

import base64
import contextlib
import io
import socket
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import Index, wheel_bytes
from tests.unit.forecast.python.test_resolution import names, resolved

from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.forecast.python.source_archives import offers
from tonnage.model.forecast.python_lock import LockOrigin, ResolveRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.unit.adapters.file_server import FileServer

    from tonnage.model.forecast.python_lock import Lock

    Ask = Callable[..., Lock]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Resolve some lines, with a cache of their own."""

    def run(*lines: str, extra: Mapping[str, str] | None = None, offline: bool = False, **asked: object) -> Lock:
        environment = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null", **(extra or {})}
        request = ResolveRequest(requirements=lines, **asked)  # type: ignore[arg-type]
        return resolved(request, environment, tmp_path / "cache", offline=offline)

    return run


def page(server: FileServer, name: str, *filenames: str, attributes: str = "", **behaviour: object) -> None:
    """Offer wheels of a project on a page in HTML, which tells no hashes."""
    links = []
    for filename in filenames:
        server.add(f"/files/{filename}", wheel_bytes(name, filename.split("-")[1]))
        links.append(f'<a {attributes} href="/files/{filename}">{filename}</a>')
    headers = {"Content-Type": "text/html", **behaviour.pop("headers", {})}  # type: ignore[dict-item]
    server.add(f"/simple/{name}/", "".join(links).encode(), ranges=False, headers=headers, **behaviour)


def count(server: FileServer, path: str) -> int:
    return sum(asked == path for asked, _ in server.asked)


def private(server: FileServer, name: str, user: str) -> str:
    """Offer a project on an index of its own that asks for a user; return the index with that user."""
    index = Index(server, path=f"/{name}/simple")
    url = index.wheel(name, "1.0")
    # The file lies beside the pages, below what the user is for.
    path = url.removeprefix(server.address)
    beside = f"/{name}{path}"
    server.files[beside] = server.files.pop(path)
    page = server.files[f"/{name}/simple/{name}/"]
    page.content = page.content.replace(path.encode(), beside.encode())
    for each in (page, server.files[beside]):
        each.user = f"Basic {base64.b64encode(user.encode()).decode()}"
    return index.url.replace("://", f"://{user}@")


def test_services_that_ask_at_the_same_time_share_one_cache(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    index.wheel("shared", "1.0")
    for name in ("one", "two", "three"):
        index.wheel(name, "1.0", requires=("shared",))
    with ThreadPoolExecutor() as pool:
        locks = list(pool.map(lambda name: ask(name, index_url=index.url), ("one", "two", "three")))
    assert [names(lock) for lock in locks] == [
        ["one==1.0", "shared==1.0"], ["shared==1.0", "two==1.0"], ["shared==1.0", "three==1.0"],
    ]  # fmt: skip


def test_an_index_that_tells_no_hashes_is_told_to_cost_whole_wheels(server: FileServer, ask: Ask) -> None:
    page(server, "thing", "thing-1.0-py3-none-any.whl")
    lock = ask("thing", index_url=f"{server.address}/simple")
    assert lock.wheels[0].url == f"{server.address}/files/thing-1.0-py3-none-any.whl"
    assert [note for note in lock.notes if "no hashes" in note and "thing" in note]


def test_a_version_that_was_taken_back_and_one_for_another_python_are_passed_over(server: FileServer, ask: Ask) -> None:
    page(server, "thing", *(f"thing-{number}.0-py3-none-any.whl" for number in (1, 2, 3)))
    served = server.files["/simple/thing/"]
    served.content = served.content.replace(b">thing-3", b' data-yanked="">thing-3').replace(
        b">thing-2", b' data-requires-python="&gt;=3.99">thing-2'
    )
    assert names(ask("thing", index_url=f"{server.address}/simple")) == ["thing==1.0"]


@pytest.mark.parametrize(("asked", "found"), [("thing==2.0", "2.0"), ("thing===2.0", "2.0"), ("thing>=1", "1.0")])
def test_a_source_archive_that_was_taken_back_is_for_those_who_ask_for_that_version(
    server: FileServer, ask: Ask, asked: str, found: str
) -> None:
    page(server, "thing", "thing-1.0.tar.gz", "thing-2.0.tar.gz")
    served = server.files["/simple/thing/"]
    served.content = served.content.replace(b">thing-2", b' data-yanked="broken">thing-2')
    assert [each.version for each in ask(asked, index_url=f"{server.address}/simple").sdists] == [found]


def test_times_of_uploads_are_told_where_they_decide(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    index.wheel("thing", "1.0")
    with pytest.raises(CannotResolveError):
        ask("thing", index_url=index.url, exclude_newer="2025-06-01T00:00:00Z")
    assert names(ask("thing", index_url=index.url, exclude_newer="2026-06-01T00:00:00Z")) == ["thing==1.0"]


def test_pages_are_kept_as_long_as_their_index_says(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    for name, control in (("thing", "max-age=600"), ("other", "no-cache")):
        index.wheel(name, "1.0")
        server.files[f"/simple/{name}/"].headers = {
            "Content-Type": "application/vnd.pypi.simple.v1+json", "Cache-Control": control,
        }  # fmt: skip
    ask("thing", "other", index_url=index.url)
    ask("thing>0", "other>0", index_url=index.url)
    assert (count(server, "/simple/thing/"), count(server, "/simple/other/")) == (1, 2)


def test_offline_other_requirements_are_resolved_from_pages_of_earlier_and_it_is_said(
    server: FileServer, ask: Ask
) -> None:
    index = Index(server)
    index.wheel("thing", "1.0")
    ask("thing", index_url=index.url)
    before = len(server.asked)
    lock = ask("thing>0", index_url=index.url, offline=True)
    assert len(server.asked) == before
    assert names(lock) == ["thing==1.0"]
    assert lock.origin is LockOrigin.LAST_KNOWN
    assert any("cannot be asked" in note for note in lock.machine_notes)
    with pytest.raises(CannotFetchError) as caught:
        ask("unseen", index_url=index.url, offline=True)
    assert caught.value.cause == "offline"


def test_what_earlier_pages_give_is_no_answer_where_a_further_index_cannot_be_asked(
    server: FileServer, ask: Ask
) -> None:
    index = Index(server)
    index.wheel("thing", "1.0")
    ask("thing", index_url=index.url)
    for offline in (True, False):
        with pytest.raises(CannotFetchError):
            ask("thing>0", index_url=index.url, extra_index_urls=("http://127.0.0.1:9/simple",), offline=offline)


def test_an_index_that_breaks_is_stood_in_for_by_what_it_offered_before(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    index.wheel("thing", "1.0")
    ask("thing", index_url=index.url)
    server.files["/simple/thing/"].status = 503
    assert ask("thing>0", index_url=index.url).origin is LockOrigin.LAST_KNOWN
    # Nothing of that is remembered as an answer of today.
    server.files["/simple/thing/"].status = 0
    assert ask("thing>0", index_url=index.url).origin is LockOrigin.RESOLVED


def test_the_password_of_an_index_reaches_its_pages_and_no_lock(server: FileServer, ask: Ask) -> None:
    url = private(server, "thing", "me:secret")
    lock = ask("thing", index_url=url)
    assert lock.wheels[0].url == f"{server.address}/thing/files/thing/simple/thing-1.0-py3-none-any.whl"
    assert "secret" not in str(lock)


def test_the_password_of_an_address_reaches_its_wheel_and_no_lock(server: FileServer, ask: Ask) -> None:
    private(server, "thing", "me:secret")
    path = "/thing/files/thing/simple/thing-1.0-py3-none-any.whl"
    lock = ask(f"thing @ {server.address.replace('://', '://me:secret@')}{path}")
    assert [(each.name, each.version, each.url) for each in lock.wheels] == [("thing", "1.0", server.address + path)]
    assert "secret" not in str(lock)


def test_each_of_several_indexes_of_one_host_is_given_its_own_user(server: FileServer, ask: Ask) -> None:
    one, two = private(server, "one", "me:first"), private(server, "two", "me:second")
    assert names(ask("one", "two", index_url=one, extra_index_urls=(two,))) == ["one==1.0", "two==1.0"]


def test_the_user_of_an_index_that_the_dockerfile_names_comes_from_the_users_settings(
    server: FileServer, ask: Ask, tmp_path: Path
) -> None:
    index = private(server, "one", "me:first")
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    (tmp_path / ".config" / "uv" / "uv.toml").write_text(f'[[index]]\nname = "own"\nurl = "{index}"\n')
    assert names(ask("one", index_url=f"{server.address}/one/simple")) == ["one==1.0"]


def test_what_a_netrc_file_has_for_a_host_is_sent_to_none_without_tls(
    server: FileServer, ask: Ask, tmp_path: Path
) -> None:
    private(server, "one", "me:first")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password first\n")
    (tmp_path / ".netrc").chmod(0o600)
    with pytest.raises(CannotFetchError, match="refuses access"):
        ask("one", index_url=f"{server.address}/one/simple")
    assert server.headers
    assert not any("authorization" in each for each in server.headers)


def test_no_password_stands_on_a_command_line(tmp_path: Path) -> None:
    cancel = threading.Event()
    commands: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://me:hidden@127.0.0.1:{silent.getsockname()[1]}/simple"

        def look_when_it_asks() -> None:
            with silent.accept()[0] as asked:
                asked.recv(1)
                for each in Path("/proc").glob("[0-9]*/cmdline"):
                    with contextlib.suppress(OSError):
                        commands.append(each.read_bytes())
                cancel.set()

        looking = threading.Thread(target=look_when_it_asks)
        looking.start()
        asked = ResolveRequest(requirements=("one",), index_url=url, extra_index_urls=(url,), find_links=(url,))
        with pytest.raises(CannotFetchError, match="stopped"):
            resolved(asked, {}, tmp_path, cancel=cancel)
        looking.join()
    ours = [command for command in commands if str(tmp_path).encode() in command and b"compile" in command]
    assert ours
    assert not any(b"hidden" in command for command in ours)


def test_several_packages_without_wheels_also_ones_that_others_need_are_left_out(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    for name in ("deep", "wide", "own"):
        index.add(f"{name}-1.0.tar.gz", b"s" * 1_009)
    index.wheel("middle", "1.0", requires=("deep[fast]>=1", "rest"))
    index.wheel("rest", "1.0")
    lock = ask("middle", "wide[big]==1.0", "own", index_url=index.url)
    assert names(lock) == ["middle==1.0", "rest==1.0"]
    assert sorted((each.name, each.version, each.size_bytes) for each in lock.sdists) == [
        ("deep", "1.0", 1_009), ("own", "1.0", 1_009), ("wide", "1.0", 1_009),
    ]  # fmt: skip
    assert sum("what it needs itself is not known" in note for note in lock.notes) == 3


def source(name: str, *requires: str, metadata: str = "2.2", needs: str | None = None) -> bytes:
    """Return a source archive that says itself what it needs, where its metadata is of version 2.2."""
    told = f"Metadata-Version: {metadata}\nName: {name}\nVersion: 1.0\n"
    told += "".join(f"Requires-Dist: {each}\n" for each in requires)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        made = {} if needs is None else {f"{name}.egg-info/requires.txt": needs}
        for path, text in ({"PKG-INFO": told, "setup.py": "raise SystemExit(1)\n"} | made).items():
            entry = tarfile.TarInfo(f"{name}-1.0/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_a_source_archive_that_says_itself_what_it_needs_brings_that(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    index.wheel("rest", "1.0")
    index.wheel("more", "1.0")
    index.wheel("middle", "1.0", requires=("open",))
    content = source("open", "rest")
    index.add("open-1.0.tar.gz", content)
    index.add("closed-1.0.tar.gz", source("closed", "more", metadata="2.1"))
    lock = ask("middle", "closed", index_url=index.url)
    assert names(lock) == ["middle==1.0", "rest==1.0"]
    assert sorted((each.name, each.size_bytes) for each in lock.sdists)[1] == ("open", len(content))
    assert [note.partition(" ")[0] for note in lock.notes] == ["closed"]


def test_a_source_archive_of_setuptools_brings_what_it_said_when_it_was_made(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    index.wheel("more", "1.0")
    index.add("older-1.0.tar.gz", source("older", metadata="1.1", needs="more>=1\n\n[docs]\nabsent\n"))
    index.wheel("middle", "1.0", requires=("older",))
    lock = ask("middle", index_url=index.url)
    assert names(lock) == ["middle==1.0", "more==1.0"]
    assert [(each.name, each.contents is not None and each.contents.tells) for each in lock.sdists] == [("older", True)]
    assert "what its archive says" in lock.notes[0]


def test_a_source_archive_of_another_version_than_a_wheel_needs_is_left_out(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    index.add("open-1.0.tar.gz", b"s" * 1_009)
    index.add("open-2.0.tar.gz", source("open", "rest").replace(b"1.0", b"2.0"))
    index.wheel("rest", "1.0")
    index.wheel("middle", "1.0", requires=("open<2",))
    lock = ask("middle", "open", index_url=index.url)
    assert names(lock) == ["middle==1.0"]
    assert [(each.name, each.version, each.size_bytes) for each in lock.sdists] == [("open", "1.0", 1_009)]


def test_a_source_archive_by_its_address_that_says_nothing_is_left_out(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    index.wheel("rest", "1.0")
    url = server.add("/closed-1.0.tar.gz", source("closed", metadata="2.1"))
    lock = ask(f"closed[fast] @ {url}", "rest", index_url=index.url)
    assert names(lock) == ["rest==1.0"]
    assert [(each.name, each.version, each.url) for each in lock.sdists] == [("closed", "1.0", url)]


def test_a_checkout_that_a_constraint_names_is_what_the_build_takes(server: FileServer, ask: Ask) -> None:
    index = Index(server)
    index.wheel("thing", "1.0", requires=("other",))
    index.wheel("other", "1.0")
    limits = (f"other @ git+{server.address}/other.git", "unused @ git+https://git.example.org/u.git", "./here")
    lock = ask("thing", constraints=limits, index_url=index.url)
    assert names(lock) == ["thing==1.0"]
    assert [each.name for each in lock.others] == ["other"]
    assert not any("other.git" in path for path, _ in server.asked)


def test_places_in_the_image_are_not_looked_at_here(server: FileServer, ask: Ask, tmp_path: Path) -> None:
    index = Index(server)
    index.wheel("thing", "1.0")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "thing-9.0-py3-none-any.whl").write_bytes(wheel_bytes("thing", "9.0"))
    links = (str(tmp_path / "wheels"),)
    lock = ask("thing", index_url=index.url, find_links=links)
    assert names(lock) == ["thing==1.0"]
    assert any("place in the image" in note for note in lock.notes)
    with pytest.raises(CannotFetchError, match="known to the build alone"):
        ask("thing", no_index=True, find_links=links)


@pytest.mark.parametrize(
    "form",
    [
        "<A HREF='{}'>thing</A>", "<a\n href={}\n>thing</a>", '<a data-requires-python=">=3.8" href = "{}">thing</a>',
        '<a class="x" HREF="{}?name=1&amp;key=2" rel=nofollow>thing</a>',
    ],
)  # fmt: skip
def test_links_that_are_written_in_an_unusual_way_are_read(form: str) -> None:
    text = form.format("../../files/thing-1.0.tar.gz")
    (offer,) = offers("https://own.example.org/simple/thing/", text.encode(), is_json=False)
    assert offer.url.partition("?")[0] == "https://own.example.org/files/thing-1.0.tar.gz"


def test_a_page_of_links_without_end_is_read_in_no_time() -> None:
    def read() -> None:
        for text in ("<a " * 200_000, '<a "' * 200_000, "<a href=" * 100_000):
            assert len(list(offers("https://own.example.org/simple/thing/", text.encode(), is_json=False))) < 2

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    reading.join(timeout=20)
    assert not reading.is_alive()
